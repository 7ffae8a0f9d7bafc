"""What counts as a missing cell, and white space around cells."""

from __future__ import annotations

from itertools import product

import pyarrow as pa
import pyarrow.compute as pc

TOKENS = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""In lower case, without white space around."""
SPELLINGS = pa.array(
    sorted({"".join(letters) for word in TOKENS for letters in product(*zip(word, word.upper(), strict=True))})
)
"""Every way to write them."""


def is_missing(cell: str) -> bool:
    """Whether one cell, without white space around it, stands for a missing value."""
    return len(cell) <= 4 and cell.lower() in TOKENS


def cleaned(column: pa.Array) -> pa.Array:
    """A column of strings without white space around cells, missing ones null."""
    bare = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.is_in(bare, value_set=SPELLINGS), pa.scalar(None, column.type), bare)
