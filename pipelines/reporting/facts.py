"""Everything that the report and the card tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from records.bundle import Manifest
from records.data import DataSpec, Finding, Understood
from records.trial import Run, Trial

WIDE = 10.0
"""Times the median that the largest value is, beyond which a plot's axes are logarithmic."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A test example that was answered wrongly, or far off."""

    true: str
    predicted: str
    probability: float | None = None
    """Of the class that was answered; `None` where the answer is a number."""
    off: str = ""
    """How far, where the answer is a number."""
    id: str = ""
    pixels: np.ndarray | None = None
    """An image: `<uint8>[height, width, channels]` or `[height, width]`."""
    text: str = ""
    """A text, as far as the model read it."""
    series: np.ndarray | None = None
    """A series: `<float>[steps, channels]`."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Every test example's number and its prediction, `<float64>[examples]`."""

    true: np.ndarray
    predicted: np.ndarray

    @property
    def wide(self) -> bool:
        """True where few values are far larger than the others, which would be one point at a plot's corner."""
        low, high = (float(f(np.stack([self.true, self.predicted]))) for f in (np.min, np.max))
        return bool(low > 0 and high > WIDE * np.median(self.true))


@dataclass(frozen=True, kw_only=True)
class Window:
    """A test window and its forecast. All in the target's unit."""

    title: str
    """Which one it is: the best, the middle one, the worst."""
    id: str
    error: float
    """Mean absolute, over the seasonal naive forecast's in training."""
    past: np.ndarray
    """`<float64>[steps]`, the last of them; NaN where there was no value."""
    truth: np.ndarray
    """`<float64>[horizon]`, as are the others."""
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, kw_only=True)
class ReportFacts:
    """Everything that the report and the card tell."""

    manifest: Manifest
    run: Run
    trials: tuple[Trial, ...]
    winner: int
    """Number of the trial that became the model."""
    spec: DataSpec
    source_name: str
    class_counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Examples of each class, per split; empty where there are no classes."""
    sample: dict[str, Any] | None = None
    """One example as a request has it; `None` for images."""
    findings: tuple[Finding, ...] = ()
    understood: tuple[Understood, ...] = ()
    left_out: tuple[str, ...] = ()
    """A sentence for each thing that could not be tried, and what it may cost."""
    refitted: bool = False
    refit_note: str = ""
    """Why it was not fitted again; empty when it was."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time of each step, in their order."""
    mistakes: tuple[Mistake, ...] = ()
    """The most confident ones first, or those furthest off."""
    pairs: Pairs | None = None
    """Regression: what was true, and what was predicted."""
    windows: tuple[Window, ...] = ()
    """Forecasting: the best, the middle and the worst."""
    commands: tuple[tuple[str, str], ...] = ()
    """What to type next: what it does, and the command."""
