"""One cell of a row, as a person, a csv file or a JSON body gives it: what it says as a number, a word or a time."""

from __future__ import annotations

import math
import re

from records.api import Cell
from records.errors import InputError
from serving.codecs.dates import parse_date
from serving.codecs.missing import is_missing

MAX_CHARACTERS = 100_000
"""Of one cell."""
SHOWN = 60
"""Characters of a wrong cell that a message repeats."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def number_of(name: str, cell: Cell) -> float:
    """The number that the cell of column `name` says; NaN where it is missing.

    >>> number_of("age", " 3e1 "), number_of("age", True), number_of("age", "n/a")
    (30.0, 1.0, nan)

    Raises:
        InputError: No number, or an infinite one.
    """
    if cell is None:
        return math.nan
    if isinstance(cell, str):
        text = cell.strip()
        if is_missing(text):
            return math.nan
        if _NUMBER.fullmatch(text) is None:
            raise InputError(f"{name} must be a number. Received: {shown(cell)}.")
        cell = float(text)
    if not isinstance(cell, int | float):
        raise InputError(f"{name} must be a number. Received: {shown(cell)}.")
    try:
        number = float(cell)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"{name} must be a finite number, or null where it is missing. Received: {shown(cell)}.")
    return number


def words_of(name: str, cell: Cell) -> tuple[str, ...]:
    """The ways to write the cell of column `name`, likely ones first; none where it is missing.

    A category that a file holds as text may come as a number or a truth value in JSON.

    >>> words_of("deck", " A "), words_of("floor", 3.0), words_of("alone", True), words_of("deck", "?")
    (('A',), ('3', '3.0'), ('true', 'True', 'TRUE', '1', '1.0'), ())

    Raises:
        InputError: Not a value of a table, or an infinite number.
    """
    if cell is None:
        return ()
    if isinstance(cell, str):
        text = cell.strip()
        return () if is_missing(text) else (text,)
    if isinstance(cell, bool):
        return ("true", "True", "TRUE", "1", "1.0") if cell else ("false", "False", "FALSE", "0", "0.0")
    if isinstance(cell, int):
        return str(cell), f"{cell}.0"
    if not isinstance(cell, float) or not math.isfinite(cell):
        raise InputError(f"{name} must be a text, a finite number or null. Received: {shown(cell)}.")
    return (str(int(cell)), str(cell)) if cell.is_integer() else (str(cell),)


def seconds_of(name: str, cell: Cell, day_first: bool) -> int | None:
    """The whole seconds since 1970 (UTC) that the cell of column `name` says; `None` where it is missing.

    Args:
        name: Of the column.
        cell: ISO 8601, or a date that ends with the year. A time without a zone is taken as UTC.
        day_first: Whether "1/7/2016" is in July.

    >>> seconds_of("day", "02.01.1970", True), seconds_of("day", "1970-01-01T01:00:00+01:00", True)
    (86400, 0)

    Raises:
        InputError: No date.
    """
    words = words_of(name, cell)
    if not words:
        return None
    try:
        return parse_date(words[0], day_first)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{name} must be a date, such as 2026-03-31 05:00. Received: {shown(cell)}.") from error


def check_length(name: str, cell: Cell) -> None:
    """Raises an `InputError` (status 413) where the cell's text is too long to be read."""
    if isinstance(cell, str) and len(cell) > MAX_CHARACTERS:
        raise InputError(
            f"{name} is too long. Expected at most {MAX_CHARACTERS} characters. Received: {len(cell)}.", 413
        )


def shown(cell: object) -> str:
    """A cell in a message: its beginning, quoted."""
    text = repr(cell)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
