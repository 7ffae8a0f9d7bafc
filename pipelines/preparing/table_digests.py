"""Which rows of a table have equal inputs, and which of them are to stay together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from pipelines.datasets.tables.columns import to_codes, to_numbers, to_times
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.profile import Profile, Role
from pipelines.preparing.duplicates import exact_groups
from records.data import Finding, Severity

SEEDS = np.array([0x9E3779B97F4A7C15, 0xD1B54A32D192ED03], np.uint64)
MULTIPLIERS = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)
SHIFT = np.uint64(29)
MISSING = np.uint64(0x6A09E667F3BCC909)
COMMON, FEWEST_COMMON = 0.01, 10
"""Part of all rows, and number of them, from which on equal ones are common in this table, and no copies."""


def digests(frame: Frame, profiles: Iterable[Profile]) -> np.ndarray:
    """`<uint64>[rows, 2]`: equal for rows that are equal in the columns of these profiles."""
    state = np.empty((frame.num_rows, 2), np.uint64)
    state[:] = SEEDS
    for profile in profiles:
        words = _words(frame, profile)
        for lane in range(2):
            mixed = (state[:, lane] ^ words) * MULTIPLIERS[lane]
            state[:, lane] = mixed ^ (mixed >> SHIFT)
    return state


def _words(frame: Frame, profile: Profile) -> np.ndarray:
    """`<uint64>[rows]`: equal for equal cells."""
    column = frame.column(profile.name)
    if profile.role is Role.NUMBER:
        numbers = to_numbers(column) + 0.0  # makes -0.0 the same as 0.0
        return np.where(np.isnan(numbers), MISSING, numbers.view(np.uint64))
    if profile.role is Role.DATE:
        return to_times(column).view(np.uint64)
    codes, words = to_codes(column)
    hashes = np.array([*map(_hash, words), MISSING], np.uint64)
    return hashes[codes]


def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest())


def untie_common(found: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, list[Finding]]:
    """Digests that join copies, and leave alone what is merely common: with a few columns of few values most rows have
    equals, and whole parts of the data would have to lie in one split.

    Args:
        found: `<uint64>[rows, 2]`, as `digests` gives them.
        given: `<int8>[rows]`, as `Facts.given`.

    Returns:
        Digests in which the common rows differ from each other, and what to tell.
    """
    copies = exact_groups(found)
    sizes = np.bincount(copies, minlength=len(copies))[copies]
    common = sizes > max(FEWEST_COMMON, COMMON * len(copies))
    equal = np.flatnonzero((sizes > 1) & ~common)
    findings = []
    if len(equal):
        low, high = np.full(len(copies), 9), np.full(len(copies), -9)
        np.minimum.at(low, copies[equal], given[equal])
        np.maximum.at(high, copies[equal], given[equal])
        torn = int((low < high)[copies[equal]].sum())
        done = "They were kept, and never straddle splits that are made here."
        if torn:
            done = f"They were kept. The given splits tear {torn} of them apart: the figures may be too good."
        findings.append(_finding("equal_rows", equal, "rows have the same inputs as another row", done, bool(torn)))
    if common.any():
        rows = np.flatnonzero(common)
        what = "rows have the same inputs as many others"
        findings.append(
            _finding("common_rows", rows, what, "So many cannot be copies; each was split by itself.", False)
        )
        found = found.copy()
        found[rows] = np.stack([rows, np.full(len(rows), 1)], axis=1).astype(np.uint64)
    return found, findings


def _finding(code: str, rows: np.ndarray, what: str, done: str, warn: bool) -> Finding:
    severity = Severity.WARNING if warn else Severity.INFO
    return Finding(code=code, severity=severity, what=f"{len(rows)} {what}.", done=done, count=len(rows))
