"""Looks at what was decoded and says what is odd about it, and what is done about that."""

from __future__ import annotations

import numpy as np

from pipelines.preparing.classes import check_classes, check_numbers
from pipelines.preparing.duplicates import Pairs, exact_groups, join, near_pairs
from pipelines.preparing.facts import SHOWN, TEST, TRAIN, VALIDATION, Facts, Inspected, finding
from records.data import Finding, Severity
from records.errors import DataError

MOST_DISAGREEING = 0.2
"""Part of the near pairs that may bear different labels before "near" is taken to mean nothing in this dataset."""
MOST_JOINED = 0.1
"""Part of all examples that near duplicates may join into one group."""
MOST_LOST = 0.5
"""Part of a class's training examples that near duplicates of other splits may cost it."""


def inspect(
    facts: Facts, inputs: np.ndarray | None = None, keep_near_duplicates: bool = False, keep_copies: bool = False
) -> Inspected:
    """Finds what is unreadable, double, contradictory, empty, rare.

    A copy that lies in two splits is taken out of the training (or validation) split, never out of a given test split.

    Args:
        facts: What was read.
        inputs: Images: `<uint8>[examples, height, width, channels]`, to look for near duplicates in.
        keep_near_duplicates: Leave near duplicates where they are.
        keep_copies: Equal examples are no copies (two people may have the same age and income): they stay, and never
            straddle two splits that are made here.

    Raises:
        DataError: Nothing can be learnt from what is left: no example, only one class, or only one number.
    """
    if not len(facts.ids):
        raise DataError(_nothing_readable(facts))
    keep = np.ones(len(facts.ids), dtype=bool)
    findings = [_counts(facts), *_failures(facts)]
    copies = exact_groups(facts.digests)
    if not keep_copies:
        findings += _exact(facts, copies, keep)
    pairs, trusted = Pairs(first=copies[:0], second=copies[:0]), False
    if inputs is not None and facts.thumbnails is not None:
        single = np.flatnonzero(keep)
        single = single[np.unique(copies[single], return_index=True)[1]]
        pairs = near_pairs(inputs, facts.thumbnails, np.sort(single))
        near, trusted = _near(facts, pairs, keep, keep_near_duplicates)
        findings += near
    findings += _constant(facts, keep)
    findings += check_classes(facts, keep) if facts.of_classes else check_numbers(facts, keep)
    rows = np.arange(len(facts.ids))
    first, second = [rows, rows], [copies, facts.groups]
    if trusted:
        first, second = [*first, pairs.first], [*second, pairs.second]
    joined = join(len(rows), np.concatenate(first), np.concatenate(second))
    findings += _straddling(facts, keep)
    return Inspected(findings=tuple(findings), keep=keep, joined=joined)


def _counts(facts: Facts) -> Finding:
    what = f"{len(facts.ids)} {facts.noun}"
    if facts.of_classes:
        counts = np.bincount(facts.targets, minlength=len(facts.labels))
        what += f" in {(counts > 0).sum()} classes of {counts[counts > 0].min()} to {counts.max()}."
    else:
        low, middle, high = np.quantile(facts.targets, [0.0, 0.5, 1.0])
        what += f" with numbers from {low:.6g} to {high:.6g}, half of them below {middle:.6g}."
    return Finding(code="counts", severity=Severity.INFO, what=what, done="", count=len(facts.ids))


def _failures(facts: Facts) -> list[Finding]:
    findings = []
    for code, large, words in (
        ("unreadable", False, "cannot be read"),
        ("too_large", True, "are too large to be read safely"),
    ):
        failed = [(name, message) for name, status, message in facts.failures if (status == 413) is large]
        if failed:
            findings.append(
                Finding(
                    code=code,
                    severity=Severity.WARNING,
                    what=f"{len(failed)} {facts.noun} {words}. The first, {failed[0][0]}: {failed[0][1]}",
                    done="They were left out.",
                    examples=tuple(name for name, _ in failed[:SHOWN]),
                    count=len(failed),
                )
            )
    return findings


def _nothing_readable(facts: Facts) -> str:
    if not facts.failures:
        return f"The dataset is empty. Expected at least two classes with three {facts.noun} each."
    name, _, message = facts.failures[0]
    return f"None of the {len(facts.failures)} {facts.noun} can be read. The first, {name}: {message}"


def _exact(facts: Facts, copies: np.ndarray, keep: np.ndarray) -> list[Finding]:
    """Takes copies out of `keep`."""
    size = len(facts.ids)
    lowest, highest = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(lowest, copies, facts.targets)
    np.maximum.at(highest, copies, facts.targets)
    in_test, in_validation = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    in_test[copies[facts.given == TEST]] = True
    in_validation[copies[facts.given == VALIDATION]] = True
    free = facts.given != TEST
    contradictory = facts.of_classes & (lowest != highest)[copies]
    across = in_test[copies] | (in_validation[copies] & (facts.given != VALIDATION))
    keep &= ~(free & (contradictory | across))
    rest = np.flatnonzero(free & keep)
    extra = np.setdiff1d(rest, rest[np.unique(copies[rest], return_index=True)[1]])
    keep[extra] = False
    tests = np.flatnonzero(~free)
    test_extra = np.setdiff1d(tests, tests[np.unique(copies[tests], return_index=True)[1]])
    warning, info = Severity.WARNING, Severity.INFO
    wrong, leaked = np.flatnonzero(free & contradictory), np.flatnonzero(free & across & ~contradictory)
    judged = np.flatnonzero(~free & contradictory)
    return [
        *finding(facts, "contradictory_labels", warning, wrong,
                  f"{len(wrong)} {facts.noun} are copies of others with another answer.",
                  "All of them were left out of training and validation."),
        *finding(facts, "contradictory_labels_in_test", warning, judged,
                  f"{len(judged)} test {facts.noun} have copies with another answer.",
                  "They were left in the test split, as it was given."),
        *finding(facts, "exact_duplicates_across_splits", warning, leaked,
                  f"{len(leaked)} training or validation {facts.noun} are copies of {facts.noun} in a later split.",
                  "They were left out of the earlier split, so that the figures are honest."),
        *finding(facts, "exact_duplicates", info, extra, f"{len(extra)} {facts.noun} are exact copies of others.",
                  "Each was kept once."),
        *finding(facts, "exact_duplicates_in_test", info, test_extra,
                  f"{len(test_extra)} test {facts.noun} are exact copies of other test {facts.noun}.",
                  "They were left in, as the test split was given."),
    ]  # fmt: skip


def _near(facts: Facts, pairs: Pairs, keep: np.ndarray, leave: bool) -> tuple[list[Finding], bool]:
    """Takes training examples that are near duplicates of another split out of `keep`.

    Returns:
        What was found, and whether near duplicates are to stay together.
    """
    a, b = pairs.first, pairs.second
    if not len(a):
        return [], False
    differing = facts.targets[a] != facts.targets[b]
    largest = np.unique(join(len(facts.ids), a, b), return_counts=True)[1].max()
    crowd = largest > max(MOST_JOINED * len(facts.ids), 4)
    if crowd or (len(a) >= 10 and differing.mean() > MOST_DISAGREEING):
        rows = np.union1d(a, b)
        what = (
            f"{len(rows)} images hardly differ from others: too many of them, or with too different labels, for copies."
        )
        done = "They were not taken for duplicates and were left where they are."
        return finding(facts, "alike", Severity.INFO, rows, what, done), False
    rank = np.maximum(facts.given, TRAIN)
    across = (rank[a] != rank[b]) & ~differing
    earlier = np.unique(np.where(rank[a] < rank[b], a, b)[across])
    if not leave:
        earlier = _spared(facts, earlier, keep)
        keep[earlier] = False
    opposed = np.union1d(a[differing], b[differing])
    inside = np.setdiff1d(np.union1d(a[~across], b[~across]), np.union1d(earlier, opposed))
    done = "They were left where they are, as asked." if leave else "They were left out of the earlier split."
    found = [
        *finding(facts, "near_duplicates_across_splits", Severity.WARNING, earlier,
                  f"{len(earlier)} training or validation images are near duplicates of images in a later split.",
                  done if leave else f"{done} --keep-near-duplicates leaves them in."),
        *finding(facts, "near_duplicates_with_other_labels", Severity.WARNING, opposed,
                  f"{len(opposed)} images are near duplicates of images with another label.",
                  "They were left in. Look at them: one label of each pair is likely wrong."),
        *finding(facts, "near_duplicates", Severity.INFO, inside,
                  f"{len(inside)} images have near duplicates in the same split.",
                  "They were left in." if leave else "They were left in, and never straddle two splits."),
    ]  # fmt: skip
    return found, not leave


def _spared(facts: Facts, rows: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Without the rows of classes that would lose too much: then "near" says more about the class than of copies."""
    have = np.bincount(facts.targets[keep & (facts.given != TEST)], minlength=len(facts.labels))
    lost = np.bincount(facts.targets[rows], minlength=len(facts.labels))
    return rows[(lost <= MOST_LOST * have)[facts.targets[rows]]]


def _constant(facts: Facts, keep: np.ndarray) -> list[Finding]:
    if facts.constant is None:
        return []
    rows = np.flatnonzero(facts.constant & keep)
    what = f"{len(rows)} {facts.noun} hold one value throughout."
    return finding(facts, "constant", Severity.WARNING, rows, what, "They were left in; look at them.")


def _straddling(facts: Facts, keep: np.ndarray) -> list[Finding]:
    """A user's groups that the source itself has torn apart."""
    size = len(facts.ids)
    low, high = np.full(size, 9), np.full(size, -9)
    rank = np.maximum(facts.given, TRAIN)
    np.minimum.at(low, facts.groups[keep], rank[keep])
    np.maximum.at(high, facts.groups[keep], rank[keep])
    rows = np.flatnonzero(keep & (low < high)[facts.groups])
    return finding(
        facts, "groups_across_splits", Severity.WARNING, rows,
        f"{len(rows)} {facts.noun} belong to groups that the given splits tear apart.",
        "They were left where the source puts them; the figures may be too good.",
    )  # fmt: skip
