"""What a reader of one format gives, before columns are named and cells are cleaned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from records.data import Finding, Understood

MOST_COLUMNS = 10_000


@dataclass(kw_only=True)
class Raw:
    """Columns as they stand in the file."""

    names: Sequence[str] | None
    """`None`: the file names no columns."""
    columns: list[pa.ChunkedArray]
    lines: np.ndarray
    """As `Frame.lines`."""
    findings: tuple[Finding, ...] = ()
    understood: tuple[Understood, ...] = ()
    decimal_comma: bool = False
    """Whether a comma may stand for a decimal point."""
