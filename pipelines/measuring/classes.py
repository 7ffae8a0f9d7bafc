"""Figures of merit of classes: from confusion matrices, from probabilities, and from what mistakes cost."""

from __future__ import annotations

import numpy as np

from pipelines.measuring.truth import Answered, Weighed

SMALLEST_PROBABILITY = 1e-7
NUM_BINS = 15
"""Of the calibration error."""


def accuracy(weighed: Weighed) -> np.ndarray:
    """Share of examples whose answer is the true class."""
    return weighed.mean(right)


def balanced_accuracy(weighed: Weighed) -> np.ndarray:
    """Mean recall over the classes that have examples."""
    return matrix_balanced_accuracy(weighed.matrices)


def f1_macro(weighed: Weighed) -> np.ndarray:
    """Mean F1 over the classes that have examples or were answered."""
    return matrix_f1_macro(weighed.matrices)


def roc_auc(weighed: Weighed) -> np.ndarray:
    """Area under the ROC curve; of more than two classes the mean of each against all others."""
    return weighed.answered.ranking.areas(weighed.weights)


def log_loss(weighed: Weighed) -> np.ndarray:
    """Mean negative natural logarithm of the probability given to the true class."""
    return weighed.mean(log_losses)


def cost(weighed: Weighed) -> np.ndarray:
    """Mean of what the answers cost; 1 for every mistake where no costs were given."""
    return weighed.mean(costs)


def right(answered: Answered) -> np.ndarray:
    """`<float64>[examples]`: 1 where the answer is the true class."""
    return (answered.classes == answered.truth.targets).astype(np.float64)


def log_losses(answered: Answered) -> np.ndarray:
    """`<float64>[examples]`, each at most 16.1: probabilities are cut off at 1e-7."""
    targets = answered.truth.targets
    given = answered.predictions[np.arange(len(targets)), targets].astype(np.float64)
    return -np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0))


def costs(answered: Answered) -> np.ndarray:
    """`<float64>[examples]`: what each answer costs."""
    table = answered.truth.decision.costs
    if table is None:
        return 1.0 - right(answered)
    return np.asarray(table, np.float64)[answered.truth.targets, answered.classes]


def matrix_accuracy(matrices: np.ndarray) -> np.ndarray:
    """`accuracy` of each of `[..., classes, classes]` confusion matrices."""
    return _ratio(_diagonal(matrices).sum(axis=-1), matrices.sum(axis=(-2, -1)))


def matrix_balanced_accuracy(matrices: np.ndarray) -> np.ndarray:
    """`balanced_accuracy` of each of `[..., classes, classes]` confusion matrices."""
    return _mean_where(recall(matrices), matrices.sum(axis=-1) > 0)


def matrix_f1_macro(matrices: np.ndarray) -> np.ndarray:
    """`f1_macro` of each of `[..., classes, classes]` confusion matrices."""
    return _mean_where(f1(matrices), (matrices.sum(axis=-1) + matrices.sum(axis=-2)) > 0)


def precision(matrices: np.ndarray) -> np.ndarray:
    """Per class, from `[..., classes, classes]` confusion matrices; 0 where nothing was answered so."""
    return _ratio(_diagonal(matrices), matrices.sum(axis=-2))


def recall(matrices: np.ndarray) -> np.ndarray:
    """Per class, from `[..., classes, classes]` confusion matrices; 0 where there are no examples."""
    return _ratio(_diagonal(matrices), matrices.sum(axis=-1))


def f1(matrices: np.ndarray) -> np.ndarray:
    """Per class, from `[..., classes, classes]` confusion matrices."""
    return _ratio(2 * _diagonal(matrices), matrices.sum(axis=-1) + matrices.sum(axis=-2))


def calibration_error(weighed: Weighed) -> np.ndarray:
    """Expected calibration error of the most likely class over 15 equal-width bins (Guo et al. 2017, equation 3)."""
    return np.abs(weighed.mean(confidence_gaps)).sum(axis=1)


def confidence_gaps(answered: Answered) -> np.ndarray:
    """`<float64>[examples, bins]`: in its bin, each example's confidence minus 1 if its most likely class is right."""
    confidence = answered.predictions.max(axis=1).astype(np.float64)
    bins = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    gaps = confidence - (answered.predictions.argmax(axis=1) == answered.truth.targets)
    return gaps[:, None] * (bins[:, None] == np.arange(NUM_BINS))


def _diagonal(matrices: np.ndarray) -> np.ndarray:
    return np.diagonal(matrices, axis1=-2, axis2=-1)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return numerator / np.maximum(denominator, 1)


def _mean_where(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Mean over the last axis of those that count."""
    return _ratio((values * counted).sum(axis=-1), counted.sum(axis=-1))
