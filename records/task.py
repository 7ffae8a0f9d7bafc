"""What is to be learnt, and how an answer is judged."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from records.errors import ConfigError


class TargetKind(StrEnum):
    """What one answer is."""

    CLASS = "class"


class Direction(StrEnum):
    """Whether more or less of a metric is better."""

    MAX = "max"
    MIN = "min"

    def better(self, new: float, old: float) -> bool:
        """True when `new` is strictly better than `old`."""
        return new > old if self is Direction.MAX else new < old


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A figure of merit. Its numpy implementation stands under the same name in `pipelines.metrics`."""

    name: str
    title: str
    direction: Direction


METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric(name="accuracy", title="accuracy", direction=Direction.MAX),
        Metric(name="balanced_accuracy", title="balanced accuracy", direction=Direction.MAX),
        Metric(name="f1_macro", title="macro F1", direction=Direction.MAX),
        Metric(name="log_loss", title="log-loss", direction=Direction.MIN),
    )
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A kind of target with the metrics that judge it.

    Its Keras head and loss stand in `search_spaces.heads`, its numpy decoding in `serving.decoding`, under `name`.
    """

    name: str
    target: TargetKind
    metrics: tuple[str, ...]
    """All that are reported."""
    objective: str
    """The one that the search improves."""

    @property
    def direction(self) -> Direction:
        return METRICS[self.objective].direction


TASKS: dict[str, Task] = {
    t.name: t
    for t in (
        Task(
            name="classification",
            target=TargetKind.CLASS,
            metrics=("accuracy", "balanced_accuracy", "f1_macro", "log_loss"),
            objective="accuracy",
        ),
    )
}


def get_task(name: str, metric: str | None = None) -> Task:
    """The task called `name`, with `metric` as its objective where one is given.

    Raises:
        ConfigError: No such task, or a metric that the task does not report.
    """
    if name not in TASKS:
        raise ConfigError(f"There is no task {name!r}. Known: {', '.join(sorted(TASKS))}.")
    task = TASKS[name]
    if metric is None:
        return task
    if metric not in task.metrics:
        raise ConfigError(f"There is no metric {metric!r} for {name}. Known: {', '.join(task.metrics)}.")
    return Task(name=task.name, target=task.target, metrics=task.metrics, objective=metric)
