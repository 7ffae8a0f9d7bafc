"""Several files as one table: a train, a validation and a test file, or one table in parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.tables.columns import is_string, to_texts
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.naming import listed
from pipelines.datasets.tables.splits import CODES, NOT_GIVEN
from records.data import Finding, Severity, Split, Understood

SHOWN = 10
UNNAMED = re.compile("column_[0-9]+")


def joined(frames: Sequence[tuple[str, Frame]], splits: Sequence[Split | None]) -> Frame:
    """The rows of all frames under each other, with the columns of any; where a frame lacks one its cells are missing.

    Args:
        frames: (name of the file, what it holds), the first one rules the order of the columns.
        splits: What each file is for.
    """
    files, tables = [name for name, _ in frames], _alike([frame.table for _, frame in frames])
    names = list(dict.fromkeys(name for table in tables for name in table.column_names))
    lacking = [_lacking(file, table, names) for file, table in zip(files, tables, strict=True)]
    columns = {name: _column(tables, name) for name in names}
    lines, last = [], 0
    for _, frame in frames:
        lines.append(frame.lines + last)
        last = int(lines[-1][-1])
    codes = [NOT_GIVEN if split is None else CODES[split] for split in splits]
    sizes = [frame.num_rows for _, frame in frames]
    return Frame(
        table=pa.table(columns),
        lines=np.concatenate(lines),
        files=np.repeat(np.array(codes, dtype=np.int8), sizes) if any(splits) else None,
        findings=(
            *(_of_file(file, finding) for file, frame in frames for finding in frame.findings),
            *(finding for found in lacking for finding in found),
        ),
        understood=_told(frames, lines),
    )


def _alike(tables: list[pa.Table]) -> list[pa.Table]:
    """The tables, those without a header under the names of the first, where they are as wide."""
    first = tables[0].column_names
    return [
        table.rename_columns(first)
        if len(table.column_names) == len(first) and all(map(UNNAMED.fullmatch, table.column_names))
        else table
        for table in tables
    ]


def _column(tables: Sequence[pa.Table], name: str) -> pa.ChunkedArray:
    parts = [table.column(name) if name in table.column_names else table.num_rows for table in tables]
    kinds = {part.type for part in parts if not isinstance(part, int)}
    numeric = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
    kind = kinds.pop() if len(kinds) == 1 else pa.float64() if numeric else pa.string()
    chunks: list[pa.Array] = []
    for part in parts:
        if isinstance(part, int):
            chunks.append(pa.nulls(part, kind))
        else:
            whole = to_texts(part) if pa.types.is_string(kind) else part
            chunks += pc.cast(whole, kind).chunks
    return pa.chunked_array(chunks, kind)


def _lacking(file: str, table: pa.Table, names: Sequence[str]) -> list[Finding]:
    there = set(table.column_names)
    lost = [name for name in names if name not in there]
    if not lost:
        return []
    what = f"{file} lacks {len(lost)} columns that others have: {listed(lost)}."
    return [
        Finding(
            code="missing_columns",
            severity=Severity.WARNING,
            what=what,
            done="Taken as missing there.",
            examples=tuple(lost[:SHOWN]),
            count=len(lost),
        )
    ]


def _of_file(file: str, finding: Finding) -> Finding:
    return replace(finding, what=f"{file}: {finding.what}")


def _told(frames: Sequence[tuple[str, Frame]], lines: Sequence[np.ndarray]) -> tuple[Understood, ...]:
    told = [(file, one) for file, frame in frames for one in frame.understood]
    if len(set(told)) == len(told) and len({one for _, one in told}) * len(frames) == len(told):
        common = tuple(dict.fromkeys(one for _, one in told))  # the same of each file
    else:
        common = tuple(replace(one, what=f"{file}: {one.what}") for file, one in told)
    starts = ", ".join(f"{file} begins at {part[0]:,}" for (file, _), part in zip(frames[1:], lines[1:], strict=True))
    return (*common, Understood(what=f"Rows are numbered through all files: {starts}."))


def same_labels(frame: Frame, target: str) -> Frame:
    """The frame, without the full stops that end every class in some files and none in the others.

    The test file of "adult", a much used table, is written so: its classes would be unknown ones.
    """
    column = frame.column(target)
    if frame.files is None or not is_string(column):
        return frame
    ended = np.asarray(pc.fill_null(pc.ends_with(column, "."), False))
    known = np.asarray(column.is_valid())
    for code in np.unique(frame.files):
        mine = (frame.files == code) & known
        if ended[mine].any() != ended[mine].all():
            return frame
    bare = pc.utf8_rtrim(column, ".")
    strange = set(pc.unique(bare.filter(ended)).to_pylist()) - set(pc.unique(column.filter(~ended)).to_pylist())
    if not ended.any() or ended[known].all() or strange:
        return frame
    place = frame.table.column_names.index(target)
    told = Understood(what=f"Full stops that end {target} in one file are no part of the class.")
    return replace(frame, table=frame.table.set_column(place, target, bare), understood=(*frame.understood, told))
