"""A trained winner, before it is packaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from records.bundle import Average, Calibration
from records.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A whole network with its weights, and how it came about."""

    model: Any
    """A `keras.Model` from raw inputs to the prediction."""
    trial: Trial
    """Of an average, the one with the largest weight."""
    refitted: bool
    """True when it was fitted again on training and validation examples together; of an average, each part of it."""
    seconds: float
    """That the last fit took."""
    validation_predictions: Any
    """`<float32>[validation, ...]`: of the trial's own weights, which never saw these examples; of an average, the mean
    of what each trial's own weights gave."""
    validation_targets: Any
    """`[validation, ...]`, as `Prepared.targets` has them."""
    fits: int = 1
    """Networks of the one trial, fitted from different seeds, whose predictions `model` averages."""
    note: str = ""
    """Why it was not fitted again; empty when it was, and for an average, whose parts each have their own."""
    average: Average | None = None
    """`None`: one network."""
    calibration: Calibration | None = None
    """Classification: what was found of its probabilities. `model` and `validation_predictions` have the
    temperature."""

    @property
    def space(self) -> str:
        """Where its network is from; of an average, the names of all its spaces."""
        if self.average is None:
            return self.trial.space
        return " + ".join(dict.fromkeys(part.space for part in self.average.parts))

    @property
    def members(self) -> tuple[int, ...]:
        """Numbers of the trials that it is made of."""
        return (self.trial.number,) if self.average is None else tuple(part.trial for part in self.average.parts)
