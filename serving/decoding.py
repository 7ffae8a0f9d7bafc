"""From a network's numbers to the answer that a person reads. One function per task, with numpy alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from records.api import ClassProbability, Prediction
from records.errors import BundleError

Decoding = Callable[[np.ndarray, Sequence[str], int | None], list[Prediction]]
"""`(<float32>[batch, classes], labels, top_k) -> predictions`."""


def classification(probabilities: np.ndarray, labels: Sequence[str], top_k: int | None = None) -> list[Prediction]:
    """The most likely classes of each example, most likely first. Of equally likely ones, the earlier class.

    Args:
        probabilities: `<float32>[batch, classes]`.
        labels: Class names; the position is the class index.
        top_k: How many classes to list; `None` or more than there are: all.

    Raises:
        BundleError: The network gave another number of classes, or values that are not finite.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] != len(labels):
        raise BundleError(
            f"The network does not fit its labels. Expected [batch, {len(labels)}] probabilities. "
            f"Received: {list(probabilities.shape)}. Package the model again."
        )
    if not np.isfinite(probabilities).all():
        raise BundleError("The network gave values that are not finite numbers for this input.")
    # Seven digits are all that a float32 holds; a softmax may pass 1 by its last one.
    values = np.clip(probabilities.astype(np.float64), 0.0, 1.0).round(7)
    order = np.argsort(-values, axis=1, kind="stable")[:, :top_k]
    return [_prediction(row[best], best, labels) for row, best in zip(values, order, strict=True)]


def _prediction(probabilities: np.ndarray, indices: np.ndarray, labels: Sequence[str]) -> Prediction:
    classes = [
        ClassProbability(label=labels[index], probability=value)
        for index, value in zip(indices.tolist(), probabilities.tolist(), strict=True)
    ]
    return Prediction(label=classes[0].label, probability=classes[0].probability, classes=classes)


DECODINGS: dict[str, Decoding] = {f.__name__: f for f in (classification,)}
