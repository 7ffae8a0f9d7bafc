"""Writing scored tables: csv or json lines, the whole file or nothing of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.scoring.inputs import plain
from records.errors import ConfigError
from store.files import write_atomically

ENDINGS = (".csv", ".jsonl")
AT_ONCE = 10_000
"""Rows that are Python objects at a time."""


def check_output(out: Path, files: Sequence[Path]) -> None:
    """That a table can be written to `out`, before anything is computed for it.

    Raises:
        ConfigError: Another ending, no such folder, or one of the files that are read.
    """
    if out.suffix.lower() not in ENDINGS:
        raise ConfigError(f"`out` must end with {' or '.join(ENDINGS)}. Received: {out}.")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ConfigError(f"`out` must be a file in a folder that exists. Received: {out}.")
    if any(file.exists() and out.exists() and file.samefile(out) for file in files):
        raise ConfigError(f"`out` is one of the files that are read, {out}. Name another one.")


def write_table(table: pa.Table, out: Path) -> None:
    """Writes all rows; what stood in `out` is replaced when they are written.

    Raises:
        StoreError: The disk is full, or the folder cannot be written.
    """
    buffer = io.StringIO()
    is_csv = out.suffix.lower() == ".csv"
    if is_csv:
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(table.column_names)
    for start in range(0, table.num_rows, AT_ONCE):
        part = plain(table.slice(start, AT_ONCE))
        if is_csv:
            writer.writerows(zip(*map(_texts, part.columns), strict=True))
        else:
            buffer.writelines(orjson.dumps(row).decode() + "\n" for row in part.to_pylist())
    write_atomically(out, buffer.getvalue().encode("utf-8", "replace"))


def _texts(column: pa.ChunkedArray) -> list[Any]:
    """Cells as csv has them; true and false as other programs write them."""
    return (pc.cast(column, pa.string()) if pa.types.is_boolean(column.type) else column).to_pylist()


def joined(before: pa.Table, added: pa.Table) -> pa.Table:
    """The columns of both; one of `before` that has a name of `added` is called NAME_before."""
    taken = set(added.column_names) | set(before.column_names)
    columns = {}
    for name in before.column_names:
        new = name
        while new in added.column_names or (new != name and new in taken):
            new += "_before"
        columns[new] = before.column(name)
    return pa.table({**columns, **{name: added.column(name) for name in added.column_names}})
