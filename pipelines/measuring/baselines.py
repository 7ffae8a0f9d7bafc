"""Predictions that need no model: what every model is compared with."""

from __future__ import annotations

import numpy as np

from records.data import Prepared
from records.spec import ForecastLayout
from records.task import TargetKind, Task

MAJORITY, MEAN, SEASONAL_NAIVE = "majority", "mean", "seasonal_naive"


def baseline(task: Task, prepared: Prepared, rows: np.ndarray) -> tuple[str, np.ndarray]:
    """The name of the task's baseline, and its predictions for `rows`, in the shape of a model's."""
    if task.target is TargetKind.CLASS:
        return MAJORITY, majority(prepared, len(rows))
    if task.target is TargetKind.NUMBER:
        return MEAN, np.full((len(rows), 1), prepared.spec.target_mean, np.float32)
    return SEASONAL_NAIVE, seasonal_naive(prepared.spec.forecast, prepared.inputs[rows])


def majority(prepared: Prepared, num_examples: int) -> np.ndarray:
    """`<float32>[examples, classes]`: the share of each class in the training split, for every example alike."""
    shares = np.asarray(prepared.spec.label_counts, np.float32) / prepared.spec.num_train
    return np.repeat(shares[None], num_examples, axis=0)


def seasonal_naive(layout: ForecastLayout, windows: np.ndarray) -> np.ndarray:
    """`<float32>[windows, horizon, quantiles]`: what was one season ago comes again; every quantile is the same.

    Args:
        layout: Of the windows. Where they hold no whole season, the last value comes again.
        windows: `<float32>[windows, history + horizon, features]`.
    """
    season = layout.season if layout.season <= layout.history else 1
    ago = layout.history - season + np.arange(layout.horizon) % season
    level, spread = windows[:, 0, -2, None], windows[:, 0, -1, None]
    values = windows[:, ago, 0] * spread + level
    return np.repeat(values[..., None], len(layout.quantiles), axis=2)
