"""`--until accuracy=0.97`: when a search may end although there is time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from records.errors import ConfigError
from records.task import METRICS, TASKS, Direction, Task
from records.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A value of a metric on the validation split."""

    metric: str
    value: float

    @property
    def direction(self) -> Direction:
        return METRICS[self.metric].direction

    def met(self, value: float) -> bool:
        """Whether a score is as good as the goal."""
        return not self.direction.better(self.value, value)

    def reached(self, trials: Sequence[Trial], objective: str) -> bool:
        """Whether a trial ended, or stands, at the goal. While it trains only the objective is known."""
        for trial in trials:
            known = [] if trial.result is None else [trial.result.metrics.get(self.metric, math.nan)]
            if self.metric == objective and not trial.state.finished:
                known += [epoch.score for epoch in trial.epochs]
            if any(self.met(value) for value in known if not math.isnan(value)):
                return True
        return False


def parse_goal(text: str | None) -> Goal | None:
    """The goal that `METRIC=VALUE` names; `None` without one.

    Raises:
        ConfigError: No metric, or no number.
    """
    if text is None:
        return None
    metric, _, value = (part.strip() for part in text.partition("="))
    known = sorted({name for task in TASKS.values() for name in task.metrics})
    if metric not in known:
        raise ConfigError(
            f"`until` must be METRIC=VALUE, as in accuracy=0.97. Known metrics: {', '.join(known)}. Received: {text!r}."
        )
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ConfigError(f"`until` must be METRIC=VALUE, as in accuracy=0.97. Received: {text!r}.")
    return Goal(metric=metric, value=number)


def check_goal(goal: Goal | None, task: Task) -> None:
    """Refuses a metric that the task has not.

    Raises:
        ConfigError: Names those that it has.
    """
    if goal is not None and goal.metric not in task.metrics:
        raise ConfigError(
            f"`until` names {goal.metric}, which {task.name} is not judged by. Known: {', '.join(task.metrics)}."
        )
