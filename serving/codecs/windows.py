"""From the values of windows to what a network takes: the same numpy code for one request and for a whole dataset."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from records.errors import BundleError

SMALLEST_SHARE = 0.1
"""Of the usual spread that a window's spread has at least: noise on a flat past must not be blown up."""
LARGEST = 1e30
"""Largest value: its square root of a sum of squares still fits where networks calculate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Covariate:
    """A column of numbers beside the target, and what training saw of it."""

    name: str
    mean: float
    std: float
    """Above 0."""
    low: float
    high: float

    def __post_init__(self) -> None:
        values = (self.mean, self.std, self.low, self.high)
        numbers = all(isinstance(value, int | float) and np.isfinite(value) for value in values)
        if not isinstance(self.name, str) or not self.name or not numbers:
            raise BundleError(f"The forecast codec's column {self.name!r} has wrong figures. Received: {values}.")
        if self.std <= 0:
            raise BundleError(f"The forecast codec's column {self.name!r} has no spread. Received: {self.std}.")


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The values of windows, NaN where they are missing."""

    target: np.ndarray
    """`<float64>[n, history]`."""
    past: np.ndarray
    """`<float64>[n, history, past]`: known of the past only."""
    known: np.ndarray
    """`<float64>[n, history + horizon, known]`: known of the future too."""
    calendar: np.ndarray
    """`<float32>[n, history + horizon, parts]`."""
    present: np.ndarray
    """`<bool>[n, history]`: False where the series has not yet begun."""


def encode_windows(
    windows: Windows, typical: float, past: tuple[Covariate, ...], known: tuple[Covariate, ...]
) -> np.ndarray:
    """Windows as `records.spec.ForecastLayout` describes them.

    Missing values inside a window lie on the line between their neighbours, at its ends they are held; a column of
    which a window knows nothing has its training mean. Only what is known of the future reaches into it.

    Args:
        windows: At least one value of each window's target is observed.
        typical: The spread that windows usually have; see `level_and_spread`.
        past: Columns of `windows.past`.
        known: Columns of `windows.known`.

    Returns:
        `<float32>[n, history + horizon, features]`.
    """
    count, history = windows.target.shape
    length = windows.known.shape[1]
    level, spread = level_and_spread(windows.target, typical)
    scaled = (interpolate(windows.target) - level[:, None]) / spread[:, None]
    given = np.ones((count, length), bool)
    given[:, :history] = windows.present
    first = 1 + len(past)
    encoded = np.zeros((count, length, first + len(known) + windows.calendar.shape[2] + 3), np.float32)
    encoded[:, :history, 0] = scaled
    encoded[:, :history, 1:first] = _standardise(windows.past, past)
    encoded[:, :, first : first + len(known)] = _standardise(windows.known, known)
    encoded[:, :, first + len(known) : -3] = windows.calendar
    encoded[:, :history, -3] = ~np.isnan(windows.target)
    encoded *= given[:, :, None]
    encoded[:, :, -2] = level[:, None]
    encoded[:, :, -1] = spread[:, None]
    return encoded


def level_and_spread(target: np.ndarray, typical: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of what each window observed.

    The spread is at least a tenth of the typical one, or of the level where that is less: a window of a small series
    among large ones keeps its own scale. Where the past is 0 throughout it is a tenth of the typical one.

    Args:
        target: `<float64>[n, history]`, NaN where it is missing; one value at least is not.
        typical: Above 0.

    Returns:
        `<float64>[n]` and `<float64>[n]`, the latter above 0.
    """
    observed = ~np.isnan(target)
    count = observed.sum(axis=1)
    level = np.where(observed, target, 0.0).sum(axis=1) / count
    apart = np.where(observed, target - level[:, None], 0.0)
    spread = np.sqrt((apart * apart).sum(axis=1) / count)
    least = SMALLEST_SHARE * np.minimum(np.abs(level), typical)
    # below the precision of the level itself there is nothing but rounding
    least = np.where(least > 1e-12 * typical, least, SMALLEST_SHARE * typical * (spread <= 1e-12 * typical))
    return level, np.maximum(np.maximum(spread, least), 1e-30)


def interpolate(values: np.ndarray) -> np.ndarray:
    """Fills NaN along the second axis: on the line between the neighbours, held at the ends. A row without any value
    keeps NaN.

    Args:
        values: `<float64>[n, steps]`; not changed.
    """
    known = ~np.isnan(values)
    rows = np.flatnonzero(~known.all(axis=1) & known.any(axis=1))
    if not len(rows):
        return values
    part, here = values[rows], known[rows]
    steps = np.arange(values.shape[1])
    before = np.maximum.accumulate(np.where(here, steps, -1), axis=1)
    after = np.minimum.accumulate(np.where(here, steps, len(steps))[:, ::-1], axis=1)[:, ::-1]
    low = np.where(before < 0, after, before)
    high = np.where(after == len(steps), before, after)
    left, right = np.take_along_axis(part, low, axis=1), np.take_along_axis(part, high, axis=1)
    weight = (steps - low) / np.maximum(high - low, 1)
    filled = values.copy()
    filled[rows] = np.where(here, part, left + (right - left) * weight)
    return filled


def _standardise(values: np.ndarray, columns: tuple[Covariate, ...]) -> np.ndarray:
    """`[n, steps, columns]`: interpolated, minus the mean, over the standard deviation; 0 where nothing is known."""
    scaled = np.empty(values.shape)
    for i, column in enumerate(columns):
        scaled[:, :, i] = (interpolate(values[:, :, i]) - column.mean) / column.std
    return np.nan_to_num(scaled, nan=0.0, posinf=0.0, neginf=0.0)
