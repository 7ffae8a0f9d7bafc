"""Json lines as columns: an object on each line, or one array of objects."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.tables.columns import to_texts
from pipelines.datasets.tables.opening import as_utf8, find_encoding
from pipelines.datasets.tables.raw import MOST_COLUMNS, Raw
from records.data import Finding, Severity
from records.errors import DataError

SAMPLE = 1 << 20
"""Bytes that tell the encoding where only some rows are read."""
ROWS = 20_000
"""Rows that are Python objects at a time."""
SHOWN = 10
EXPECTED = 'Expected an object on each line, such as {"age": 31, "label": "yes"}'


def read_json(path: Path, most_rows: int | None = None) -> Raw:
    """The objects of the file as columns, in the order in which their names appear.

    A column whose values are of several kinds becomes one of strings. What is no object is left out, and told.

    Args:
        path: Json lines, or one array of objects; packed with gzip or not.
        most_rows: Stop after so many; `None`: all.

    Raises:
        DataError: It holds no object, or too many names.
    """
    pieces: dict[str, list[pa.Array]] = {}
    lines: list[np.ndarray] = []
    bad: list[int] = []
    done = 0
    for rows, numbers in _chunks(path, bad, most_rows):
        for name in dict.fromkeys(name for row in rows for name in row):
            before = pieces.setdefault(name, [pa.nulls(done)] if done else [])
            before.append(_array([row.get(name) for row in rows]))
        if len(pieces) > MOST_COLUMNS:
            raise DataError(f"{path} has more than {MOST_COLUMNS:,} columns. Expected fewer; leave some out.")
        done += len(rows)
        for arrays in pieces.values():
            if (short := done - sum(map(len, arrays))) > 0:
                arrays.append(pa.nulls(short))
        lines.append(np.array(numbers, dtype=np.int64))
    if not done or not pieces:
        raise DataError(f"{path} holds no row of a table. {EXPECTED}.")
    return Raw(
        names=list(pieces),
        columns=[_joined(arrays) for arrays in pieces.values()],
        lines=np.concatenate(lines),
        findings=tuple(_not_read(bad, done)),
    )


def _chunks(path: Path, bad: list[int], most: int | None) -> Iterator[tuple[list[dict[str, Any]], list[int]]]:
    size = ROWS if most is None else min(ROWS, most)
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    done = 0
    for number, row in _objects(path, most):
        if not isinstance(row, dict):
            bad.append(number)
            continue
        rows.append(row)
        numbers.append(number)
        if len(rows) == size:
            yield rows, numbers
            done += len(rows)
            rows, numbers = [], []
            if most is not None and done >= most:
                return
    if rows:
        yield rows, numbers


def _objects(path: Path, most: int | None) -> Iterator[tuple[int, Any]]:
    """(number of the line or the element, what stands there); `None` for what is no json."""
    with as_utf8(path, find_encoding(path, None if most is None else SAMPLE)) as opened:
        file = io.BufferedReader(cast(io.RawIOBase, opened))
        if file.peek(1)[:1] == b"[":
            try:
                yield from enumerate(orjson.loads(file.read()), start=1)
            except orjson.JSONDecodeError as error:
                raise DataError(f"{path} is no json: {error}. {EXPECTED}, or an array of such objects.") from error
            return
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield number, orjson.loads(line)
                except orjson.JSONDecodeError:
                    yield number, None


def _array(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # of several kinds, or beyond 64 bits
        texts = [value if value is None or isinstance(value, str) else orjson.dumps(value).decode() for value in values]
        return pa.array(texts, pa.string())


def _joined(arrays: list[pa.Array]) -> pa.ChunkedArray:
    """The pieces as one column, of strings where they are of several kinds."""
    kinds = {array.type for array in arrays if not pa.types.is_null(array.type)}
    if not kinds:
        return pa.chunked_array([pc.cast(array, pa.string()) for array in arrays], pa.string())
    if len(kinds) == 1:
        (kind,) = kinds
    elif all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds):
        kind = pa.float64()
    elif any(pa.types.is_nested(kind) for kind in kinds):
        kind = next(kind for kind in kinds if pa.types.is_nested(kind))  # left out as a whole
        return pa.chunked_array([pa.nulls(len(array), kind) for array in arrays], kind)
    else:
        arrays, kind = [to_texts(array) for array in arrays], pa.string()
    return pa.chunked_array([pc.cast(array, kind) for array in arrays], kind)


def _not_read(bad: list[int], good: int) -> list[Finding]:
    if not bad:
        return []
    shown = tuple(f"row {number}" for number in bad[:SHOWN])
    what = f"{len(bad):,} of {len(bad) + good:,} lines {'is' if len(bad) == 1 else 'are'} no json object."
    done = f"Left out; the first {'is' if len(bad) == 1 else 'are'} {', '.join(shown)}."
    return [
        Finding(code="unreadable_rows", severity=Severity.WARNING, what=what, done=done, examples=shown, count=len(bad))
    ]
