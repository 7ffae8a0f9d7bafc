"""The algorithms by their names in `records.config.ALGORITHMS`: each proposes from the ledger's rows alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipelines.proposing import estimator, evolution, grid, uniform
from pipelines.proposing.dimensions import Configuration, Dimensions
from records.task import Direction
from records.trial import Trial

Suggest = Callable[[Dimensions, Sequence[Trial], Direction, int], Configuration | None]
"""`(dimensions, trials, direction, seed) -> space and values`, or `None` when there is nothing left to try. Equal
arguments, equal answers; what is in `trials` is never proposed again."""

SUGGEST: dict[str, Suggest] = {
    "tpe": estimator.suggest,
    "random": uniform.suggest,
    "grid": grid.suggest,
    "cmaes": evolution.suggest,
}
KNOWS_BEST = frozenset({"tpe"})
"""Algorithms that begin with what is known to be good: earlier winners and the portfolio. The others are what it is
compared with."""
