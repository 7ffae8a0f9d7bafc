"""Columns as numbers, times and strings, a whole column at once."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.tables.times import EARLIEST, LATEST, find_day_first, parse_times

__all__ = [
    "NUMBER",
    "Column",
    "find_day_first",
    "is_string",
    "to_codes",
    "to_numbers",
    "to_strings",
    "to_texts",
    "to_times",
]

Column: TypeAlias = "pa.ChunkedArray | pa.Array"

NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
"""What counts as a number in a string: no blanks inside, no thousands, no percent, no infinity, no hexadecimal."""
FIRST_PIECE, PIECE = 1000, 1 << 16
"""Cells."""
LATEST_SECOND = 9.2e9
"""What 64 bits of nanoseconds reach."""


def is_string(column: Column) -> bool:
    """Whether the cells are strings."""
    kind = column.type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def to_numbers(column: Column) -> np.ndarray:
    """`<float64>[rows]`: NaN for what is missing, is no number (see `NUMBER`) or is not finite. Booleans, dates and
    times are no numbers."""
    kind = column.type
    if is_string(column):
        values = _parsed(column)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = _floats(pc.cast(column, pa.float64(), safe=False))
    else:
        return np.full(len(column), np.nan)
    values[~np.isfinite(values)] = np.nan
    return values


def _parsed(column: Column) -> np.ndarray:
    """Piece by piece: a failing cast goes on to the end and makes a message for each cell, which takes seconds."""
    plain, done, values = True, 0, np.empty(len(column))
    while done < len(column):
        piece = column.slice(done, PIECE if done else FIRST_PIECE)
        if plain:
            try:
                floats = pc.cast(piece, pa.float64())  # takes all of `NUMBER`, and also inf and nan
            except pa.ArrowInvalid:
                plain = False
        if not plain:
            fits = pc.match_substring_regex(piece, NUMBER)
            floats = pc.cast(pc.if_else(fits, piece, pa.scalar(None, piece.type)), pa.float64())
        values[done : done + len(piece)] = _floats(floats)
        done += len(piece)
    return values


def _floats(column: Column) -> np.ndarray:
    """A copy, null as NaN."""
    filled = pc.fill_null(column, np.nan)
    return np.array(filled.to_numpy(zero_copy_only=False) if isinstance(filled, pa.Array) else filled.to_numpy())


def to_texts(column: Column) -> Column:
    """The column as strings, missing cells null. Booleans are "true" and "false", whole numbers have no ".0", times
    are ISO 8601."""
    kind = column.type
    if is_string(column):
        return column
    if pa.types.is_dictionary(kind):
        return to_texts(pc.cast(column, kind.value_type))
    if pa.types.is_floating(kind):  # 3.0 of a column with missing cells is the 3 of one without
        wide = pc.cast(column, pa.float64())
        missing = pc.or_kleene(pc.is_null(wide, nan_is_null=True), False)
        column = pc.if_else(missing, pa.scalar(None, pa.float64()), wide)
    return pc.cast(column, pa.string())


def to_strings(column: Column) -> np.ndarray:
    """`<object>[rows]`: each cell as a `str`, or `None` where it is missing; see `to_texts`. Equal strings of a column
    with few distinct values are one object."""
    codes, values = to_codes(column)
    table = np.array([*values, None], dtype=object)
    return table[codes]


def to_codes(column: Column) -> tuple[np.ndarray, list[str]]:
    """`<int64>[rows]` positions in the distinct strings, -1 where missing, and these strings in order of appearance."""
    texts = to_texts(column)
    encoded = pc.dictionary_encode(texts)
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks() if encoded.num_chunks != 1 else encoded.chunk(0)
    codes = np.asarray(pc.fill_null(encoded.indices, -1)).astype(np.int64)
    return codes, encoded.dictionary.to_pylist()


def to_times(column: Column, day_first: bool | None = None, unix: bool = False) -> np.ndarray:
    """`<datetime64[ns]>[rows]`, UTC: NaT for what is missing or is no time; see `times` for the spellings.

    Args:
        column: Strings, dates or timestamps, or numbers where `unix` is true.
        day_first: Of strings: whether "1/7/2016" is in July; `None`: decided over the whole column.
        unix: Numbers (strings of numbers too) are seconds since 1970.
    """
    kind = column.type
    if unix and not pa.types.is_temporal(kind):
        seconds = to_numbers(column)
        known = np.abs(seconds) < LATEST_SECOND
        times = (np.where(known, seconds, 0) * 1e9).astype(np.int64).astype("datetime64[ns]")
        times[~known] = np.datetime64("NaT", "ns")
        return times
    if is_string(column):
        return parse_times(column, day_first)
    if pa.types.is_dictionary(kind):
        return to_times(to_texts(column), day_first)
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        return np.full(len(column), np.datetime64("NaT", "ns"))
    plain = pc.cast(column, pa.timestamp("us"), safe=False)  # a zone is taken off: what is stored is UTC
    micros = np.asarray(plain.to_numpy(zero_copy_only=False) if isinstance(plain, pa.Array) else plain.to_numpy())
    years = micros.astype("datetime64[Y]").astype(np.int64) + 1970
    far = (years < EARLIEST) | (years > LATEST)
    return np.where(far, np.datetime64("NaT", "us"), micros).astype("datetime64[ns]")
