"""Where rows lie on the grid of their series, and what keeps them from lying there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from records.errors import DataError
from serving.codecs.calendar import Step
from serving.codecs.times import format_time


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of all series, one series after the other, each oldest first."""

    codes: np.ndarray
    """`<int64>[rows]`: the series of each, from 0."""
    times: np.ndarray
    """`<int64>[rows]`."""
    values: np.ndarray
    """`<float64>[rows, 1 + covariates]`."""
    step: Step
    names: list[str]
    """Of the series; empty where there is one without a name."""
    dates: bool
    """False: times are plain numbers."""
    column: str
    """That says when; empty where rows are consecutive."""


def place(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Steps since the first row of the same series `<int64>[rows]`, and each series' length in steps `<int64>[series]`.

    Raises:
        DataError: A row lies beside the grid, or two at one place.
    """
    bounds = np.r_[np.flatnonzero(np.r_[True, np.diff(rows.codes) > 0]), len(rows.codes)]
    places = np.empty(len(rows.times), np.int64)
    for low, high in zip(bounds[:-1], bounds[1:], strict=True):
        places[low:high], on_grid = rows.step.places(rows.times[low:high])
        if not on_grid.all():
            _refuse_uneven(rows, low + np.flatnonzero(~on_grid), high - low)
        doubled = np.flatnonzero(np.diff(places[low:high]) == 0)
        if len(doubled):
            _refuse_doubled(rows, low + doubled)
    return places, places[bounds[1:] - 1] + 1


def _refuse_uneven(rows: Rows, uneven: np.ndarray, count: int) -> None:
    raise DataError(
        f"The times{_where(rows, uneven)} are not regular: the most frequent distance is {rows.step.words}, but "
        f"{len(uneven)} of {count} rows lie between such steps, the first at {_tell(rows, uneven)}. Expected one row "
        f"for each step. Round the times in the column {rows.column}, or sum the rows up over longer steps."
    )


def _refuse_doubled(rows: Rows, doubled: np.ndarray) -> None:
    raise DataError(
        f"{len(doubled)} steps{_where(rows, doubled)} have more than one row, the first at {_tell(rows, doubled)}. "
        f"Expected one row for each step of {rows.step.words}. If the table holds several series, name the column that "
        f"tells them apart with --id; if clocks were put back, write the distance from UTC into the column "
        f"{rows.column}; else sum the rows up."
    )


def _where(rows: Rows, found: np.ndarray) -> str:
    return f" of the series {rows.names[int(rows.codes[found[0]])]}" if rows.names else ""


def _tell(rows: Rows, found: np.ndarray) -> str:
    time = int(rows.times[found[0]])
    return format_time(time).replace("T", " ") if rows.dates else str(time)
