"""What a run improves: what was asked for, or what suits the data."""

from __future__ import annotations

from records.config import RunConfig
from records.data import DataSpec
from records.errors import ConfigError
from records.task import TASKS, default_metric, get_task


def check_metric(config: RunConfig) -> None:
    """Refuses a metric that no task has, before any data is read.

    Raises:
        ConfigError: No such metric, or none of the task that is named.
    """
    if config.task is not None:
        get_task(config.task, config.metric)
    elif config.metric is not None and not any(config.metric in task.objectives for task in TASKS.values()):
        known = sorted({name for task in TASKS.values() for name in task.objectives})
        raise ConfigError(f"There is no metric {config.metric!r}. Known: {', '.join(known)}.")


def metric_for(config: RunConfig, spec: DataSpec) -> str:
    """What the run improves."""
    return config.metric or default_metric(spec.task, spec.label_counts)
