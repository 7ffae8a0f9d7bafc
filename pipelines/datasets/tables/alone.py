"""Whether one column alone tells the target, in rows that were held back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FEWEST = 100
"""Rows held back; fewer do not tell a leak from a good column."""
FEWEST_OF_A_CLASS = 5
RIGHT, RIGHT_IN_EACH = 0.995, 0.99
"""Share of right answers, and its mean over the classes, from which a class is given away."""
EXPLAINED, EXPLAINED_RANKS = 0.999, 0.995
"""Shares of variance from which a number is given away; that of its ranks too, which a few huge values do not rule."""
FEWEST_COPIED = 20
"""Rows in which a column may be another spelling of the classes, by chance less than once in 2 ** 19."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The target; one of the two."""

    codes: np.ndarray | None = None
    """`<int64>[rows]`."""
    numbers: np.ndarray | None = None
    """`<float64>[rows]`."""


def explains(answer: Answer, values: np.ndarray, ordered: bool) -> float | None:
    """How well the column tells the target where that is nearly perfect: the share of right answers, or of variance.

    Half of the rows teach, the other half is asked. A value that was taught, or where order means something the
    nearest one (numbers: the line between the nearest two), gives the answer. So a column with a different value in
    each row tells nothing, unless the order of its values is that of the target.

    Args:
        answer: The target, known in every row.
        values: `<float64>[rows]`, NaN where missing, which is a value too.
        ordered: Whether values that are near mean something alike.
    """
    if answer.codes is not None and _is_copy(answer.codes, values):
        return 1.0
    taught = np.random.default_rng(0).permutation(len(values)) % 2 == 0
    if (~taught).sum() < FEWEST:
        return None
    levels, places = _levels(values, taught, ordered)
    if answer.codes is not None:
        return _of_classes(answer.codes, taught, places, len(levels))
    assert answer.numbers is not None
    share = _of_numbers(answer.numbers, values, taught, levels, places, ordered)
    if share < EXPLAINED:
        return None
    ranks = np.unique(answer.numbers, return_inverse=True)[1].astype(np.float64)
    return share if _of_numbers(ranks, values, taught, levels, places, ordered) >= EXPLAINED_RANKS else None


def _is_copy(codes: np.ndarray, values: np.ndarray) -> bool:
    """Whether each class has a value of its own, and each value a class."""
    if len(values) < FEWEST_COPIED:
        return False
    sampled = np.unique(values[:: max(1, len(values) // 100)], equal_nan=True)
    if len(sampled) > (most := codes.max() + 1):
        return False
    filled = np.unique(values, return_inverse=True, equal_nan=True)[1]
    pairs, counts = np.unique(filled * most + codes, return_counts=True)
    present = len(np.unique(codes))
    if not filled.max() + 1 == present == len(pairs):
        return False
    return bool(np.sort(counts)[-2] >= FEWEST_OF_A_CLASS)


def _levels(values: np.ndarray, taught: np.ndarray, ordered: bool) -> tuple[np.ndarray, np.ndarray]:
    """The values that were taught, ascending, and for each row its place among them: the nearest one's where order
    means something; one after the last for a missing value; two after it for what was not taught."""
    known = values[taught & ~np.isnan(values)]
    levels = np.unique(known)
    missing = np.isnan(values)
    if not len(levels):
        return levels, np.where(missing, 0, 1)
    right = np.searchsorted(levels, values).clip(0, len(levels) - 1)
    left = (right - 1).clip(0)
    if ordered:
        places = np.where(np.abs(values - levels[left]) < np.abs(values - levels[right]), left, right)
    else:
        places = np.where(levels[right] == values, right, len(levels) + 1)
    return levels, np.where(missing, len(levels), places)


def _of_classes(codes: np.ndarray, taught: np.ndarray, places: np.ndarray, num_levels: int) -> float | None:
    classes = int(codes.max()) + 1
    usual = np.bincount(codes[taught], minlength=classes).argmax()
    told = np.full(num_levels + 2, usual)
    pairs, counts = np.unique(places[taught] * classes + codes[taught], return_counts=True)
    order = np.argsort(counts, kind="stable")  # the most frequent class of a level is written last
    told[pairs[order] // classes] = pairs[order] % classes
    told[num_levels + 1] = usual
    asked = codes[~taught]
    right = told[places[~taught]] == asked
    sizes = np.bincount(asked, minlength=classes)
    if right.mean() < RIGHT or (sizes >= FEWEST_OF_A_CLASS).sum() < 2:
        return None
    each = np.bincount(asked, right, minlength=classes)[sizes > 0] / sizes[sizes > 0]
    return float(right.mean()) if each.mean() >= RIGHT_IN_EACH else None


def _of_numbers(
    numbers: np.ndarray,
    values: np.ndarray,
    taught: np.ndarray,
    levels: np.ndarray,
    places: np.ndarray,
    ordered: bool,
) -> float:
    """The share of the variance that is told."""
    counts = np.bincount(places[taught], minlength=len(levels) + 2)
    sums = np.bincount(places[taught], numbers[taught], minlength=len(levels) + 2)
    told = np.where(counts > 0, sums / np.maximum(counts, 1), numbers[taught].mean())
    guesses = told[places[~taught]]
    if ordered and len(levels):
        asked = values[~taught]
        guesses = np.where(np.isnan(asked), guesses, np.interp(asked, levels, told[: len(levels)]))
    truth = numbers[~taught]
    spread = np.square(truth - truth.mean()).sum()
    return float(1 - np.square(truth - guesses).sum() / spread) if spread > 0 else 0.0
