"""Split-conformal sets and intervals: so large that what is true lies inside as often as is asked for.

Nothing is assumed but that examples come in no particular order (Vovk et al. 2005; Lei et al. 2018). numpy alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from records.api import HIGHEST_COVERAGE, LOWEST_COVERAGE
from records.bundle import CONFORMAL
from records.errors import BundleError, InputError
from serving.arrays import read_arrays

MOST_SCORES = 1998
"""That are kept: one for each coverage from 0.5 to 0.999 in steps of a quarter of a thousandth, and one more."""
LEAST_WIDTH = 1e-3
"""Of a forecast's range, relative to the median one: what a score is divided by is never less."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How far answers were off on examples that the network was not fitted on."""

    values: np.ndarray
    """`<float64>[kept]`, ascending; of forecasts `[kept, horizon]`, each step's ascending."""
    ranks: np.ndarray
    """`<int64>[kept]`, ascending: the place of each among all examples, from 1."""
    num_examples: int
    """All of them."""
    least_width: float = 0.0
    """Forecasts: what the range between the outermost quantiles counts as at least."""

    @property
    def max_coverage(self) -> float | None:
        """The largest that can be asked for; `None` where there are too few examples for any."""
        largest = math.floor(1e6 * self.num_examples / (self.num_examples + 1)) / 1e6
        return min(HIGHEST_COVERAGE, largest) if largest >= LOWEST_COVERAGE else None

    def quantile(self, coverage: float) -> np.ndarray:
        """The score that the share `coverage` of new examples does not pass: `<float64>[]` or `[horizon]`.

        The ceil((n + 1) * coverage)-th smallest of n; where that one was not kept, the next larger one.

        Args:
            coverage: 0.5 to 0.999.

        Raises:
            InputError: There are too few examples for it.
        """
        rank = rank_of(coverage, self.num_examples)
        if rank > self.num_examples:
            most = self.max_coverage
            raise InputError(
                f"The model cannot promise a coverage of {coverage:g}: that takes {examples_for(coverage)} examples "
                f"that it was not fitted on, and it has {self.num_examples}. "
                + ("Leave `coverage` out." if most is None else f"Ask for at most {most:g}.")
            )
        return np.asarray(self.values[np.searchsorted(self.ranks, rank)], np.float64)


def rank_of(coverage: float, num_examples: int) -> int:
    """ceil((n + 1) * coverage), where 100 * 0.55 is 55 and not a little more."""
    return math.ceil(round((num_examples + 1) * coverage, 6))


def examples_for(coverage: float) -> int:
    """So many are needed at least for a set or an interval that does not hold everything."""
    return math.ceil(round(coverage / (1.0 - coverage), 6))


def sort_scores(scores: np.ndarray, least_width: float = 0.0) -> Scores:
    """Keeps of many scores what any coverage needs, most of them exactly.

    Args:
        scores: `<float>[examples]` or `[examples, horizon]`.
        least_width: As `Scores` has it.
    """
    count = len(scores)
    ordered = np.sort(np.asarray(scores, np.float64), axis=0)
    if count <= MOST_SCORES:
        return Scores(values=ordered, ranks=np.arange(1, count + 1), num_examples=count, least_width=least_width)
    steps = np.arange(MOST_SCORES - 1) / 4000 + LOWEST_COVERAGE
    ranks = np.unique([*(min(count, rank_of(step, count)) for step in steps), count])
    return Scores(values=ordered[ranks - 1], ranks=ranks, num_examples=count, least_width=least_width)


def class_scores(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """`<float64>[examples]`: 1 minus the probability of the true class (LAC: Sadinle, Lei & Wasserman 2019).

    Args:
        predictions: `<float32>[examples, classes]`.
        targets: `<int64>[examples]`.
    """
    return 1.0 - predictions[np.arange(len(targets)), targets].astype(np.float64)


def number_scores(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """`<float64>[examples]`: absolute residuals, of `<float32>[examples, 1]` (Lei et al. 2018)."""
    return np.abs(predictions[:, 0].astype(np.float64) - targets)


def future_scores(predictions: np.ndarray, targets: np.ndarray, least_width: float) -> np.ndarray:
    """`<float64>[examples, horizon]`: how far what is true lies outside the outermost quantiles, less than 0 inside.

    Conformalised quantile regression (Romano, Patterson & Candès 2019), in units of the range between the quantiles
    (Sesia & Candès 2020), because series of one model may be of very different size.

    Args:
        predictions: `<float32>[examples, horizon, quantiles]`.
        targets: `<float32>[examples, horizon]`.
        least_width: From `least_width_of`.
    """
    low, high, width = _range(predictions, least_width)
    return np.maximum(low - targets, targets - high) / width


def least_width_of(predictions: np.ndarray) -> float:
    """What a range counts as at least, so that one of no width divides by something."""
    return float(LEAST_WIDTH * np.median(np.ptp(predictions.astype(np.float64), axis=-1))) or 1.0


def inside(predictions: np.ndarray, scores: Scores, coverage: float) -> np.ndarray:
    """`<bool>[examples, classes]`: the classes of each set, the most likely one among them always."""
    within = 1.0 - predictions.astype(np.float64) <= scores.quantile(coverage)
    within[np.arange(len(within)), predictions.argmax(axis=1)] = True
    return within


def number_interval(predictions: np.ndarray, scores: Scores, coverage: float) -> tuple[np.ndarray, np.ndarray]:
    """`<float64>[examples]` each: where the intervals begin and end."""
    values, reach = predictions[:, 0].astype(np.float64), scores.quantile(coverage)
    return values - reach, values + reach


def future_interval(predictions: np.ndarray, scores: Scores, coverage: float) -> tuple[np.ndarray, np.ndarray]:
    """`<float64>[examples, horizon]` each: where the intervals begin and end. They hold the middle quantile always."""
    low, high, width = _range(predictions, scores.least_width)
    reach = scores.quantile(coverage) * width
    middle = np.median(predictions.astype(np.float64), axis=-1)
    return np.minimum(low - reach, middle), np.maximum(high + reach, middle)


Interval = Callable[[np.ndarray, Scores, float], tuple[np.ndarray, np.ndarray]]
INTERVALS: dict[str, Interval] = {"regression": number_interval, "forecasting": future_interval}
"""By task."""


def save_scores(folder: Path, scores: Scores) -> None:
    """Writes `conformal.npz` into a bundle."""
    np.savez(
        folder / CONFORMAL,
        values=scores.values,
        ranks=scores.ranks,
        num_examples=np.int64(scores.num_examples),
        least_width=np.float64(scores.least_width),
    )


def load_scores(folder: Path) -> Scores | None:
    """What `save_scores` wrote; `None` in a bundle without.

    Raises:
        BundleError: The file is damaged.
    """
    found = read_arrays(folder / CONFORMAL, ("values", "ranks", "num_examples", "least_width"))
    if not found:
        return None
    values, ranks, counts = found.get("values"), found.get("ranks"), found.get("num_examples")
    whole = (
        values is not None and ranks is not None and counts is not None and "least_width" in found
        and values.ndim in (1, 2) and ranks.shape == values.shape[:1] and counts.ndim == 0
        and 0 < len(ranks) <= MOST_SCORES and int(ranks[-1]) == int(counts)
        and all(np.isfinite(one).all() for one in found.values())
    )  # fmt: skip
    if not whole or values is None or ranks is None or counts is None:
        raise BundleError(f"{folder / CONFORMAL} is damaged: it holds no scores. Package the model again.")
    return Scores(
        values=values, ranks=ranks, num_examples=int(counts), least_width=float(found["least_width"].reshape(-1)[0])
    )


def _range(predictions: np.ndarray, least_width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The outermost quantiles, put in their order where they cross, and how far they lie apart."""
    values = predictions.astype(np.float64)
    low, high = values.min(axis=-1), values.max(axis=-1)
    return low, high, np.maximum(high - low, least_width)
