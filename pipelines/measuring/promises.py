"""Whether sets of classes and intervals hold what is true as often as they promise."""

from __future__ import annotations

import math

import numpy as np

from pipelines.measuring.truth import Answered
from records.evaluation import Coverage, Figure
from records.task import TargetKind, Task
from serving.honesty.conformal import INTERVALS, Scores, inside

ASKED = 0.9
"""The coverage that is measured on the test split."""
DEVIATIONS = 1.959964
"""Of a normal distribution, between which 95 % lie."""


def measured_coverage(task: Task, answered: Answered, scores: Scores | None, asked: float = ASKED) -> Coverage | None:
    """The share of true values that lie inside what is answered for `asked`; `None` where that cannot be promised.

    Args:
        task: Tells sets from intervals.
        answered: Predictions of examples that the scores are not of, and the truth.
        scores: From the bundle.
        asked: The coverage.
    """
    if scores is None or scores.max_coverage is None or asked > scores.max_coverage:
        return None
    targets, predictions = answered.truth.targets, answered.predictions
    if task.target is TargetKind.CLASS:
        within, places = inside(predictions, scores, asked), np.arange(len(targets))
        within[places, answered.classes] = True  # what is answered is a part of the set, whatever decided it
        held, sizes = within[places, targets].astype(np.float64), within.sum(axis=1)
    else:
        low, high = INTERVALS[task.name](predictions, scores, asked)
        held, sizes = ((low <= targets) & (targets <= high)).astype(np.float64), high - low
    clusters = answered.truth.clusters
    independent = len(targets) if clusters is None else len(np.unique(clusters))
    return Coverage(
        asked=asked,
        found=share(float(held.mean()), independent),
        num_scores=scores.num_examples,
        mean_size=float(sizes.mean()),
    )


def share(value: float, count: int) -> Figure:
    """A share with its 95 % interval (Wilson 1927), which keeps its width where the share is 0 or 1.

    Args:
        value: Between 0 and 1.
        count: Independent observations.
    """
    square = DEVIATIONS**2 / count
    middle = (value + square / 2) / (1 + square)
    reach = math.sqrt(square * (value * (1 - value) + square / 4)) / (1 + square)
    return Figure(value=value, low=max(0.0, middle - reach), high=min(1.0, middle + reach))
