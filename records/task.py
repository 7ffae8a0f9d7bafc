"""What is to be learnt, and how an answer is judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from records.errors import ConfigError


class TargetKind(StrEnum):
    """What one answer is."""

    CLASS = "class"
    NUMBER = "number"
    FUTURE = "future"
    """The next values of a series."""


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
        Metric(name="roc_auc", title="area under the ROC curve", direction=Direction.MAX),
        Metric(name="log_loss", title="log-loss", direction=Direction.MIN),
        Metric(name="cost", title="mean cost of an answer", direction=Direction.MIN),
        Metric(name="rmse", title="root mean squared error", direction=Direction.MIN),
        Metric(name="mae", title="mean absolute error", direction=Direction.MIN),
        Metric(name="r2", title="R²", direction=Direction.MAX),
        Metric(name="mase", title="mean absolute scaled error", direction=Direction.MIN),
        Metric(name="pinball", title="scaled quantile loss", direction=Direction.MIN),
        Metric(name="coverage", title="share inside the outermost quantiles", direction=Direction.MAX),
    )
}


class Decision(BaseModel):
    """How probabilities become one answer; see `serving.decoding.decide`. Neither field: the most likely class."""

    model_config = ConfigDict(frozen=True)

    threshold: float | None = None
    """Two classes: the second is answered from this probability on. Chosen on the validation split."""
    costs: tuple[tuple[float, ...], ...] | None = None
    """`costs[true][answered]`: the class with the least expected cost is answered."""


MOST_LIKELY = Decision()


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A kind of target with the metrics that judge it.

    Its Keras head and loss stand in `search_spaces.heads`, its numpy decoding in `serving.decoding`, under `name`.
    """

    name: str
    target: TargetKind
    metrics: tuple[str, ...]
    """All that are reported."""
    objectives: tuple[str, ...]
    """Those that can be improved."""
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
            metrics=("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss"),
            objectives=("accuracy", "balanced_accuracy", "f1_macro", "roc_auc", "log_loss"),
            objective="accuracy",
        ),
        Task(
            name="regression",
            target=TargetKind.NUMBER,
            metrics=("rmse", "mae", "r2"),
            objectives=("rmse", "mae", "r2"),
            objective="rmse",
        ),
        Task(
            name="forecasting",
            target=TargetKind.FUTURE,
            metrics=("mase", "mae", "rmse", "pinball", "coverage"),
            objectives=("mase", "mae", "rmse", "pinball"),
            objective="mase",
        ),
    )
}

IMBALANCE = 4.0
"""Times the rarest class that the most frequent one may have before accuracy says too little."""


def get_task(name: str, metric: str | None = None) -> Task:
    """The task called `name`, with `metric` as its objective where one is given.

    Raises:
        ConfigError: No such task, or a metric that the task cannot improve.
    """
    if name not in TASKS:
        raise ConfigError(f"There is no task {name!r}. Known: {', '.join(sorted(TASKS))}.")
    task = TASKS[name]
    if metric is None:
        return task
    if metric not in task.objectives:
        raise ConfigError(f"There is no metric {metric!r} for {name}. Known: {', '.join(task.objectives)}.")
    return replace(task, objective=metric)


def default_metric(name: str, label_counts: tuple[int, ...] = ()) -> str:
    """What to improve where nobody said: a model that always names the frequent class must not look good.

    Args:
        name: Of the task.
        label_counts: Training examples of each class; empty where the answer is no class.
    """
    counts = [count for count in label_counts if count]
    if name != "classification" or not counts or max(counts) < IMBALANCE * min(counts):
        return TASKS[name].objective
    return "roc_auc" if len(counts) == 2 else "f1_macro"
