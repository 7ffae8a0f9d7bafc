"""Where a training stands, and what it gave."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from records.trial import EpochReport


@dataclass(kw_only=True)
class Progress:
    """Where one training stands at the end of an epoch: all that the rest of it depends on, and all that it gave."""

    planned_steps: int
    """Length of the schedule."""
    stop_after: int
    max_seconds: float
    """That it was given when it began."""
    step: int = 0
    epochs: int = 0
    laid_out: bool = False
    """Whether the schedule rests on measured steps."""
    step_seconds: float = 0.0
    """Of one step, as last measured."""
    timed_from: float = 0.0
    """Second at which the first step was done."""
    epoch_ended: float = 0.0
    """Second at which the last epoch was validated."""
    seconds: float = 0.0
    """Used so far, earlier processes' included; what they spent on compiling again is left out."""
    train_loss: float = math.nan
    best_score: float = math.nan
    best_loss: float = math.inf
    best_step: int = 0
    epochs_without_better: int = 0
    reports: list[EpochReport] = field(default_factory=list)
    variables: list[np.ndarray] = field(default_factory=list)
    """As `Graph.variables`. These two only in what is kept."""
    optimizer_variables: list[np.ndarray] = field(default_factory=list)
    best_weights: list[np.ndarray] = field(default_factory=list)
    """Empty before the first validation."""
    best_predictions: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.float32))
    """`<float32>[validation, ...]` at the best step."""


@dataclass(kw_only=True)
class History:
    """What a training gave. The model itself holds the best weights afterwards."""

    reports: list[EpochReport]
    best_step: int
    best_score: float
    best_loss: float
    steps: int
    planned_steps: int
    steps_per_epoch: int
    seconds: float
    """What was spent on compiling again after a break is left out."""
    predictions: np.ndarray
    """`<float32>[validation, ...]` at the best step; no rows without a validation split."""
