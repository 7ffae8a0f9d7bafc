"""A table's file as a `Frame`: columns with a name each, cells without white space around, missing ones null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.tables.columns import is_string
from pipelines.datasets.tables.delimited import read_delimited
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.jsonlines import read_json
from pipelines.datasets.tables.missing import cleaned
from pipelines.datasets.tables.opening import PARQUET, head_of
from pipelines.datasets.tables.parquet import read_parquet
from pipelines.datasets.tables.raw import Raw
from records.data import Finding, Severity, Understood
from records.errors import DataError

JSON = frozenset({".jsonl", ".ndjson", ".json"})
SHOWN = 10
MOST_IN_ONE_PIECE = 1 << 30
"""Bytes of a column that are laid side by side; 2 GiB is what Arrow's offsets reach."""
WITH_COMMA = r"^[+-]?[0-9]+(,[0-9]+)?$"


def read(path: Path, most_rows: int | None = None) -> Frame:
    """The table that a file of delimited text, json lines or parquet holds, packed with gzip or not.

    Args:
        path: Its first bytes tell parquet and gzip, its name json; all else is delimited text.
        most_rows: Stop after about so many; `None`: all.

    Raises:
        ConfigError: No such file.
        DataError: It is empty, damaged, or no table.
    """
    if head_of(path).startswith(PARQUET):
        raw = read_parquet(path, most_rows)
    elif ending(path) in JSON:
        raw = read_json(path, most_rows)
    else:
        raw = read_delimited(path, most_rows)
    names, doubled = _names(raw)
    frame = _frame(raw, names)
    frame = _without_empty_rows(frame)
    if not frame.num_rows or not frame.names:
        raise DataError(f"{path} holds no cell that is not missing. Expected rows to learn from.")
    return replace(frame, findings=(*doubled, *frame.findings))


def ending(path: Path) -> str:
    """The ending of the name in lower case, `.gz` not counted."""
    return Path(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def _names(raw: Raw) -> tuple[list[str], list[Finding]]:
    """A name for each column, each once."""
    if raw.names is None:
        return [f"column_{place}" for place in range(1, len(raw.columns) + 1)], []
    names: list[str] = []
    taken = {" ".join(name.split()) for name in raw.names}
    seen: set[str] = set()
    renamed: list[str] = []
    for place, given in enumerate(raw.names, start=1):
        name = bare = " ".join(given.split()) or f"unnamed_{place}"
        number = 2
        while name in seen or (name != bare and name in taken):
            name, number = f"{bare}_{number}", number + 1
        if name != bare:
            renamed.append(name)
        seen.add(name)
        names.append(name)
    if not renamed:
        return names, []
    some = ", ".join(renamed[:SHOWN])
    what = f"{len(renamed)} of the columns' names {'comes' if len(renamed) == 1 else 'come'} more than once."
    done = f"Numbered: {some}{' and others' if len(renamed) > SHOWN else ''}."
    return names, [
        Finding(
            code="doubled_names",
            severity=Severity.WARNING,
            what=what,
            done=done,
            examples=tuple(renamed[:SHOWN]),
            count=len(renamed),
        )
    ]


def _frame(raw: Raw, names: Sequence[str]) -> Frame:
    columns: dict[str, pa.ChunkedArray] = {}
    lost, commas = [], []
    for place, name in enumerate(names):
        column = _one_piece(raw.columns[place])
        raw.columns[place] = None  # its memory is needed for the next one
        if isinstance(column.type, pa.DictionaryType):
            column = pc.cast(column, column.type.value_type)
        if pa.types.is_null(column.type):
            column = pc.cast(column, pa.string())
        if is_string(column):
            column = _cleaned(column)
            if raw.decimal_comma and _has_decimal_commas(column):
                column = pc.replace_substring(column, ",", ".")
                commas.append(name)
        elif not _usable(column.type):
            lost.append(name)
            continue
        columns[name] = column
    findings, understood = list(raw.findings), list(raw.understood)
    if lost:
        what = f"{len(lost)} columns hold lists, objects or bytes: {', '.join(lost[:SHOWN])}."
        findings.append(
            Finding(code="nested_columns", severity=Severity.WARNING, what=what, done="Left out.", count=len(lost))
        )
    if commas:
        some = f"{', '.join(commas[:SHOWN])}{' and others' if len(commas) > SHOWN else ''}"
        understood.append(Understood(what=f"Commas are decimal points in {some}."))
    return Frame(table=pa.table(columns), lines=raw.lines, findings=tuple(findings), understood=tuple(understood))


def _one_piece(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.num_chunks <= 1 or column.nbytes > MOST_IN_ONE_PIECE:
        return column
    joined = column.combine_chunks()
    return joined if isinstance(joined, pa.ChunkedArray) else pa.chunked_array([joined])


def _cleaned(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([cleaned(chunk) for chunk in column.chunks], column.type)


def _usable(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_boolean(kind)
        or types.is_timestamp(kind)
        or types.is_date(kind)
    )


def _has_decimal_commas(column: pa.ChunkedArray) -> bool:
    """Whether all cells are numbers if a comma is a decimal point, and some have one."""
    first = [cell for cell in column.slice(0, 100).to_pylist() if cell is not None]
    if not all(cell.replace(",", "").lstrip("+-").isdigit() for cell in first):  # spares nearly every column
        return False
    with_comma = pc.any(pc.match_substring(column, ",")).as_py()
    return bool(with_comma and pc.all(pc.match_substring_regex(column, WITH_COMMA)).as_py())


def _without_empty_rows(frame: Frame) -> Frame:
    """Empty lines, and rows of delimiters alone, which spreadsheets write below a table."""
    known = np.zeros(frame.num_rows, bool)
    for name in frame.names:
        known |= np.asarray(frame.column(name).is_valid())
        if known.all():
            return frame
    return frame.take(known)
