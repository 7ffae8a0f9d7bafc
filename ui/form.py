"""A row of a table as a form: one field for each column."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime

import streamlit as st

from records.api import Cell, ColumnDescription, Description
from ui.served import sample
from ui.words import number, plain, plural

MOST_SHOWN = 24
"""Fields before the others are folded away."""
PER_LINE = 3
FIRST_DAY, LAST_DAY = date(1700, 1, 1), date(2299, 12, 31)

Field = Callable[[ColumnDescription, Cell, str], Cell]
"""From a column, its first value and a key to the value that was filled in."""


def row_form(description: Description, key: str) -> dict[str, Cell]:
    """The row; a field that is left empty is a missing value."""
    given = sample(description) or {}
    st.caption(
        f"{plural(len(description.columns), 'column')}, filled with usual values. An empty field is a missing value."
    )
    first, others = description.columns[:MOST_SHOWN], description.columns[MOST_SHOWN:]
    row = _fields(first, given, key)
    if others:
        with st.expander(f"{plural(len(others), 'column')} more"):
            row |= _fields(others, given, key)
    return row


def _fields(columns: list[ColumnDescription], given: dict[str, Cell], key: str) -> dict[str, Cell]:
    row: dict[str, Cell] = {}
    for start in range(0, len(columns), PER_LINE):
        line = columns[start : start + PER_LINE]
        for place, column in zip(st.columns(PER_LINE, vertical_alignment="bottom"), line, strict=False):
            with place:
                field = FIELDS.get(column.kind, _text)
                row[column.name] = field(column, given.get(column.name, column.typical), f"{key} {column.name}")
    return row


def _label(column: ColumnDescription) -> str:
    return plain(column.name.replace("_", " ")) or "(without a name)"


def _number(column: ColumnDescription, value: Cell, key: str) -> Cell:
    start = _as_number(value)
    seen = [v for v in (column.low, column.high) if v is not None]
    whole = all(float(v).is_integer() and abs(v) < 1e15 for v in [*seen, *([] if start is None else [start])])
    told = f"Training saw {number(seen[0])} to {number(seen[1])}." if len(seen) == 2 else None
    value = st.number_input(
        _label(column),
        value=start,
        step=1.0 if whole else _step(seen),
        format="%.10g",
        key=key,
        help=told,
        placeholder="missing",
    )
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _as_number(value: Cell) -> float | None:
    try:
        read = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return read if math.isfinite(read) else None


def _step(seen: list[float]) -> float:
    """A power of ten near a hundredth of what was seen."""
    width = max(seen) - min(seen) if len(seen) == 2 else 0.0
    return 10.0 ** math.floor(math.log10(width / 50)) if width > 0 else 0.01


def _category(column: ColumnDescription, value: Cell, key: str) -> Cell:
    options = list(column.values)
    start = None if value is None else str(value)
    if start is not None and start not in options:
        options.insert(0, start)
    return st.selectbox(
        _label(column),
        options,
        index=None if start is None else options.index(start),
        accept_new_options=True,
        placeholder="missing",
        key=key,
        help=f"{plural(len(column.values), 'known value')}; another one is taken as unknown.",
    )


def _date(column: ColumnDescription, value: Cell, key: str) -> Cell:
    """A calendar for days; text where a time of day belongs to it."""
    start = _as_day(value)
    if start is None and value not in (None, ""):
        return _text(column, value, key)
    chosen = st.date_input(
        _label(column), value=start, min_value=FIRST_DAY, max_value=LAST_DAY, format="YYYY-MM-DD", key=key
    )
    return chosen.isoformat() if isinstance(chosen, date) else None


def _as_day(value: Cell) -> date | None:
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    is_day = read.time() == datetime.min.time() and read.tzinfo is None
    return read.date() if is_day and FIRST_DAY <= read.date() <= LAST_DAY else None


def _text(column: ColumnDescription, value: Cell, key: str) -> Cell:
    return st.text_input(_label(column), value="" if value is None else str(value), key=key) or None


FIELDS: dict[str, Field] = {"number": _number, "target": _number, "category": _category, "date": _date, "text": _text}
"""By kind of column."""
