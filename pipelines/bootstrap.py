"""Intervals by resampling the test examples, the same resamples for every model, so that differences are paired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.measuring import classes
from pipelines.measuring.numbers import step_errors
from pipelines.measuring.truth import Answered, Truth, Weighed
from pipelines.metrics import score_draws
from records.evaluation import Figure
from records.task import TargetKind, Task

NUM_RESAMPLES = 2000
MOST_WEIGHTS = 1_000_000
"""Resamples times examples whose weights are held at once: 8 MB."""
MOST_CELLS = 2_000_000
"""Resamples times cells of their confusion matrices that are held at once: 16 MB."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One model's figures on each of some draws of the test examples."""

    metrics: dict[str, np.ndarray]
    """`<float64>[draws]` each."""
    per_class: dict[str, np.ndarray] = field(default_factory=dict)
    """Classification: precision, recall and f1, `<float64>[draws, classes]` each."""
    calibration_error: np.ndarray | None = None
    """Classification: `<float64>[draws]`."""
    per_step: np.ndarray | None = None
    """Forecasting: the mean absolute errors, `<float64>[draws, horizon]`."""


def measure(task: Task, weighed: Weighed) -> Measured:
    """Everything that the task reports."""
    metrics = score_draws(task, weighed)
    if task.target is TargetKind.CLASS:
        per_class = {f.__name__: f(weighed.matrices) for f in (classes.precision, classes.recall, classes.f1)}
        return Measured(metrics=metrics, per_class=per_class, calibration_error=classes.calibration_error(weighed))
    return Measured(metrics=metrics, per_step=step_errors(weighed) if task.target is TargetKind.FUTURE else None)


def bootstrap(task: Task, models: Sequence[Answered], seed: int) -> list[Measured]:
    """Draws the test examples with replacement 2000 times and measures each model on every draw.

    Where examples belong to clusters, clusters are drawn, each with all its examples.

    Args:
        task: Gives the metrics.
        models: What each model answered; all to the same examples.
        seed: Of the draws.
    """
    parts: list[list[Measured]] = [[] for _ in models]
    for weights in _draws(models[0], seed):
        for part, answered in zip(parts, models, strict=True):
            part.append(measure(task, Weighed(answered, weights)))
    return [_together(part) for part in parts]


def num_clusters(truth: Truth) -> int | None:
    """How many clusters are drawn from; `None` where examples are."""
    return None if truth.clusters is None else len(np.unique(truth.clusters))


def figure(value: float, sampled: np.ndarray) -> Figure:
    """A value with its 95 % percentile interval (Efron & Tibshirani 1993, chapter 13)."""
    low, high = np.percentile(sampled, [2.5, 97.5])
    return Figure(value=float(value), low=float(low), high=float(high))


def _draws(answered: Answered, seed: int) -> Iterator[np.ndarray]:
    """How often each example is drawn, `<float64>[examples, some resamples]`, for all resamples in turn."""
    rng = np.random.default_rng(seed)
    shape, clusters = answered.predictions.shape, answered.truth.clusters
    num_examples = shape[0]
    of_cluster = None if clusters is None else np.unique(clusters, return_inverse=True)[1]
    num_units = num_examples if of_cluster is None else int(of_cluster.max()) + 1
    num_cells = shape[1] ** 2 if len(shape) == 2 else 1
    at_once = max(1, min(MOST_WEIGHTS // num_examples, MOST_CELLS // num_cells, 100))
    for start in range(0, NUM_RESAMPLES, at_once):
        counts = np.empty((num_units, min(at_once, NUM_RESAMPLES - start)))
        for resample in range(counts.shape[1]):
            counts[:, resample] = np.bincount(rng.integers(0, num_units, num_units), minlength=num_units)
        yield counts if of_cluster is None else counts[of_cluster]


def _together(parts: list[Measured]) -> Measured:
    first = parts[0]
    return Measured(
        metrics={name: np.concatenate([part.metrics[name] for part in parts]) for name in first.metrics},
        per_class={name: np.concatenate([part.per_class[name] for part in parts]) for name in first.per_class},
        calibration_error=_joined([part.calibration_error for part in parts]),
        per_step=_joined([part.per_step for part in parts]),
    )


def _joined(parts: list[np.ndarray | None]) -> np.ndarray | None:
    given = [part for part in parts if part is not None]
    return np.concatenate(given) if given else None
