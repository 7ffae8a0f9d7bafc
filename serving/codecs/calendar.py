"""The distance between two steps of a series, and what the calendar says of a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from serving.codecs.times import DAY, HOUR, MINUTE, SECOND, WEEK, from_months, to_months

MONDAY = 3
"""1 January 1970 was a Thursday, three days after a Monday."""
LONGEST_SEASON = 512
"""Steps: a season of more does not fit into a window."""


class Unit(StrEnum):
    """What a step is counted in."""

    TIME = "time"
    """Microseconds, always equally many."""
    WEEKDAY = "weekday"
    """Mondays to Fridays."""
    MONTH = "month"
    """Calendar months, on whatever day of them."""
    NUMBER = "number"
    """The series has no dates, only numbers that rise."""


@dataclass(frozen=True, slots=True)
class Step:
    """The distance between two steps: `count` times the unit."""

    unit: Unit
    count: int = 1

    def places(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where times lie on the grid that begins at the first of them.

        Args:
            times: `<int64>[n]`, microseconds, or plain numbers where the unit is `NUMBER`.

        Returns:
            `<int64>[n]` steps after the first, and `<bool>[n]`, whether each lies on the grid.
        """
        if self.unit is Unit.MONTH:
            months = to_months(times)
            places, rest = np.divmod(months - months[0], self.count)
            return places, rest == 0
        if self.unit is Unit.WEEKDAY:
            places, rest, weekday = _weekdays(times)
            return places - places[0], (rest == rest[0]) & (weekday < 5)
        places, rest = np.divmod(times - times[0], self.count)
        return places, rest == 0

    def after(self, start: int, places: np.ndarray) -> np.ndarray:
        """The times that lie `places` steps after `start`; a month's last day stays the last day.

        Returns:
            `<int64>[n]`.
        """
        if self.unit is Unit.MONTH:
            return _months_after(start, places * self.count)
        if self.unit is Unit.WEEKDAY:
            place, rest, _ = _weekdays(np.array([start]))
            weeks, days = np.divmod(place[0] + places, 5)
            return (weeks * 7 + days - MONDAY) * DAY + rest[0]
        return start + places.astype(np.int64) * self.count

    @property
    def words(self) -> str:
        """For a sentence: "1 hour", "15 minutes", "3 months", "1 weekday"."""
        count, noun = self.count, {Unit.MONTH: "month", Unit.WEEKDAY: "weekday"}.get(self.unit, "")
        if self.unit is Unit.TIME:
            sizes = ((WEEK, "week"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"))
            size, noun = next(((size, noun) for size, noun in sizes if count % size == 0), (1, "microsecond"))
            count //= size
        return f"{count} {noun}".strip() + ("s" if noun and count != 1 else "")


def usual_season(step: Step) -> int:
    """Steps after which a series of this step is likely to repeat: a day, a week or a year; 1: none is known."""
    if step.unit is Unit.WEEKDAY:
        return 5
    if step.unit is Unit.MONTH:
        return 12 // step.count if 12 % step.count == 0 else 1
    if step.unit is Unit.NUMBER:
        return 1
    if step.count >= DAY:
        return {DAY: 7, WEEK: 52}.get(step.count, 1)
    periods = [DAY, HOUR, MINUTE]
    fitting = [period // step.count for period in periods if period % step.count == 0]
    return next((season for season in fitting if season <= LONGEST_SEASON), 1)


def _weekdays(times: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weekdays since a Monday of 1969, the time of day, and the day of the week."""
    days, rest = np.divmod(times, DAY)
    weeks, weekday = np.divmod(days + MONDAY, 7)
    return weeks * 5 + np.minimum(weekday, 4), rest, weekday


def _months_after(start: int, months: np.ndarray) -> np.ndarray:
    first = to_months(np.array([start]))
    begin, end = from_months(np.array([first[0], first[0] + 1]))
    day, rest = divmod(start - int(begin), DAY)
    is_last = (day + 1) * DAY == end - begin
    begins, ends = from_months(first + months), from_months(first + months + 1)
    lengths = (ends - begins) // DAY
    return begins + (lengths - 1 if is_last else np.minimum(day, lengths - 1)) * DAY + rest


def _of_year(times: np.ndarray) -> np.ndarray:
    years = to_months(times) // 12 * 12
    begins, ends = from_months(years), from_months(years + 12)
    return (times - begins) / (ends - begins)


PARTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "hour": lambda times: times % DAY / DAY,
    "weekday": lambda times: (times + MONDAY * DAY) % WEEK / WEEK,
    "month": lambda times: to_months(times) % 12 / 12,
    "day of year": _of_year,
}
"""How far a time is through its day, week or year, `<int64>[n]` to `<float64>[n]` from 0 to 1."""
_SPANS = {"hour": DAY, "weekday": WEEK, "month": 365 * DAY, "day of year": 365 * DAY}


def useful_parts(step: Step, span: int) -> tuple[str, ...]:
    """The `PARTS` that a step passes through, and of which `span` microseconds show at least one round."""
    if step.unit is Unit.NUMBER:
        return ()
    if step.unit is Unit.MONTH:
        passed = ["month"] if step.count < 12 else []
    elif step.unit is Unit.WEEKDAY:
        passed = ["weekday", "day of year"]
    else:
        limits = {"hour": DAY // 2, "weekday": DAY, "day of year": 31 * DAY}
        passed = [part for part, limit in limits.items() if step.count <= limit]
    return tuple(part for part in passed if span >= _SPANS[part])


def part_names(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that `calendar_columns` gives."""
    return tuple(f"{part} ({wave})" for part in parts for wave in ("sine", "cosine"))


def calendar_columns(parts: tuple[str, ...], times: np.ndarray) -> np.ndarray:
    """Sine and cosine of each part, so that midnight is near to midnight.

    Args:
        parts: Of `PARTS`.
        times: `<int64>[n]`.

    Returns:
        `<float32>[n, 2 * parts]`.
    """
    waves = [wave(2 * np.pi * PARTS[part](times)) for part in parts for wave in (np.sin, np.cos)]
    return np.stack(waves, axis=1).astype(np.float32) if waves else np.zeros((len(times), 0), np.float32)
