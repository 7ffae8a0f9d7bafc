"""Forecasting: from the past of a series, and what is known of its future, to the one array that a network takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from records.errors import BundleError, InputError
from serving.codecs.calendar import PARTS, Step, Unit, calendar_columns, part_names
from serving.codecs.fields import values_of
from serving.codecs.forecast_rows import Row, check_columns, check_grid, read_column, read_times, split_raw
from serving.codecs.stack import stack
from serving.codecs.times import FORMS, format_time
from serving.codecs.windows import Covariate, Windows, encode_windows

MAX_ROWS = 100_000


@dataclass(frozen=True, kw_only=True)
class ForecastCodec:
    """Turns the past of one series into `<float32>[history + horizon, features]`: see `records.spec.ForecastLayout`.

    A raw input is `{"history": [rows, oldest first], "future": [rows] or None}`. Rows are mappings by column, with
    numbers as numbers or as strings; `None`, "" and words such as "NA" are missing, and steps may be absent. Of the
    history the newest `history` steps are used. The future has `horizon` rows with the known columns, and is needed
    only where there are any.
    """

    target: str
    time: str | None
    """The column that says when; `None`: rows are consecutive steps."""
    form: str
    """How times are written, one of `serving.codecs.times.FORMS`."""
    step: Step
    history: int
    horizon: int
    season: int
    quantiles: tuple[float, ...]
    typical: float
    """The spread that training windows usually have."""
    past: tuple[Covariate, ...]
    """Known of the past only."""
    known: tuple[Covariate, ...]
    """Known of the future too."""
    calendar: tuple[str, ...]
    """Of `serving.codecs.calendar.PARTS`."""
    extra: tuple[str, ...] = ()
    """Columns that rows may have and that are not read: the series' name, what is no number."""
    low: float = 0.0
    """Of the target in training."""
    high: float = 0.0
    max_rows: int = MAX_ROWS

    kind = "forecast"
    dtype = "float32"

    def __post_init__(self) -> None:
        ranges = (("history", 1), ("horizon", 1), ("season", 1), ("max_rows", 1))
        wrong = [name for name, low in ranges if type(getattr(self, name)) is not int or getattr(self, name) < low]
        wrong += ["step"] if type(self.step.count) is not int or self.step.count < 1 else []
        wrong += ["form"] if self.form not in FORMS else []
        wrong += ["calendar"] if not set(self.calendar) <= PARTS.keys() else []
        wrong += ["quantiles"] if 0.5 not in self.quantiles or list(self.quantiles) != sorted(self.quantiles) else []
        wrong += ["typical"] if not 0 < self.typical < float("inf") else []
        wrong += ["target"] if not self.target else []
        if wrong:
            raise BundleError(f"The forecast codec's {wrong[0]} is wrong. Received: {getattr(self, wrong[0])!r}.")

    @property
    def input_shape(self) -> tuple[int, int]:
        """(history + horizon, features)."""
        return self.history + self.horizon, 4 + len(self.past_names) + len(self.known_names)

    @property
    def past_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.past)

    @property
    def known_names(self) -> tuple[str, ...]:
        """The given ones, and the parts of the calendar."""
        return tuple(column.name for column in self.known) + part_names(self.calendar)

    @property
    def min_rows(self) -> int:
        """Rows that a history has at least: one season, where windows hold one."""
        return max(2, min(self.history, self.season))

    @property
    def columns(self) -> frozenset[str]:
        """Every column that a row may have."""
        given = {column.name for column in self.past + self.known}
        return frozenset({self.target, *self.extra, *given, *([self.time] if self.time else [])})

    def to_json(self) -> dict[str, Any]:
        """What `codec.json` holds."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> ForecastCodec:
        """The codec that `to_json` described.

        Raises:
            BundleError: A field is missing, unknown or out of range.
        """
        values = values_of(cls, saved)
        try:
            values["step"] = Step(Unit(values["step"]["unit"]), values["step"]["count"])
            for name in ("past", "known"):
                values[name] = tuple(Covariate(**column) for column in values[name])
            for name in ("quantiles", "calendar", "extra"):
                values[name] = tuple(values[name])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"codec.json does not describe a forecast codec: {error}.") from error

    def encode(self, raw: Any) -> np.ndarray:
        """One window, ending with the history's last row.

        Args:
            raw: See the class.

        Returns:
            `<float32>[history + horizon, features]`.

        Raises:
            InputError: Too few or too many rows, an unknown column, text for a number, a time that is out of order,
                doubled or off the grid, nothing observed, or a future that is missing or of the wrong length.
        """
        history, future = split_raw(raw, self.max_rows)
        if len(history) < self.min_rows:
            raise InputError(
                f"The history is too short. Expected at least {self.min_rows} rows, oldest first, better "
                f"{self.history}. Received: {len(history)}."
            )
        first = max(0, len(history) - self.history)
        rows = history[first:]
        check_columns(rows, self.columns, "history")
        times, places = self._times(rows, first + 1)
        future = self._check_future(future, times)
        encoded = self.encode_windows(self._window(rows, future, times, places, first + 1))
        return encoded[0]

    def encode_windows(self, windows: Windows) -> np.ndarray:
        """Many windows at once, each as `encode` gives it: `<float32>[n, history + horizon, features]`."""
        return encode_windows(windows, self.typical, self.past, self.known)

    def collate(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Encoded windows as one batch."""
        return stack(arrays)

    def future_times(self, raw: Any) -> list[str]:
        """The times that a forecast is for, `horizon` of them: ISO 8601, at the last row's distance from UTC.

        Where rows have no time: 1 for the step after the history, and so on.

        Raises:
            InputError: The last row's time cannot be read.
        """
        history, _ = split_raw(raw, self.max_rows)
        steps = np.arange(1, self.horizon + 1)
        if self.time is None:
            return [str(step) for step in steps]
        if not history:
            raise InputError(f"The history is empty. Expected at least {self.min_rows} rows, oldest first.")
        times, offset = read_times(history[-1:], self.time, self.form, self.step, "history", len(history))
        later = self.step.after(int(times[0]), steps)
        if self.step.unit is Unit.NUMBER:
            return [str(time) for time in later]
        return [format_time(int(time), str(history[-1][self.time]), offset) for time in later]

    def describe(self) -> dict[str, Any]:
        """Its part of `records.api.Description`."""
        unseen = {"typical": None, "low": None, "high": None}
        columns: list[dict[str, Any]] = [{"name": self.time, "kind": "time", **unseen}] if self.time else []
        columns.append({"name": self.target, "kind": "target", "typical": None, "low": self.low, "high": self.high})
        for column in self.past + self.known:
            figures = {"typical": column.mean, "low": column.low, "high": column.high}
            columns.append({"name": column.name, "kind": "number", **figures})
        limits = {"min_rows": self.min_rows, "history": self.history, "max_rows": self.max_rows}
        return {"columns": columns, "horizon": self.horizon, "limits": limits}

    def _times(self, rows: Sequence[Row], first: int) -> tuple[np.ndarray, np.ndarray]:
        """Times and places of the rows; without a column of times they are numbered from 0."""
        if self.time is None:
            return np.arange(len(rows)), np.arange(len(rows))
        times, _ = read_times(rows, self.time, self.form, self.step, "history", first)
        return times, check_grid(times, self.step, "history", first)

    def _check_future(self, future: Sequence[Row] | None, times: np.ndarray) -> Sequence[Row]:
        names = [column.name for column in self.known]
        if future is None:
            if names:
                raise InputError(
                    f"The future is missing. Expected {self.horizon} rows with {', '.join(names)}. Received: none."
                )
            return []
        check_columns(future, self.columns, "future")
        if len(future) != self.horizon:
            raise InputError(f"The future must have {self.horizon} rows, one for each step. Received: {len(future)}.")
        absent = [name for name in names if all(row.get(name) is None for row in future)]
        if absent:
            raise InputError(f"The future has no values of {', '.join(absent)}. Expected one in each row.")
        if self.time is not None and all(self.time in row for row in future):
            told, _ = read_times(future, self.time, self.form, self.step, "future")
            places, on_grid = self.step.places(np.concatenate([times[-1:], told]))
            if not on_grid.all() or not np.array_equal(places, np.arange(self.horizon + 1)):
                raise InputError(
                    f"The future's times do not follow the history. Expected {self.horizon} steps of {self.step.words} "
                    "after its last row."
                )
        return future

    def _window(
        self, rows: Sequence[Row], future: Sequence[Row], times: np.ndarray, places: np.ndarray, first: int
    ) -> Windows:
        """The newest `history` steps as values, absent rows as missing ones."""
        where = places - places[-1] + self.history - 1
        used = where >= 0
        target = np.full((1, self.history), np.nan)
        target[0, where[used]] = read_column(rows, self.target, "history", first)[used]
        if np.isnan(target).all():
            raise InputError(f"The history has no value of {self.target}. Expected one in each row.")
        past = np.full((1, self.history, len(self.past)), np.nan)
        known = np.full((1, self.history + self.horizon, len(self.known)), np.nan)
        for i, column in enumerate(self.past):
            past[0, where[used], i] = read_column(rows, column.name, "history", first)[used]
        for i, column in enumerate(self.known):
            known[0, where[used], i] = read_column(rows, column.name, "history", first)[used]
            known[0, self.history :, i] = read_column(future, column.name, "future")
        steps = np.arange(1 - self.history, self.horizon + 1)
        calendar = calendar_columns(self.calendar, self.step.after(int(times[-1]), steps))
        present = np.arange(self.history) >= where[used][0]
        return Windows(target=target, past=past, known=known, calendar=calendar[None], present=present[None])
