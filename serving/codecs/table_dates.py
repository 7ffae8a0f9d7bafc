"""Columns of dates: how far a time is, and where it stands in the year, the week and the day."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from records.api import Cell
from records.spec import ColumnKind
from serving.codecs.cells import seconds_of
from serving.codecs.fields import check

LARGEST = 5.0
"""Of a scaled value."""
MONTHS, WEEKDAYS, HOURS = 12, 7, 24


def _circle(steps: int) -> np.ndarray:
    """`<float64>[steps, 2]`: sine and cosine of each step of a round."""
    angles = np.arange(steps) * (2.0 * math.pi / steps)
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)


CIRCLES = {"month": _circle(MONTHS), "weekday": _circle(WEEKDAYS), "hour": _circle(HOURS)}


@dataclass(frozen=True, kw_only=True)
class DateColumn:
    """A time: how far it is from the training mean, and where it stands in the rounds of year, week and day; zeros
    where it is missing."""

    name: str
    mean: float
    """Seconds since 1970, UTC."""
    scale: float
    """Seconds that become 1."""
    rounds: tuple[str, ...]
    """Those that vary in training, of "month", "weekday" and "hour"."""
    flag: bool
    """Whether a last element says that the date is missing."""
    day_first: bool
    """Whether training's "1/7/2016" is in July."""

    kind = ColumnKind.DATE
    size = 0

    def __post_init__(self) -> None:
        numbers = (self.mean, self.scale)
        check(all(type(n) in (int, float) and math.isfinite(n) for n in numbers), self.name, "mean and scale", numbers)
        check(self.scale > 0, self.name, "a scale above 0", self.scale)
        check(self.rounds == tuple(name for name in CIRCLES if name in self.rounds), self.name, "rounds", self.rounds)
        check(type(self.flag) is type(self.day_first) is bool, self.name, "flag and day_first", self.flag)

    @property
    def width(self) -> int:
        return 1 + 2 * len(self.rounds) + self.flag

    def encode_cell(self, cell: Cell, out: np.ndarray) -> None:
        """Writes to `<float32>[width]`."""
        seconds = seconds_of(self.name, cell, self.day_first)
        moment = np.datetime64("NaT", "s") if seconds is None else np.datetime64(seconds, "s")
        self.encode_array(np.array([moment]), out[None])

    def encode_array(self, cells: np.ndarray, out: np.ndarray) -> None:
        """From `<datetime64>[count]`, NaT where it is missing, to `<float32>[count, width]`."""
        known = ~np.isnat(cells)
        moments = np.where(known, cells, np.datetime64(0, "s")).astype("datetime64[s]")
        far = np.clip((moments.astype(np.int64) - self.mean) / self.scale, -LARGEST, LARGEST)
        out[:, 0] = np.where(known, far, 0.0)
        steps = steps_of(moments)
        for i, name in enumerate(self.rounds):
            out[:, 1 + 2 * i : 3 + 2 * i] = np.where(known[:, None], CIRCLES[name][steps[name]], 0.0)
        if self.flag:
            out[:, -1] = ~known

    def describe(self) -> dict[str, Any]:
        """Its `ColumnDescription`."""
        moment = np.datetime64(round(self.mean), "s")
        return {"typical": str(moment if "hour" in self.rounds else moment.astype("datetime64[D]"))}


def steps_of(moments: np.ndarray) -> dict[str, np.ndarray]:
    """Month (0: January), weekday (0: Monday) and hour of `<datetime64[s]>[count]`, each `<int64>[count]`."""
    days = moments.astype("datetime64[D]").astype(np.int64)
    return {
        "month": moments.astype("datetime64[M]").astype(np.int64) % MONTHS,
        "weekday": (days + 3) % WEEKDAYS,  # 1970 began on a Thursday
        "hour": moments.astype(np.int64) // 3600 % HOURS,
    }
