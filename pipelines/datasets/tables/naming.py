"""Columns as people name them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from records.errors import ConfigError

SHOWN = 8
CALLED_ID = re.compile(r"(?:^|[\s_.\-])(?:id|ids|uuid|guid|idx)$|[a-z](?:Id|ID)$|^(?:id|uuid|guid)[\s_.\-]")
CALLED_ROW = re.compile(r"^(?:index|key|row|rownames|no|nr|number|serial)$|^unnamed|^__index_level")


def column_named(names: Sequence[str], asked: str, flag: str) -> str:
    """The column that a person means: its name in any case, or its number from 1.

    Raises:
        ConfigError: There is none, or two that differ in case alone.
    """
    if asked in names:
        return asked
    alike = [name for name in names if name.casefold() == asked.strip().casefold()]
    if len(alike) == 1:
        return alike[0]
    if asked.strip().isascii() and asked.strip().isdigit() and 1 <= int(asked) <= len(names):
        return names[int(asked) - 1]
    near = alike or _near(names, asked)
    raise ConfigError(
        f"`--{flag} {asked}` names no column. {'Near' if near else 'There are'}: {listed(near or names)}."
    )


def listed(names: Sequence[str], most: int = SHOWN) -> str:
    """Names in a sentence, the first of them where they are many."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def is_called_id(name: str) -> bool:
    """Whether a column is called like one that tells things apart: "id", "PassengerId", "user_id"."""
    return bool(CALLED_ID.search(name) or CALLED_ID.search(name.lower()))


def is_called_row(name: str) -> bool:
    """Whether a column is called like one that tells rows apart: as `is_called_id`, and "index", "key", "number"."""
    return is_called_id(name) or bool(CALLED_ROW.search(name.lower()))


def _near(names: Sequence[str], asked: str) -> list[str]:
    by_case: dict[str, str] = {}
    for name in names:
        by_case.setdefault(name.casefold(), name)
    close = difflib.get_close_matches(asked.casefold(), by_case, n=3, cutoff=0.5)
    holding = [folded for folded in by_case if asked.casefold() in folded]
    return [by_case[folded] for folded in dict.fromkeys([*close, *holding])][:SHOWN]
