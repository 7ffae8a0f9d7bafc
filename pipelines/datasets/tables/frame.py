"""A table in memory: what reading a file gives, before anything is decided about its columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from records.data import Finding, Understood


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Rows by columns. Missing cells are null, whitespace around strings is gone."""

    table: pa.Table
    """csv: every column as strings. Parquet and json lines: their own types (numbers, booleans, dates, strings)."""
    lines: np.ndarray
    """`<int64>[rows]`: where the row stood in its file, from 1, a header counted; a row whose cells hold line breaks
    counts once. Rows of a second file are numbered on from the last of the first, so that no number comes twice."""
    files: np.ndarray | None = None
    """`<int8>[rows]`: the split that each row's file names, its position in train, validation, test; -1: none.
    `None`: one file, whose name says nothing."""
    target: str = ""
    """The column to predict, where opening the file has chosen it; see `target.find_target`."""
    findings: tuple[Finding, ...] = ()
    understood: tuple[Understood, ...] = ()

    @property
    def names(self) -> list[str]:
        """Of the columns, each once."""
        return list(self.table.column_names)

    @property
    def num_rows(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> pa.ChunkedArray:
        """The cells of one column."""
        return self.table.column(name)

    def take(self, keep: np.ndarray, *findings: Finding) -> Frame:
        """The rows where `keep` `<bool>[rows]` is true, and what was found on the way."""
        return replace(
            self,
            table=self.table.filter(pa.array(keep)),
            lines=self.lines[keep],
            files=None if self.files is None else self.files[keep],
            findings=(*self.findings, *findings),
        )
