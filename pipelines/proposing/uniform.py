"""Uniform draws: the honest baseline that any other algorithm must beat (Bergstra & Bengio 2012)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pipelines.proposing.dimensions import Category, Configuration, Dimensions, is_there, plain, tried
from records.task import Direction
from records.trial import Trial, Values

MAX_REPEATS = 200
"""Draws that were all tried before: then the spaces count as exhausted."""


def suggest(dimensions: Dimensions, trials: Sequence[Trial], direction: Direction, seed: int) -> Configuration | None:
    """A space, each as likely as the others, and a value for each of its hyperparameters.

    Args:
        dimensions: Of every space that may be proposed.
        trials: All of the run so far: none of them is proposed again.
        direction: Not used.
        seed: With the number of trials it fixes the proposal.

    Returns:
        `None` when 200 draws in a row were tried before.
    """
    generator = random.Random(f"{seed}:{len(trials)}")
    known = tried(trials, dimensions)
    for _ in range(MAX_REPEATS):
        drawn = draw(dimensions, generator)
        if plain(drawn, dimensions) not in known:
            return drawn
    return None


def draw(dimensions: Dimensions, generator: random.Random) -> Configuration:
    """One uniform draw, whatever was tried."""
    space = generator.choice(sorted(dimensions))
    values: Values = {}
    for dimension in dimensions[space]:
        unit = generator.random()  # also where it is not there, so that what follows does not shift
        if not is_there(dimension, values):
            continue
        if isinstance(dimension, Category):
            values[dimension.name] = dimension.choices[int(unit * len(dimension.choices))]
        else:
            values[dimension.name] = dimension.to_value(unit)
    return space, values
