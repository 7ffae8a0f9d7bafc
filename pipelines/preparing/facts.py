"""What reading a dataset tells about its examples, in columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from records.data import Finding, Severity, Split
from records.errors import ConfigError

SPLITS = (Split.TRAIN, Split.VALIDATION, Split.TEST)
"""A split's code is its position here."""
TRAIN, VALIDATION, TEST = range(3)
NOT_GIVEN = -1
LEFT_OUT = -1
SHOWN = 10
"""Ids in a finding."""
MEASURABLE = 3
"""Examples of a class that one for each split needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What was read, in columns; a row for each readable example."""

    ids: Sequence[str]
    labels: Sequence[str]
    """Names of the classes; empty where the target is a number."""
    targets: np.ndarray
    """`<int64>[examples]`: positions in `labels`; or `<float64>[examples]`: numbers."""
    given: np.ndarray
    """`<int8>[examples]`: the source's own split as a code, or `NOT_GIVEN`."""
    groups: np.ndarray
    """`<int64>[examples]`: the first row of the same user's group; its own row where it has none."""
    digests: np.ndarray
    """`<uint64>[examples, 2]`: equal for equal inputs."""
    failures: Sequence[tuple[str, int, str]] = ()
    """(id, status, message) of what could not be read."""
    noun: str = "images"
    """What several examples are called."""
    thumbnails: np.ndarray | None = None
    """Images: `<uint8>[examples, THUMBNAIL_SIDE ** 2]`."""
    constant: np.ndarray | None = None
    """`<bool>[examples]`: every value is equal."""

    @property
    def of_classes(self) -> bool:
        """Whether the target is a class."""
        return bool(len(self.labels)) or self.targets.dtype.kind == "i"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspected:
    """What is to be used, and what must stay together."""

    findings: tuple[Finding, ...]
    keep: np.ndarray
    """`<bool>[examples]`."""
    joined: np.ndarray
    """`<int64>[examples]`: equal for examples that must not straddle two splits."""


class RowIds(Sequence[str]):
    """The names of a table's rows, made when they are asked for: "row 17". A million strings would take 60 MB."""

    def __init__(self, numbers: np.ndarray, word: str = "row") -> None:
        self.numbers, self.word = numbers, word

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return RowIds(self.numbers[index], self.word)
        return f"{self.word} {self.numbers[index]}"

    def __len__(self) -> int:
        return len(self.numbers)


def finding(facts: Facts, code: str, severity: Severity, rows: np.ndarray, what: str, done: str) -> list[Finding]:
    """A finding about `rows`, or none where there are no rows."""
    if not len(rows):
        return []
    names = tuple(facts.ids[int(row)] for row in rows[:SHOWN])
    return [Finding(code=code, severity=severity, what=what, done=done, examples=names, count=len(rows))]


def class_targets(names: Sequence[str], known: Sequence[str] | None = None) -> tuple[list[str], np.ndarray]:
    """The classes that occur, in the order of `known` and then in natural order, and `<int64>[examples]` positions."""
    present = set(names)
    labels = [label for label in known or () if label in present]
    labels += sorted(present.difference(labels), key=_natural)
    position = {label: index for index, label in enumerate(labels)}
    return labels, np.array([position[name] for name in names], dtype=np.int64)


def _natural(label: str) -> tuple[bool, int, str]:
    """Numbers by value, before words."""
    number = label.isascii() and label.isdigit()
    return not number, int(label) if number else 0, label


def group_rows(groups: Sequence[str | None]) -> np.ndarray:
    """`<int64>[examples]`: the first row of the same group; its own row where it has none."""
    first: dict[str, int] = {}
    rows = [row if group is None else first.setdefault(group, row) for row, group in enumerate(groups)]
    return np.array(rows, dtype=np.int64)


def groups_of(ids: Sequence[str], given: Sequence[str | None] | None, pattern: str | None) -> list[str | None]:
    """Each example's group: what `--group` finds in its id, else what the source says.

    Raises:
        ConfigError: `pattern` is no regular expression with one group, or matches no id.
    """
    compiled = compile_group(pattern)
    groups: list[str | None] = list(given) if given is not None else [None] * len(ids)
    if compiled is None:
        return groups
    matched = False
    for row, name in enumerate(ids):
        if match := compiled.search(name):
            groups[row], matched = match[1], True
    if not matched and len(ids):
        raise ConfigError(f"`group` {pattern!r} matches no example's id. Received ids such as {ids[0]!r}.")
    return groups


def compile_group(group: str | None) -> re.Pattern[str] | None:
    """The regular expression of `--group`.

    Raises:
        ConfigError: It is none, or has no group.
    """
    if group is None:
        return None
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise ConfigError(f"`group` is no regular expression ({error}). Received: {group!r}.") from error
    if pattern.groups != 1:
        raise ConfigError(f"`group` must have one group in parentheses, such as '(.*)_'. Received: {group!r}.")
    return pattern


def classes_of(facts: Facts, codes: np.ndarray) -> tuple[tuple[str, ...], tuple[int, ...], np.ndarray]:
    """The classes that have training examples, how many each, and `<int64>[examples]` targets in their order.

    Targets of examples without such a class are without meaning; their code is `LEFT_OUT`.
    """
    counts = np.bincount(facts.targets[codes == TRAIN], minlength=len(facts.labels))
    used = np.flatnonzero(counts)
    labels = tuple(facts.labels[int(label)] for label in used)
    return labels, tuple(int(count) for count in counts[used]), (np.cumsum(counts > 0) - 1)[facts.targets]


def number_scale(targets: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation (1 where it is 0) of the training split's numbers."""
    train = targets[codes == TRAIN].astype(np.float64)
    return float(train.mean()), float(train.std()) or 1.0
