"""Many rows at once, column by column: what `TableCodec.encode` gives for each, five times as fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from records.api import Cell
from records.errors import InputError
from serving.codecs.cells import check_length, number_of, seconds_of
from serving.codecs.table import Column, TableCodec
from serving.codecs.table_columns import NumberColumn
from serving.codecs.table_dates import DateColumn

NUMBERS = frozenset({float, int, type(None)})


def encode_rows(codec: TableCodec, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """`<float32>[rows, width]`.

    Raises:
        InputError: Something is wrong with one of the rows; `codec.encode` of each says which one.
    """
    known = frozenset(column.name for column in codec.columns) | frozenset(codec.ignored)
    if not all(isinstance(row, Mapping) and row and row.keys() <= known for row in rows):
        raise InputError("A row is not one of this model's.")
    columns = {column.name: _cells(column, [row.get(column.name) for row in rows]) for column in codec.columns}
    return codec.encode_columns(columns, len(rows))


def _cells(column: Column, cells: list[Cell]) -> np.ndarray:
    """As `TableCodec.encode_columns` takes them."""
    types = set(map(type, cells))
    if isinstance(column, NumberColumn) and types <= NUMBERS:
        return _numbers(column.name, cells)
    if str in types:
        for cell in cells:
            check_length(column.name, cell)
    if isinstance(column, NumberColumn):
        return np.array([number_of(column.name, cell) for cell in cells], np.float64)
    if isinstance(column, DateColumn):
        seconds = [seconds_of(column.name, cell, column.day_first) for cell in cells]
        return np.array([np.datetime64("NaT", "s") if one is None else np.datetime64(one, "s") for one in seconds])
    made = np.empty(len(cells), object)
    made[:] = cells
    return made


def _numbers(name: str, cells: list[Cell]) -> np.ndarray:
    try:
        numbers = np.array(cells, np.float64)
    except OverflowError:
        numbers = np.full(len(cells), np.inf)
    if np.isfinite(numbers).sum() == len(cells) - cells.count(None):
        return numbers
    return np.array([number_of(name, cell) for cell in cells], np.float64)  # says what is wrong
