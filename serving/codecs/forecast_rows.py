"""Reads the rows of a history and of a future: cells to numbers, times to places on the grid. Every way in which they
can be wrong has its sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from records.errors import InputError
from serving.codecs.calendar import Step, Unit
from serving.codecs.cells import number_of
from serving.codecs.times import parse_time
from serving.codecs.windows import LARGEST

Row = Mapping[str, Any]
EXPECTED = 'Expected {"history": [rows, oldest first], "future": [rows] or null}, each row a mapping by column'


def split_raw(raw: Any, max_rows: int) -> tuple[Sequence[Row], Sequence[Row] | None]:
    """History and future of a raw input; an empty future is none.

    Raises:
        InputError: It is not made of rows (422), or of too many (413).
    """
    if not isinstance(raw, Mapping):
        raise InputError(f"Not the past of a series. {EXPECTED}. Received: {type(raw).__name__}.")
    foreign = [str(key) for key in raw if key not in ("history", "future")]
    if foreign or "history" not in raw:
        raise InputError(f"Not the past of a series. {EXPECTED}. Received: {', '.join(map(str, raw)) or 'nothing'}.")
    history, future = raw["history"], raw.get("future") or None
    for name, rows in (("history", history), ("future", future or [])):
        if not isinstance(rows, list | tuple):
            raise InputError(f"The {name} is not a list of rows. {EXPECTED}. Received: {type(rows).__name__}.")
        if len(rows) > max_rows:
            raise InputError(f"The {name} is too long. Expected at most {max_rows} rows. Received: {len(rows)}.", 413)
        for number, row in enumerate(rows, 1):
            if not isinstance(row, Mapping):
                raise InputError(
                    f"Row {number} of the {name} is no mapping by column. {EXPECTED}. Received: {type(row).__name__}."
                )
    return history, future


def check_columns(rows: Sequence[Row], known: frozenset[str], name: str) -> None:
    """Refuses columns that training has never seen: a misspelt one would otherwise count as missing.

    Raises:
        InputError: With the names.
    """
    foreign = sorted({str(column) for row in rows for column in row.keys() - known})
    if foreign:
        raise InputError(
            f"The {name} has columns that the model does not know: {', '.join(foreign[:5])}. "
            f"Expected only: {', '.join(sorted(known))}."
        )


def read_column(rows: Sequence[Row], column: str, name: str, first: int = 1) -> np.ndarray:
    """A column of numbers.

    Args:
        rows: What is read.
        column: Left out of a row, null, empty or a word for missing: missing.
        name: Of the rows, for a message.
        first: Number of the first row, for a message.

    Returns:
        `<float64>[rows]`, NaN where it is missing.

    Raises:
        InputError: A cell is no finite number.
    """
    values = np.empty(len(rows))
    for i, row in enumerate(rows):
        cell = row.get(column)
        try:
            values[i] = number_of(column, cell)
        except InputError as error:
            raise InputError(f"Row {first + i} of the {name}: {error}", error.status) from error
    large = np.abs(values) > LARGEST
    if large.any():
        worst = int(np.argmax(large))
        raise InputError(
            f"Row {first + worst} of the {name}: {column} is too large. Expected at most {LARGEST:g}. "
            f"Received: {values[worst]:g}."
        )
    return values


def read_times(
    rows: Sequence[Row], column: str, form: str, step: Step, name: str, first: int = 1
) -> tuple[np.ndarray, int | None]:
    """A column of times, or of whole numbers where the step is counted in numbers.

    Returns:
        `<int64>[rows]`, and the last row's distance from UTC in seconds, where it names one.

    Raises:
        InputError: A time is missing or cannot be read.
    """
    times = np.empty(len(rows), np.int64)
    offset: int | None = None
    for i, row in enumerate(rows):
        cell = row.get(column)
        try:
            times[i], offset = (_whole(cell), None) if step.unit is Unit.NUMBER else parse_time(_text(cell), form)
        except (TypeError, ValueError, OverflowError, InputError) as error:
            wanted = "a whole number" if step.unit is Unit.NUMBER else _example(form)
            raise InputError(
                f"Row {first + i} of the {name}: {column} must be {wanted}. Received: {str(cell)[:40]!r}."
            ) from error
    return times, offset


def _text(cell: Any) -> str:
    if isinstance(cell, int) and not isinstance(cell, bool):  # a year
        return str(cell)
    if not isinstance(cell, str):
        raise TypeError
    return cell


def _example(form: str) -> str:
    return f"a time as in training ({form})" if form else "a time in ISO 8601, 2024-03-01 or 2024-03-01T05:00:00"


def _whole(cell: Any) -> int:
    value = number_of("", cell)
    if value != int(value) or abs(value) > 2**53:  # int() of NaN raises
        raise ValueError
    return int(value)


def check_grid(times: np.ndarray, step: Step, name: str, first: int = 1) -> np.ndarray:
    """Where the rows lie on the grid that begins at the oldest; rows may be absent.

    Returns:
        `<int64>[rows]`, rising.

    Raises:
        InputError: Times are out of order, doubled or off the grid.
    """
    places, on_grid = step.places(times)
    if not on_grid.all():
        row = int(np.argmin(on_grid))
        raise InputError(
            f"Row {first + row} of the {name} does not lie on the grid of the series. "
            f"Expected steps of {step.words} from row {first} on."
        )
    wrong = np.flatnonzero(np.diff(places) <= 0)
    if len(wrong):
        row = int(wrong[0]) + 1
        if places[row] == places[row - 1]:
            raise InputError(
                f"Rows {first + row - 1} and {first + row} of the {name} have the same time. Expected one row for each "
                f"step of {step.words}; where clocks are put back, give times with their distance from UTC."
            )
        raise InputError(
            f"The {name} is out of order: row {first + row} is earlier than the row before it. "
            "Expected the oldest row first."
        )
    return places
