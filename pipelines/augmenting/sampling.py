"""Which examples a pass shows, where rare classes are to be seen more often than they occur.

Examples are drawn, and the loss is not weighed: with weights a few rare examples make large and unsteady steps, drawn
ones many small steps in the same direction (An 2021), and an optimizer that divides by the size of its gradients takes
part of a weight back. Drawing needs nothing of the network, the loss or the compiled graph.

A network that was trained so says rare classes too often for a world in which they are rare. Nothing corrects that
afterwards: to divide by the shares again (Saerens 2002) would take back what the drawing is for. Instead everything
that is measured, chosen or calibrated (scores, temperature, thresholds, sets and intervals) uses validation and test
examples in their true shares, so that a trial for which the drawing did harm has a worse score.
"""

from __future__ import annotations

import numpy as np


def balanced(
    rows: np.ndarray, classes: np.ndarray, num_classes: int, balance: float, rng: np.random.Generator
) -> np.ndarray:
    """As many rows in which a class of n examples is seen in proportion to n^(1 - balance).

    0.5 is the square root of Mahajan (2018, section 2.2), 1 shows all classes equally often. The draw is systematic:
    an example that is expected 2.3 times comes 2 or 3 times, one that is expected 0.4 times once or not at all.

    Args:
        rows: `<int64>[examples]`, shuffled.
        classes: `<int64>[examples]`, of these rows.
        num_classes: In all; some may have no example.
        balance: From 0 to 1.
        rng: For the draw and the new order.

    Raises:
        ValueError: The answers are no classes.
    """
    if num_classes < 2 or classes.ndim != 1:
        raise ValueError("`balance` needs answers that are one class each. Received: answers of another kind.")
    counts = np.bincount(classes, minlength=num_classes)
    weights = counts[classes].astype(float) ** -balance
    expected = np.cumsum(weights) * (len(rows) / weights.sum())
    drawn = np.searchsorted(expected, rng.random() + np.arange(len(rows)), side="right")
    return rng.permutation(rows[np.minimum(drawn, len(rows) - 1)])
