"""What stands for a missing value in a table: the same words when training and when serving."""

from __future__ import annotations

MISSING: frozenset[str] = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""Lower-case, without blanks around them."""


def is_missing(text: str) -> bool:
    """Whether a cell's text says that nothing is known.

    >>> is_missing(" N/A "), is_missing("0")
    (True, False)
    """
    return len(text) < 16 and text.strip().lower() in MISSING
