"""Figures of merit in numpy, under the names of `records.task.METRICS`.

Predictions are `<float32>[examples, classes]` probabilities, `<float32>[examples, 1]` numbers, or
`<float32>[examples, horizon, quantiles]` futures, all in the target's own units.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipelines.measuring.classes import (
    accuracy,
    balanced_accuracy,
    cost,
    f1_macro,
    log_loss,
    log_losses,
    roc_auc,
)
from pipelines.measuring.numbers import (
    coverage,
    mae,
    mase,
    pinball,
    pinball_losses,
    r2,
    rmse,
    squared_errors,
)
from pipelines.measuring.truth import Answered, Truth, Weighed, unweighed
from pipelines.measuring.truth import truth_of as truth_of
from records.task import TargetKind, Task

METRIC_FUNCTIONS: dict[str, Callable[[Weighed], np.ndarray]] = {
    f.__name__: f
    for f in (accuracy, balanced_accuracy, f1_macro, roc_auc, log_loss, cost, rmse, mae, r2, mase, pinball, coverage)
}
"""From answers and how often each counts `[examples, draws]` to `<float64>[draws]`."""

EXAMPLE_LOSSES: dict[TargetKind, Callable[[Answered], np.ndarray]] = {
    TargetKind.CLASS: log_losses,
    TargetKind.NUMBER: squared_errors,
    TargetKind.FUTURE: pinball_losses,
}


def score(task: Task, truth: Truth, predictions: np.ndarray) -> dict[str, float]:
    """Every metric that the task reports, and the mean cost where mistakes have costs."""
    return {
        name: float(values[0]) for name, values in score_draws(task, unweighed(Answered(truth, predictions))).items()
    }


def score_draws(task: Task, weighed: Weighed) -> dict[str, np.ndarray]:
    """As `score`, of many draws at once: `<float64>[draws]` each."""
    names = task.metrics if weighed.answered.truth.decision.costs is None else (*task.metrics, "cost")
    return {name: METRIC_FUNCTIONS[name](weighed) for name in names}


def example_losses(task: Task, truth: Truth, predictions: np.ndarray) -> np.ndarray:
    """`<float64>[examples]`: log-loss, squared error, or scaled quantile loss. Finite where predictions are."""
    return EXAMPLE_LOSSES[task.target](Answered(truth, predictions))
