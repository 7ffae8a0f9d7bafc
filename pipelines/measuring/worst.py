"""Which test examples a model answered worst, and how badly."""

from __future__ import annotations

import numpy as np

from pipelines.measuring.numbers import absolute_errors, scaled_errors
from pipelines.measuring.truth import Answered
from records.task import TargetKind, Task


def confidences(answered: Answered) -> np.ndarray:
    """`<float32>[examples]`: the probability of the class that was answered."""
    return answered.predictions[np.arange(len(answered.classes)), answered.classes]


def worst_first(task: Task, answered: Answered) -> np.ndarray:
    """`<int64>`: positions of the wrongly answered classes, the most confident first; of all numbers and futures, the
    furthest off first."""
    if task.target is TargetKind.CLASS:
        wrong = np.flatnonzero(answered.classes != answered.truth.targets)
        return wrong[np.argsort(-confidences(answered)[wrong], kind="stable")]
    errors = absolute_errors(answered) if task.target is TargetKind.NUMBER else scaled_errors(answered)
    return np.argsort(-errors, kind="stable")
