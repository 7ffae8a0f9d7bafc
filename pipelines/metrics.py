"""Figures of merit in numpy, under the names of `records.task.METRICS`.

All take the true classes `<int64>[examples]` and the predicted `<float32>[examples, classes]` probabilities.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from records.task import Task

SMALLEST_PROBABILITY = 1e-7
NUM_BINS = 15
"""Of the calibration error."""


def confusion_matrix(targets: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """`<int64>[classes, classes]`: rows are true classes, columns predicted ones."""
    cells = np.bincount(targets * num_classes + predicted, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes)


def accuracy(targets: np.ndarray, probabilities: np.ndarray) -> float:
    """Share of examples whose most likely class is the true one."""
    return float(np.mean(probabilities.argmax(axis=1) == targets))


def balanced_accuracy(targets: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean recall over the classes that have examples."""
    return float(matrix_balanced_accuracy(_confusion_of(targets, probabilities)))


def f1_macro(targets: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean F1 over the classes that have examples or were predicted."""
    return float(matrix_f1_macro(_confusion_of(targets, probabilities)))


def matrix_accuracy(matrix: np.ndarray) -> np.ndarray:
    """`accuracy` of each of `[..., classes, classes]` confusion matrices."""
    return _ratio(_diagonal(matrix).sum(axis=-1), matrix.sum(axis=(-2, -1)))


def matrix_balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    """`balanced_accuracy` of each of `[..., classes, classes]` confusion matrices."""
    return _mean_where(recall(matrix), matrix.sum(axis=-1) > 0)


def matrix_f1_macro(matrix: np.ndarray) -> np.ndarray:
    """`f1_macro` of each of `[..., classes, classes]` confusion matrices."""
    return _mean_where(f1(matrix), (matrix.sum(axis=-1) + matrix.sum(axis=-2)) > 0)


def log_loss(targets: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean negative natural logarithm of the probability given to the true class."""
    return float(example_log_losses(targets, probabilities).mean())


def example_log_losses(targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """`<float64>[examples]`, each at most 16.1: probabilities are cut off at 1e-7."""
    given = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return -np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0))


def precision(matrix: np.ndarray) -> np.ndarray:
    """Per class, from `[..., classes, classes]` confusion matrices; 0 where nothing was predicted."""
    return _ratio(_diagonal(matrix), matrix.sum(axis=-2))


def recall(matrix: np.ndarray) -> np.ndarray:
    """Per class, from `[..., classes, classes]` confusion matrices; 0 where there are no examples."""
    return _ratio(_diagonal(matrix), matrix.sum(axis=-1))


def f1(matrix: np.ndarray) -> np.ndarray:
    """Per class, from `[..., classes, classes]` confusion matrices."""
    return _ratio(2 * _diagonal(matrix), matrix.sum(axis=-1) + matrix.sum(axis=-2))


def calibration_error(targets: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error of the most likely class over 15 equal-width bins (Guo et al. 2017, equation 3)."""
    return gap(*confidence_gaps(targets, probabilities))


def confidence_gaps(targets: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each example's bin `<int64>[examples]`, and its confidence minus 1 if it is right `<float64>[examples]`."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    bins = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    return bins, confidence - (probabilities.argmax(axis=1) == targets)


def gap(bins: np.ndarray, differences: np.ndarray) -> float:
    """The calibration error of examples that `confidence_gaps` described."""
    sums = np.bincount(bins, weights=differences, minlength=NUM_BINS)
    return float(np.abs(sums).sum() / len(bins))


def _diagonal(matrix: np.ndarray) -> np.ndarray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return numerator / np.maximum(denominator, 1)


def _mean_where(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Mean over the last axis of those that count."""
    return _ratio((values * counted).sum(axis=-1), counted.sum(axis=-1))


def _confusion_of(targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return confusion_matrix(targets, probabilities.argmax(axis=1), probabilities.shape[1])


METRIC_FUNCTIONS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    f.__name__: f for f in (accuracy, balanced_accuracy, f1_macro, log_loss)
}
MATRIX_METRICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": matrix_accuracy,
    "balanced_accuracy": matrix_balanced_accuracy,
    "f1_macro": matrix_f1_macro,
}
"""Those that a confusion matrix tells: thousands of resamples are then one bincount each."""


def score(task: Task, targets: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Every metric that the task reports."""
    return {name: METRIC_FUNCTIONS[name](targets, probabilities) for name in task.metrics}
