"""Intervals by resampling the test examples, the same resamples for every model, so that differences are paired."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines import metrics
from records.evaluation import Figure
from records.task import Task

NUM_RESAMPLES = 2000
PER_CLASS, CALIBRATION = "class ", "calibration"
CHUNK = 50
"""Resamples whose confusion matrices are held at once: 200 classes are then 16 MB."""


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """One model's figures on each resample."""

    metrics: dict[str, np.ndarray]
    """`<float64>[resamples]` each."""
    per_class: dict[str, np.ndarray]
    """precision, recall and f1: `<float64>[resamples, classes]` each."""
    calibration_error: np.ndarray
    """`<float64>[resamples]`."""


def bootstrap(task: Task, targets: np.ndarray, models: list[np.ndarray], seed: int) -> list[Sampled]:
    """Draws the test examples with replacement 2000 times and measures each model on every draw.

    Args:
        task: Gives the metrics.
        targets: `<int64>[examples]`.
        models: Each model's `<float32>[examples, classes]` probabilities.
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    num_classes = models[0].shape[1]
    codes = [targets * num_classes + probabilities.argmax(axis=1) for probabilities in models]
    losses = [metrics.example_log_losses(targets, probabilities) for probabilities in models]
    gaps = [metrics.confidence_gaps(targets, probabilities) for probabilities in models]
    parts: list[list[dict[str, np.ndarray]]] = [[] for _ in models]
    for start in range(0, NUM_RESAMPLES, CHUNK):
        draws = rng.integers(0, len(targets), (min(CHUNK, NUM_RESAMPLES - start), len(targets)), dtype=np.int32)
        for model, (code, loss) in enumerate(zip(codes, losses, strict=True)):
            measured = _measure(task, code, loss, draws, num_classes)
            bins, differences = gaps[model]
            measured[CALIBRATION] = np.array([metrics.gap(bins[rows], differences[rows]) for rows in draws])
            parts[model].append(measured)
    return [_together(part) for part in parts]


def figure(value: float, sampled: np.ndarray) -> Figure:
    """A value with its 95 % percentile interval (Efron & Tibshirani 1993, chapter 13)."""
    low, high = np.percentile(sampled, [2.5, 97.5])
    return Figure(value=float(value), low=float(low), high=float(high))


def _measure(
    task: Task, codes: np.ndarray, losses: np.ndarray, draws: np.ndarray, num_classes: int
) -> dict[str, np.ndarray]:
    matrices = np.stack([np.bincount(codes[rows], minlength=num_classes**2) for rows in draws])
    matrices = matrices.reshape(len(draws), num_classes, num_classes)
    measured = {
        name: metrics.MATRIX_METRICS[name](matrices) if name in metrics.MATRIX_METRICS else losses[draws].mean(axis=1)
        for name in task.metrics
    }
    per_class = {PER_CLASS + f.__name__: f(matrices) for f in (metrics.precision, metrics.recall, metrics.f1)}
    return measured | per_class


def _together(parts: list[dict[str, np.ndarray]]) -> Sampled:
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    calibration_error = joined.pop(CALIBRATION)
    return Sampled(
        metrics={name: values for name, values in joined.items() if not name.startswith(PER_CLASS)},
        per_class={name.removeprefix(PER_CLASS): v for name, v in joined.items() if name.startswith(PER_CLASS)},
        calibration_error=calibration_error,
    )
