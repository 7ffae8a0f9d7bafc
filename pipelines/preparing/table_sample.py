"""One row of a table as a request has it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipelines.datasets.tables.columns import to_numbers, to_texts
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.profile import Profile, Role
from records.api import Cell
from serving.codecs.missing import is_missing


def sample_row(frame: Frame, used: Sequence[Profile], row: int) -> dict[str, Cell]:
    """The row's cells by column; null where a value is missing, or where a column of numbers holds none.

    Args:
        frame: The table.
        used: The columns that are inputs.
        row: Position in the table.
    """
    return {one.name: _cell(frame, one, row) for one in used}


def _cell(frame: Frame, column: Profile, row: int) -> Cell:
    piece = frame.column(column.name).slice(row, 1)
    if column.role is Role.NUMBER:
        number = float(to_numbers(piece)[0])
        return None if not np.isfinite(number) else int(number) if number.is_integer() else number
    text = to_texts(piece).to_pylist()[0]
    return None if text is None or is_missing(text) else str(text)
