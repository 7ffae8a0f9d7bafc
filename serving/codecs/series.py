"""Series: from a list of values, or of a value for each channel, to the one array that a network takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from records.errors import BundleError, InputError
from serving.codecs.fields import values_of
from serving.codecs.stack import stack

MOST_STEPS_READ = 20_000
"""Of one series; what is beyond `max_steps` is read and not used."""
LARGEST = 1e4
"""Standard deviations from the mean beyond which a value is held: a network answers to such numbers with none."""
NUMBERS = (int, float, type(None))


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesCodec:
    """Turns one raw series into `<float32>[max_steps, channels + 1]`: the same when training and when serving.

    Each channel is scaled by the mean and the standard deviation that it had in training. A missing value lies on the
    line between its neighbours, or is held at the ends; a channel that is missing throughout is 0, its mean. The last
    column is 1 for a step of the series and 0 behind its end. Of a series that is longer than `max_steps`, the first
    steps are used: training series begin at their first step too.
    """

    channels: tuple[str, ...]
    means: tuple[float, ...]
    stds: tuple[float, ...]
    max_steps: int
    max_steps_read: int = MOST_STEPS_READ

    kind = "series"
    dtype = "float32"

    def __post_init__(self) -> None:
        for name, of_numbers in (("channels", False), ("means", True), ("stds", True)):
            values = getattr(self, name)
            if not isinstance(values, tuple) or len(values) != len(self.channels) or not values:
                raise BundleError(f"The series codec's {name} are wrong. Expected one for each channel.")
            if of_numbers != all(type(value) in (int, float) and math.isfinite(value) for value in values):
                raise BundleError(f"The series codec's {name} are wrong. Expected {_sort(of_numbers)}.")
        if min(self.stds) <= 0 or not all(type(name) is str for name in self.channels):
            raise BundleError("The series codec's stds are wrong. Expected numbers above 0, and channels with names.")
        for name, low in (("max_steps", 1), ("max_steps_read", self.max_steps)):
            value = getattr(self, name)
            if type(value) is not int or value < low:
                raise BundleError(f"The series codec's {name} is wrong. Expected at least {low}. Received: {value!r}.")

    @property
    def input_shape(self) -> tuple[int, int]:
        """(max_steps, channels + 1)."""
        return self.max_steps, len(self.channels) + 1

    def to_json(self) -> dict[str, Any]:
        """What `codec.json` holds."""
        saved = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {"kind": self.kind, **saved}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> SeriesCodec:
        """The codec that `to_json` described.

        Raises:
            BundleError: A field is missing, unknown or out of range.
        """
        return cls(**values_of(cls, saved))

    def encode(self, raw: np.ndarray | Sequence[Any]) -> np.ndarray:
        """One series.

        Args:
            raw: `<float64>[steps]` or `[steps, channels]`, NaN where a value is missing; or lists of the same form,
                with `None` or NaN for what is missing.

        Returns:
            `<float32>[max_steps, channels + 1]`.

        Raises:
            InputError: No series of this codec's channels (status 422), or too long (413).
        """
        values = read_series(raw, self.channels, self.max_steps_read)[: self.max_steps]
        scaled = fill((values - np.array(self.means)) / np.array(self.stds))
        encoded = np.zeros(self.input_shape, dtype=np.float32)
        encoded[: len(values), :-1] = np.clip(scaled, -LARGEST, LARGEST)
        encoded[: len(values), -1] = 1.0
        return encoded

    def collate(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """`<float32>[batch, steps, channels + 1]`, as many steps as the longest of them has."""
        batch = stack(arrays)
        return batch[:, : max(1, int(batch[:, :, -1].sum(axis=1).max(initial=1)))]

    def describe(self) -> dict[str, Any]:
        """What one series may be like."""
        return {
            "channels": list(self.channels),
            "limits": {"max_steps": self.max_steps_read, "steps_used": self.max_steps},
        }


def _sort(of_numbers: bool) -> str:
    return "finite numbers" if of_numbers else "names"


def read_series(raw: Any, channels: Sequence[str], max_steps: int = MOST_STEPS_READ) -> np.ndarray:
    """`<float64>[steps, channels]`, NaN where a value is missing.

    Args:
        raw: See `SeriesCodec.encode`.
        channels: Their names.
        max_steps: More are refused.

    Raises:
        InputError: It is none, has other channels, no step, too many, or an infinite number.
    """
    if not isinstance(raw, np.ndarray | list | tuple):
        raise InputError(f"Not a series. Expected a list of numbers. Received: {type(raw).__name__}.")
    if not len(raw):
        raise InputError("The series is empty. Expected at least one step.")
    if len(raw) > max_steps:
        raise InputError(f"The series is too long. Expected at most {max_steps} steps. Received: {len(raw)}.", 413)
    values = raw if isinstance(raw, np.ndarray) else _from_lists(raw, channels)
    if values.dtype.kind not in "fiu":
        raise InputError(f"The series does not hold numbers. Received: an array of {values.dtype}.")
    values = values.astype(np.float64)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.shape[1] != len(channels):
        raise InputError(f"{_expected(channels)} Received: an array of shape {raw.shape}.")  # type: ignore[union-attr]
    if np.isinf(values).any():
        raise InputError("The series holds a number that is not finite. Expected numbers, or null for a missing one.")
    return values


def _from_lists(raw: Sequence[Any], channels: Sequence[str]) -> np.ndarray:
    steps = [[value] if type(value) in NUMBERS else value for value in raw]
    for number, step in enumerate(steps):
        if not isinstance(step, list | tuple) or not all(type(value) in NUMBERS for value in step):
            came = type(step).__name__ if not isinstance(step, list | tuple) else f"{list(step)[:5]!r}"
            raise InputError(f"Step {number + 1} of the series is not made of numbers. Received: {came}.")
        if len(step) != len(channels):
            raise InputError(f"{_expected(channels)} Received: {len(step)} in step {number + 1}.")
    try:
        return np.array(steps, dtype=np.float64)
    except OverflowError as error:
        raise InputError("The series holds a number that is too large.") from error


def _expected(channels: Sequence[str]) -> str:
    names = ", ".join(channels[:8]) + (", ..." if len(channels) > 8 else "")
    plural = "s" if len(channels) > 1 else ""
    return f"The series has the wrong channels. Expected {len(channels)} value{plural} for each step: {names}."


def fill(values: np.ndarray) -> np.ndarray:
    """The same `<float64>[steps, channels]` without NaN: interpolated, held at the ends, or 0 throughout."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    values, steps = values.copy(), np.arange(len(values))
    for channel in np.flatnonzero(missing.any(axis=0)):
        known = ~missing[:, channel]
        column = np.interp(steps, steps[known], values[known, channel]) if known.any() else 0.0
        values[:, channel] = column
    return values
