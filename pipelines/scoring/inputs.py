"""What a model is asked about, out of files: pictures, texts, series, rows, or the past of series."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.tables.columns import is_string, to_texts
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.naming import column_named
from pipelines.datasets.tables.reading import read
from records.errors import ConfigError, DataError
from serving.bundle import ModelBundle

AT_ONCE = 2048
"""Rows that are Python objects at a time."""
SHOWN = 10
TEXT_NAMES = frozenset({"text", "texts"})


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What one file asks."""

    names: Sequence[str]
    """Of each input, for people."""
    batches: Callable[[], Iterator[Sequence[Any]]]
    """Raw inputs, some at a time."""
    table: pa.Table | None = None
    """The columns of the file, one row for each input; `None`: an input is no row."""
    notes: tuple[str, ...] = ()
    """Sentences: how the file was understood, and what was left out of it."""


def read_rows(bundle: ModelBundle, path: Path) -> Inputs:
    """The rows of a table's file, with the columns that the model knows.

    Raises:
        ConfigError: No such file, or none of the model's columns is in it.
        DataError: The file is no table.
    """
    frame = read(path)
    known = [str(column["name"]) for column in bundle.codec.describe()["columns"]]
    there = [name for name in known if name in frame.names]
    if not there:
        raise ConfigError(
            f"{path} has none of the columns that the model reads: {some(known)}. It has: {some(frame.names)}."
        )
    notes = list(told(frame))
    if absent := [name for name in known if name not in frame.names]:
        notes.append(f"{path.name} lacks columns that the model reads; they count as missing: {some(absent)}.")
    read_columns = plain(frame.table.select(there))
    return Inputs(
        names=_row_names(frame),
        batches=lambda: (part.to_pylist() for part in _parts(read_columns)),
        table=frame.table,
        notes=tuple(notes),
    )


def read_texts(bundle: ModelBundle, path: Path, column: str | None = None) -> Inputs:
    """Texts: a column of a table's file, or the lines of a .txt file.

    Args:
        bundle: The model.
        path: Of the file.
        column: That holds the texts; `None`: the one called text, or the only or longest column of strings.

    Raises:
        ConfigError: No such file or column.
        DataError: The file is no table, or holds no texts.
    """
    if path.suffix.lower() == ".txt":
        texts = _lines(path)
        names = [f"line {number + 1}" for number in range(len(texts))]
        return Inputs(
            names=names,
            batches=lambda: (texts[start : start + AT_ONCE] for start in range(0, len(texts), AT_ONCE)),
            table=pa.table({"text": pa.array(texts, pa.string())}),
        )
    frame = read(path)
    chosen, why = _text_column(frame, path, column, bundle.manifest.target)
    texts_column = pc.fill_null(to_texts(frame.column(chosen)), "")
    return Inputs(
        names=_row_names(frame),
        batches=lambda: (part.column(0).to_pylist() for part in _parts(pa.table({chosen: texts_column}))),
        table=frame.table,
        notes=(*told(frame), *why),
    )


def plain(table: pa.Table) -> pa.Table:
    """Cells as requests have them: strings, numbers and truth values; null is missing, times are ISO 8601."""
    columns = {}
    for name in table.column_names:
        column, kind = table.column(name), table.column(name).type
        if pa.types.is_floating(kind):
            column = pc.cast(column, pa.float64())
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
        elif not (pa.types.is_boolean(kind) or pa.types.is_integer(kind)):
            column = to_texts(column)
        columns[name] = column
    return pa.table(columns)


def _text_column(frame: Frame, path: Path, asked: str | None, target: str) -> tuple[str, tuple[str, ...]]:
    if asked is not None:
        return column_named(frame.names, asked, "text"), ()
    names = [name for name in frame.names if is_string(frame.column(name))]
    names = [name for name in names if name != target] or names
    if not names:
        raise DataError(f"{path} has no column of texts. It has: {some(frame.names)}. Name one with --text.")
    called = [name for name in names if name.lower() in TEXT_NAMES]
    if len(names) == 1 or len(called) == 1:
        return (called or names)[0], ()
    length = {name: pc.mean(pc.utf8_length(frame.column(name))).as_py() or 0.0 for name in names}
    chosen = max(names, key=lambda name: length[name])
    return chosen, (f"The texts are read from the column {chosen}; name another one with --text.",)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"There is no file {path}.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: byte {error.start} cannot be read. Save it as UTF-8.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    lines = [line.strip() for line in text.split("\n")]  # other signs that end a line can stand in a text
    if lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise DataError(f"{path} is empty. Expected a text in each line.")
    return lines


def _parts(table: pa.Table) -> Iterator[pa.Table]:
    return (table.slice(start, AT_ONCE) for start in range(0, table.num_rows, AT_ONCE))


def _row_names(frame: Frame) -> list[str]:
    return [f"row {line}" for line in np.asarray(frame.lines).tolist()]


def told(frame: Frame) -> tuple[str, ...]:
    understood = (one.what for one in frame.understood)
    return (*understood, *(f"{one.what} {one.done}" for one in frame.findings))


def some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
