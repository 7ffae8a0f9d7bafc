"""Decides who is for training, for choosing, and for the final reading."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from pipelines.preparing.facts import LEFT_OUT, MEASURABLE, NOT_GIVEN, SPLITS, TEST, TRAIN, VALIDATION, Facts, Inspected
from records.config import RunConfig
from records.data import Finding, Severity
from records.errors import DataError

NUM_STRATA = 10
"""Parts of equal size into which numbers are sorted, so that each split has low and high ones."""


def split(facts: Facts, inspected: Inspected, config: RunConfig) -> tuple[np.ndarray, Finding]:
    """Keeps the splits that were given and makes those that were not.

    New splits are stratified by class, or by decile where the target is a number; they keep joined examples together,
    and depend on the seed and the examples' ids only, not on their order.

    Returns:
        `<int8>[examples]`: the code of each example's split or `LEFT_OUT`, and what was done.

    Raises:
        DataError: The examples or groups are too few for three splits.
    """
    keep, given = inspected.keep, facts.given
    codes = np.where(keep, np.maximum(given, TRAIN), LEFT_OUT).astype(np.int8)
    missing = [code for code in (VALIDATION, TEST) if not (codes == code).any()]
    if missing:
        share = {VALIDATION: config.validation_share(int((codes == TRAIN).sum())), TEST: config.test_fraction}
        fractions = np.array([0.0, *(share[code] if code in missing else 0.0 for code in (VALIDATION, TEST))])
        fractions[TRAIN] = 1.0 - fractions.sum()
        rows = np.flatnonzero((codes == TRAIN) & ~_tied(inspected.joined, codes))
        keys = np.array([_key(config.seed, facts.ids[int(row)]) for row in rows], dtype=np.uint64)
        strata = facts.targets if facts.of_classes else _deciles(facts.targets)
        codes[rows] = _stratify(strata[rows], inspected.joined[rows], keys, fractions)
        _give_each_class_training(codes, strata, inspected.joined, rows)
    for code in range(3):
        if not (codes == code).any():
            raise DataError(
                f"No examples are left for the {SPLITS[code]} split. Expected at least {MEASURABLE} "
                f"{facts.noun} of a class that do not all belong together. Received: "
                f"{len(np.unique(inspected.joined[keep]))} groups."
            )
    return codes, _told(codes, given[keep], missing, config, "by class" if facts.of_classes else "at random")


def _told(codes: np.ndarray, given: np.ndarray, missing: list[int], config: RunConfig, how: str) -> Finding:
    sizes = ", ".join(f"{name} {(codes == code).sum()}" for code, name in enumerate(SPLITS))
    made = " and ".join(str(SPLITS[code]) for code in missing)
    if not missing:
        done = "The given splits were kept."
    elif (given == NOT_GIVEN).all():
        done = f"Split {how} with seed {config.seed}."
    else:
        done = f"The given splits were kept; {made} taken from train {how} with seed {config.seed}."
    return Finding(code="splits", severity=Severity.INFO, what=f"{sizes[0].upper()}{sizes[1:]}.", done=done)


def _deciles(targets: np.ndarray) -> np.ndarray:
    """`<int64>[examples]`: which part of the sorted numbers each belongs to."""
    edges = np.unique(np.quantile(targets, np.linspace(0, 1, NUM_STRATA + 1)[1:-1]))
    return np.searchsorted(edges, targets, side="right").astype(np.int64)


def _tied(joined: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Examples that belong to one in a given validation or test split: moving them would tear more apart."""
    return np.isin(joined, joined[codes > TRAIN])


def _key(seed: int, name: str) -> int:
    text = f"{seed}\0{name}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def _stratify(targets: np.ndarray, joined: np.ndarray, keys: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """`<int8>[rows]`: first the groups, largest first, then single examples fill up what each class still wants."""
    num_classes = int(targets.max(initial=-1)) + 1
    counts = np.bincount(targets, minlength=num_classes)
    wanted = np.outer(fractions, counts)
    for code in (VALIDATION, TEST):
        if fractions[code]:
            wanted[code] = np.where(counts >= MEASURABLE, np.maximum(np.rint(wanted[code]), 1), 0)
    wanted[TRAIN] = counts - wanted[VALIDATION] - wanted[TEST]
    codes = np.full(len(targets), TRAIN, dtype=np.int8)
    left = wanted.copy()
    _, group, sizes = np.unique(joined, return_inverse=True, return_counts=True)
    for rows in _large_groups(group, sizes, keys):
        content = np.bincount(targets[rows], minlength=num_classes)
        fill = (left / np.maximum(wanted, 1e-9)) @ content
        fill[fractions == 0] = -np.inf
        code = int(np.argmax(fill))
        codes[rows] = code
        left[code] -= content
    singles = np.flatnonzero(sizes[group] == 1)
    singles = singles[np.lexsort((keys[singles], targets[singles]))]
    for rows in np.split(singles, np.flatnonzero(np.diff(targets[singles])) + 1):
        if len(rows):
            most = np.maximum(np.rint(left[:, targets[rows[0]]]), 0).astype(int)
            codes[rows[: most[TEST]]] = TEST
            codes[rows[most[TEST] : most[TEST] + most[VALIDATION]]] = VALIDATION
    return codes


def _large_groups(group: np.ndarray, sizes: np.ndarray, keys: np.ndarray) -> Sequence[np.ndarray]:
    rows = np.flatnonzero(sizes[group] > 1)
    rows = rows[np.argsort(group[rows], kind="stable")]
    groups = [part for part in np.split(rows, np.flatnonzero(np.diff(group[rows])) + 1) if len(part)]
    return sorted(groups, key=lambda part: (-len(part), int(keys[part].min())))


def _give_each_class_training(codes: np.ndarray, targets: np.ndarray, joined: np.ndarray, rows: np.ndarray) -> None:
    """Moves a group to train for each class that the groups left without a training example."""
    lacking = np.setdiff1d(targets[rows], targets[codes == TRAIN])
    for label in lacking:
        if not (targets[codes == TRAIN] == label).any():
            of_class = rows[targets[rows] == label]
            codes[rows[joined[rows] == joined[of_class[0]]]] = TRAIN
