"""Delimited text (csv and its kin) as a table of strings."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from pipelines.datasets.tables.opening import Encoding, as_utf8, find_encoding
from pipelines.datasets.tables.quotes import enclose_cells
from pipelines.datasets.tables.raw import MOST_COLUMNS, Raw
from pipelines.datasets.tables.sniff import DELIMITERS, NOWHERE, SAMPLE, Dialect, sniff
from records.data import Finding, Severity, Understood
from records.errors import DataError

BLOCK, LARGEST_BLOCK = 1 << 20, 1 << 30
"""Bytes that are parsed at a time. A row must fit into a block: where one does not, the block grows."""
ROWS_IN_A_BLOCK = 256
SHOWN = 10
LABELLED = r"(?s)^\s*(?P<label>\S+)\s*(?P<text>.*)$"


class _RowTooLong(Exception):
    """A row does not fit into a block."""


def read_delimited(path: Path, most_rows: int | None = None) -> Raw:
    """The rows of the file, every column as strings.

    Rows whose number of cells is not that of most rows are left out, and told.

    Args:
        path: Text, packed with gzip or not.
        most_rows: Stop after so many, and look at no more of the file than they take; `None`: all.

    Raises:
        DataError: It holds no row below the names, is no text, or has too many columns.
    """
    encoding = find_encoding(path, None if most_rows is None else 2 * SAMPLE)
    with as_utf8(path, encoding) as file:
        dialect = sniff(file)
    if dialect.width > MOST_COLUMNS:
        raise DataError(f"{path} has {dialect.width:,} columns. Expected at most {MOST_COLUMNS:,}; leave some out.")
    if most_rows is None and dialect.quoted:
        with as_utf8(path, encoding) as file:
            dialect = replace(dialect, quoted=enclose_cells(file, dialect.delimiter))
    table, ragged, total = _read(path, encoding, dialect, most_rows)
    lines = np.delete(np.arange(1, total + 1), np.frombuffer(ragged, np.int64) - 1)
    if dialect.header is not None and not dialect.padded:
        below = _first_row(table) + 1
        table, lines = table.slice(below), lines[below:]
    elif dialect.padded and len(ragged) and ragged[0] == 1:
        ragged = ragged[1:]
    if not table.num_rows:
        raise DataError(_no_rows(path, dialect, len(ragged)))
    return Raw(
        names=dialect.header,
        columns=_cut(table.column(0)) if dialect.labelled else table.columns,
        lines=lines,
        findings=(*_ragged(ragged, dialect.width, total), *_replaced(encoding)),
        understood=(_told(encoding, dialect),),
        decimal_comma=dialect.delimiter != ",",
    )


def _read(path: Path, encoding: Encoding, dialect: Dialect, most: int | None) -> tuple[pa.Table, array[int], int]:
    """The table, a row for the header included; the numbers of the rows that do not fit; how many there are in all."""
    block = min(max(BLOCK, ROWS_IN_A_BLOCK * dialect.width * 8), LARGEST_BLOCK)
    while True:
        ragged = array("q")
        try:
            with as_utf8(path, encoding) as file:
                batches = list(_batches(file, dialect, ragged, block, most))
        except _RowTooLong:
            if block >= LARGEST_BLOCK:
                raise DataError(f"{path} has a row of more than {LARGEST_BLOCK:,} bytes. Expected a table.") from None
            block *= 8
            continue
        except pa.ArrowInvalid as error:
            if not dialect.quoted:
                raise DataError(f"{path} cannot be read as a table: {error}.") from error
            dialect = replace(dialect, quoted=False)
            continue
        schema = pa.schema([(str(place), pa.string()) for place in range(dialect.width)])
        table = pa.Table.from_batches(batches, schema)
        return table, ragged, table.num_rows + len(ragged)


def _batches(
    file: BinaryIO, dialect: Dialect, ragged: array[int], block: int, most: int | None
) -> Iterator[pa.RecordBatch]:
    def ragged_row(row: pa_csv.InvalidRow) -> str:
        ragged.append(row.number)
        return "skip"

    names = [str(place) for place in range(dialect.width)]
    parsing = pa_csv.ParseOptions(
        delimiter=dialect.delimiter,
        quote_char='"' if dialect.quoted else False,
        newlines_in_values=dialect.quoted,
        ignore_empty_lines=False,  # so that rows are numbered as in the file
        invalid_row_handler=ragged_row,
    )
    converting = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    reading = pa_csv.ReadOptions(use_threads=False, block_size=block, column_names=names)  # threads lose row numbers
    with _growing():
        source = pa.PythonFile(file, mode="r")
        rows = 0
        for batch in pa_csv.open_csv(source, reading, parsing, converting):
            yield batch
            rows += batch.num_rows
            if most is not None and rows > most:
                return


@contextmanager
def _growing() -> Iterator[None]:
    try:
        yield
    except pa.ArrowInvalid as error:
        if "straddl" in str(error) or "out of sync" in str(error):
            raise _RowTooLong from error
        raise


def _first_row(table: pa.Table) -> int:
    """The first row that is not an empty line."""
    row = 0
    while row < table.num_rows - 1 and not any(column[row].as_py() for column in table.columns):
        row += 1
    return row


def _cut(column: pa.ChunkedArray) -> list[pa.ChunkedArray]:
    """A label and what stands behind it, of strings as "1 a stirring film"."""
    parts = [pc.extract_regex(chunk, LABELLED) for chunk in column.chunks]
    return [pa.chunked_array([part.field(name) for part in parts], pa.string()) for name in ("label", "text")]


def _no_rows(path: Path, dialect: Dialect, num_ragged: int) -> str:
    if num_ragged:
        return f"No row of {path} has the {dialect.width} cells of its first. Expected as many in each row."
    return f"{path} holds the names of {dialect.width} columns and no row below them. Expected rows to learn from."


def _ragged(ragged: array[int], width: int, total: int) -> list[Finding]:
    if not len(ragged):
        return []
    what = f"{len(ragged):,} of {total:,} rows do not have the {width} cells that most have."
    if len(ragged) == 1:
        what = f"1 of {total:,} rows does not have the {width} cells that most have."
    shown = tuple(f"row {number}" for number in ragged[:SHOWN])
    done = f"Left out; the first {'are' if len(ragged) > 1 else 'is'} {', '.join(shown)}."
    return [
        Finding(code="ragged_rows", severity=Severity.WARNING, what=what, done=done, examples=shown, count=len(ragged))
    ]


def _replaced(encoding: Encoding) -> list[Finding]:
    if not encoding.replaced:
        return []
    what = f"{encoding.replaced:,} characters of the file are damaged: no UTF-8, as the others are."
    done = "They stand as \ufffd."
    return [Finding(code="damaged_text", severity=Severity.WARNING, what=what, done=done, count=encoding.replaced)]


def _told(encoding: Encoding, dialect: Dialect) -> Understood:
    between = f"{DELIMITERS[dialect.delimiter]} separated" if dialect.delimiter != NOWHERE else "one column"
    between = "a label and a text in each row" if dialect.labelled else between
    name = {"utf-8": "UTF-8", "utf-16": "UTF-16", "utf-32": "UTF-32", "cp1252": "Windows-1252", "latin-1": "Latin-1"}
    header = "with a header" if dialect.header is not None else "without a header, its columns being column_1 and so on"
    quotes = "" if dialect.quoted else ", quotes being part of the text"
    return Understood(what=f"The file is read as {between}, {name[encoding.name]}{quotes}, {header}.")
