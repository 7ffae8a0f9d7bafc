"""What each column of a table holds, told from its cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.tables.columns import Column, is_string, to_numbers, to_times
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.naming import column_named, is_called_id, is_called_row
from pipelines.datasets.tables.splits import given_splits, split_column
from pipelines.datasets.tables.target import choose_target, find_target, is_regression, labelled
from records.config import RunConfig
from records.errors import ConfigError

__all__ = [
    "USED",
    "Profile",
    "Role",
    "choose_target",
    "find_target",
    "given_splits",
    "is_regression",
    "labelled",
    "profile",
    "split_column",
]

LOOKED_AT = 10_000
"""Cells that tell whether a column holds texts."""
OF_A_KIND = 0.95
"""Share of the known cells that are numbers, or dates, in a column of them."""
NEARLY_ALL = 0.98
"""Share of different strings from which a column tells rows apart."""
FEW_ROWS = 20
"""Fewer rows do not show that a column counts them."""
MOST_THINGS = 0.5
"""Different whole numbers per row up to which a column called id says to which of some things a row belongs."""
WORDS, LENGTH, WORDS_OF_LONG = 3.0, 30.0, 1.5
"""A text has more than so many words, or is longer and has more than so many (a path or a key has one)."""
DISTINCT_TEXTS, MANY_TEXTS = 0.3, 1000


class Role(StrEnum):
    """What a column is used as; the second group is left out of the inputs."""

    NUMBER = "number"
    CATEGORY = "category"
    DATE = "date"
    TEXT = "text"

    IDENTIFIER = "identifier"
    CONSTANT = "constant"
    EMPTY = "empty"
    LEAK = "leak"
    FUTURE = "future"
    IGNORED = "ignored"


USED = frozenset({Role.NUMBER, Role.CATEGORY, Role.DATE, Role.TEXT})


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One column, as it was found."""

    name: str
    role: Role
    missing: int
    """Cells without a value; of a number or date also those that are none."""
    distinct: int
    """Different values, missing ones not counted."""
    why: str = ""
    """A sentence, for what is left out."""
    numeric_share: float = 0.0
    """Of the cells that are not missing, those that are numbers."""

    @property
    def used(self) -> bool:
        """Whether the column is an input."""
        return self.role in USED


def profile(frame: Frame, config: RunConfig) -> tuple[Profile, ...]:
    """Every column but the target and the split, in the file's order; leaks are `leaks.find_leaks`' work.

    Identifiers of `config.keep` are numbers or categories; columns of `config.ignore` are ignored; `config.text` is a
    text.

    Raises:
        ConfigError: One of these names is no column; or the target is to be ignored.
    """
    target, split = find_target(frame, config), split_column(frame, config)
    keep = {column_named(frame.names, name, "keep") for name in config.keep}
    ignore = {column_named(frame.names, name, "ignore") for name in config.ignore}
    text = column_named(frame.names, config.text, "text") if config.text is not None else None
    if target in ignore:
        raise ConfigError(f"`--ignore {target}` names the target. Expected other columns, or another `--target`.")
    found = []
    for name in frame.names:
        if name in (target, split):
            continue
        one = _profiled(name, frame.column(name), name in keep)
        if name == text and one.role is not Role.EMPTY:
            one = replace(one, role=Role.TEXT, why="")
        if name in ignore:
            one = replace(one, role=Role.IGNORED, why=f"{name} is to be ignored.")
        found.append(one)
    return tuple(found)


def _profiled(name: str, column: pa.ChunkedArray, keep: bool) -> Profile:
    known = len(column) - column.null_count
    one = Profile(name=name, role=Role.EMPTY, missing=column.null_count, distinct=0)
    if known == 0:
        return replace(one, why=f"{name} has no value in any row.")
    numbers = to_numbers(column)
    finite = numbers[np.isfinite(numbers)]
    one = replace(one, numeric_share=len(finite) / known)
    if len(finite) >= OF_A_KIND * known:
        one = _of_numbers(replace(one, missing=len(column) - len(finite)), column, finite)
    elif _may_hold_times(column):
        times = to_times(column)
        times = times[~np.isnat(times)]
        if len(times) >= OF_A_KIND * known:
            distinct = len(np.unique(times))
            one = replace(one, role=Role.DATE, missing=len(column) - len(times), distinct=distinct)
    if one.role is Role.EMPTY:
        one = _of_strings(one, column, known)
    if one.distinct == 1:
        if one.missing:  # that there is a value says something
            return replace(one, role=Role.CATEGORY, missing=column.null_count, why="")
        return replace(one, role=Role.CONSTANT, why=f"{name} has the same value in every row.")
    if keep and one.role is Role.IDENTIFIER:
        number = len(finite) >= OF_A_KIND * known
        return replace(one, role=Role.NUMBER if number else Role.CATEGORY, why="")
    return one


def _of_numbers(one: Profile, column: pa.ChunkedArray, finite: np.ndarray) -> Profile:
    distinct = len(np.unique(finite))
    one = replace(one, role=Role.NUMBER, distinct=distinct)
    called = is_called_row(one.name)
    counts = len(finite) >= FEW_ROWS and bool((np.abs(np.diff(finite)) == 1).all())
    if not (called or counts) or not _whole(column, finite):
        return one
    if distinct == len(finite) and not one.missing and counts:
        return replace(one, role=Role.IDENTIFIER, why=f"{one.name} counts the rows.")
    if called and distinct >= OF_A_KIND * len(finite):
        return replace(one, role=Role.IDENTIFIER, why=f"{one.name} is another number in every row.")
    things = is_called_id(one.name) and distinct <= MOST_THINGS * len(finite)
    return replace(one, role=Role.CATEGORY) if things else one


def _whole(column: Column, finite: np.ndarray) -> bool:
    """Whether the cells are whole numbers, written without a point."""
    if not (finite == np.floor(finite)).all() or pa.types.is_floating(column.type):
        return False
    return not (is_string(column) and pc.any(pc.match_substring(column, ".")).as_py())


def _may_hold_times(column: Column) -> bool:
    first = pc.drop_null(column.slice(0, 1000))
    first = first if len(first) else pc.drop_null(column).slice(0, 1000)
    return bool((~np.isnat(to_times(first))).mean() >= OF_A_KIND - 0.05)


def _of_strings(one: Profile, column: Column, known: int) -> Profile:
    distinct = pc.count_distinct(column).as_py()
    one = replace(one, role=Role.CATEGORY, distinct=distinct)
    if not is_string(column):
        return one
    some = pc.drop_null(column.slice(0, LOOKED_AT))
    some = some if len(some) else pc.drop_null(column).slice(0, LOOKED_AT)
    if (distinct > DISTINCT_TEXTS * known or distinct > MANY_TEXTS) and _reads_as_text(some):
        return replace(one, role=Role.TEXT)
    if distinct == known or (known >= FEW_ROWS and distinct >= NEARLY_ALL * known):
        every = "every row" if distinct == known else "nearly every row"
        return replace(one, role=Role.IDENTIFIER, why=f"{one.name} is another string in {every}.")
    return one


def _reads_as_text(cells: Column) -> bool:
    words = pc.mean(pc.add(pc.count_substring_regex(cells, r"\s+"), 1)).as_py()
    length = pc.mean(pc.utf8_length(cells)).as_py()
    no_spaces = pc.mean(pc.binary_length(cells)).as_py() > 2 * length  # as in Chinese or Thai
    return bool(words > WORDS or (length > LENGTH and words > WORDS_OF_LONG) or (no_spaces and length > LENGTH / 3))
