"""What reading a dataset tells about its examples, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from records.data import Finding, Severity, Split

SPLITS = (Split.TRAIN, Split.VALIDATION, Split.TEST)
"""A split's code is its position here."""
TRAIN, VALIDATION, TEST = range(3)
NOT_GIVEN = -1
SHOWN = 10
"""Ids in a finding."""
MEASURABLE = 3
"""Examples of a class that one for each split needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What was read, in columns; a row for each readable example."""

    ids: Sequence[str]
    labels: Sequence[str]
    """Names of the classes."""
    targets: np.ndarray
    """`<int64>[examples]`: positions in `labels`."""
    given: np.ndarray
    """`<int8>[examples]`: the source's own split as a code, or `NOT_GIVEN`."""
    groups: np.ndarray
    """`<int64>[examples]`: the first row of the same user's group; its own row where it has none."""
    digests: np.ndarray
    """`<uint64>[examples, 2]`."""
    thumbnails: np.ndarray
    """`<uint8>[examples, THUMBNAIL_SIDE ** 2]`."""
    constant: np.ndarray
    """`<bool>[examples]`: every pixel is equal."""
    failures: Sequence[tuple[str, int, str]]
    """(id, status, message) of what could not be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspected:
    """What is to be used, and what must stay together."""

    findings: tuple[Finding, ...]
    keep: np.ndarray
    """`<bool>[examples]`."""
    joined: np.ndarray
    """`<int64>[examples]`: equal for examples that must not straddle two splits."""


def finding(facts: Facts, code: str, severity: Severity, rows: np.ndarray, what: str, done: str) -> list[Finding]:
    """A finding about `rows`, or none where there are no rows."""
    if not len(rows):
        return []
    names = tuple(facts.ids[int(row)] for row in rows[:SHOWN])
    return [Finding(code=code, severity=severity, what=what, done=done, examples=names, count=len(rows))]
