"""A trained winner, before it is packaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from records.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A whole network with its weights, and how it came about."""

    model: Any
    """A `keras.Model` from raw inputs to the prediction."""
    trial: Trial
    refitted: bool
    """True when it was fitted again on training and validation examples together."""
    seconds: float
    """That the last fit took."""
    validation_predictions: Any
    """`<float32>[validation, ...]`: of the trial's own weights, which never saw these examples."""
    validation_targets: Any
    """`[validation, ...]`, as `Prepared.targets` has them."""
    note: str = ""
    """Why it was not fitted again; empty when it was."""
