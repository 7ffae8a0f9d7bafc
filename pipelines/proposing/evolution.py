"""CMA-ES (Hansen 2016): numbers from a normal distribution that follows the best trials, choices drawn around them.

Each space has its own distribution, which is computed anew from the ledger's rows: whoever reads the same rows
proposes the same. Choices have no covariance; half of the time they are those of the best trial so far, else uniform.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.proposing import uniform
from pipelines.proposing.dimensions import Configuration, Dimensions, Number, is_there, plain, tried
from records.task import Direction
from records.trial import Trial, Values, best_trial

if TYPE_CHECKING:
    from cmaes import CMA

FIRST_SIGMA = 0.25
"""Of the unit interval: the first generation covers most of a range whose default lies near its middle."""
KEEP = 0.5
"""How often a choice is that of the best trial."""
MAX_REPEATS = 20
"""Proposals that were all tried before: then a uniform draw takes their place."""


def suggest(dimensions: Dimensions, trials: Sequence[Trial], direction: Direction, seed: int) -> Configuration | None:
    """The next configuration; each space's first one has its defaults. `None` when the spaces are exhausted.

    Args:
        dimensions: Of every space that may be proposed.
        trials: All of the run so far. A generation counts once it has ended: running trials do not change the
            distribution.
        direction: Of the objective.
        seed: With the number of trials it fixes the proposal.
    """
    for space in dimensions:
        if all(trial.space != space for trial in trials):
            return _defaults(space, dimensions)
    before = tried(trials, dimensions)
    generator = random.Random(f"{seed}:{len(trials)}")
    best = best_trial([trial for trial in trials if trial.space in dimensions], direction)
    space = best.space if best and generator.random() < KEEP else generator.choice(sorted(dimensions))
    own = [trial for trial in trials if trial.space == space]
    distribution = _distribution(dimensions, space, own, direction, generator.randrange(2**31))
    best = best_trial(own, direction)
    for _ in range(MAX_REPEATS):
        proposal = space, _values(dimensions, space, distribution.ask(), best.values if best else {}, generator)
        if plain(proposal, dimensions) not in before:
            return proposal
    return uniform.suggest(dimensions, trials, direction, seed)


def _defaults(space: str, dimensions: Dimensions) -> Configuration:
    values: Values = {}
    for dimension in dimensions[space]:
        if is_there(dimension, values):
            values[dimension.name] = dimension.default
    return space, values


def _numbers(dimensions: Dimensions, space: str) -> list[Number]:
    return [dimension for dimension in dimensions[space] if isinstance(dimension, Number)]


def _distribution(dimensions: Dimensions, space: str, own: Sequence[Trial], direction: Direction, seed: int) -> CMA:
    """What the ended trials of the space say, generation by generation in the order of their numbers."""
    from cmaes import CMA  # it loads scipy, which takes a second

    numbers = _numbers(dimensions, space)
    ended = [trial for trial in own if trial.state.finished]
    scores = [trial.score for trial in ended if trial.score is not None]
    worst = (min if direction is Direction.MAX else max)(scores, default=0.0)
    sign = -1.0 if direction is Direction.MAX else 1.0
    mean = _point(numbers, {})
    distribution = CMA(mean=mean, sigma=FIRST_SIGMA, bounds=np.array([[0.0, 1.0]] * len(mean)), seed=seed)
    size = distribution.population_size
    for start in range(0, len(ended) - size + 1, size):
        generation = ended[start : start + size]
        distribution.tell(
            [(_point(numbers, one.values), sign * (worst if one.score is None else one.score)) for one in generation]
        )
    return distribution


def _point(numbers: Sequence[Number], values: Values) -> np.ndarray:
    """`<float64>[dimensions]` on the unit cube; the library wants two dimensions at least."""
    units = [one.to_unit(values.get(one.name, one.default)) for one in numbers]
    return np.array([*units, *[0.5] * (2 - len(units))])


def _values(dimensions: Dimensions, space: str, point: np.ndarray, best: Values, generator: random.Random) -> Values:
    numbers = [one.name for one in _numbers(dimensions, space)]
    values: Values = {}
    for dimension in dimensions[space]:
        keep, drawn = generator.random() < KEEP, generator.random()
        if not is_there(dimension, values):
            continue
        if isinstance(dimension, Number):
            values[dimension.name] = dimension.to_value(float(point[numbers.index(dimension.name)]))
        elif keep and dimension.holds(best.get(dimension.name)):
            values[dimension.name] = best[dimension.name]
        else:
            values[dimension.name] = dimension.choices[int(drawn * len(dimension.choices))]
    return values
