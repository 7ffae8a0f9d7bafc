"""Every combination, in a fixed order that visits the whole grid evenly from its first trials on.

The order is computed, not stored: a product of a dozen hyperparameters has more members than fit into memory. Numbers
are coarse first, their default and the two ends of their range; once these combinations are exhausted, each gap gets
its middle, and so on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from pipelines.proposing.dimensions import Category, Configuration, Dimension, Dimensions, is_there, plain, tried
from records.task import Direction
from records.trial import Trial, Values

FINEST = 6
"""Times that gaps are halved; then a range of floats counts as exhausted."""
GOLDEN = (math.sqrt(5) - 1) / 2


def suggest(dimensions: Dimensions, trials: Sequence[Trial], direction: Direction, seed: int) -> Configuration | None:
    """The first combination that was not tried, from the space with the fewest trials.

    Args:
        dimensions: Of every space that may be proposed.
        trials: All of the run so far.
        direction: Not used.
        seed: Not used: the order is the same in every run.

    Returns:
        `None` when every combination was tried.
    """
    known = tried(trials, dimensions)
    counts = {space: sum(trial.space == space for trial in trials) for space in dimensions}
    for space in sorted(dimensions, key=lambda name: (counts[name], list(dimensions).index(name))):
        for values in combinations(dimensions[space]):
            if plain((space, values), dimensions) not in known:
                return space, values
    return None


def combinations(dimensions: Sequence[Dimension]) -> Iterator[Values]:
    """Every combination once, the defaults first, coarse ones before fine ones."""
    coarser: _Grid | None = None
    for fineness in range(FINEST + 1):
        grid = _Grid(dimensions, fineness)
        if coarser is not None and grid.size == coarser.size:
            continue
        for place in range(grid.size):
            values = grid.at(place)
            if coarser is None or not coarser.holds(values):
                yield values
        coarser = grid


class _Grid:
    """All combinations at one fineness, by number. Each holds only what is there: conditions cut the tree short."""

    def __init__(self, dimensions: Sequence[Dimension], fineness: int) -> None:
        self.dimensions = dimensions
        self.levels = [_levels(dimension, fineness) for dimension in dimensions]
        self.parents = {name for dimension in dimensions for name, _ in dimension.conditions}
        self._sizes: dict[tuple[int, str], int] = {}

    @cached_property
    def size(self) -> int:
        return self._size(0, {})

    @cached_property
    def stride(self) -> int:
        """Steps of the golden ratio spread over the whole grid (Weyl); coprime, so that they meet every combination."""
        stride = max(1, round(self.size * GOLDEN))
        while math.gcd(stride, self.size) != 1:
            stride += 1
        return stride

    def at(self, place: int) -> Values:
        """The combination at a place of the order, 0 to `size` - 1; the first one has all defaults."""
        number, values = place * self.stride % self.size, dict[str, Any]()
        for i, dimension in enumerate(self.dimensions):
            if not is_there(dimension, values):
                continue
            for level in self.levels[i]:
                size = self._size(i + 1, {**values, dimension.name: level})
                if number < size:
                    values[dimension.name] = level
                    break
                number -= size
        return values

    def holds(self, values: Values) -> bool:
        return all(values[one.name] in self.levels[i] for i, one in enumerate(self.dimensions) if one.name in values)

    def _size(self, index: int, values: Values) -> int:
        """How many ways there are to go on from `index`, where `values` were chosen before."""
        if index == len(self.dimensions):
            return 1
        key = index, repr([values.get(name) for name in sorted(self.parents)])
        if key not in self._sizes:
            dimension = self.dimensions[index]
            if not is_there(dimension, values):
                size = self._size(index + 1, values)
            elif dimension.name in self.parents:
                size = sum(self._size(index + 1, {**values, dimension.name: one}) for one in self.levels[index])
            else:
                size = len(self.levels[index]) * self._size(index + 1, values)
            self._sizes[key] = size
        return self._sizes[key]


def _levels(dimension: Dimension, fineness: int) -> list[Any]:
    """Its values at a fineness, the default first."""
    if isinstance(dimension, Category):
        found = list(dimension.choices)
    else:
        parts = 2**fineness
        found = [dimension.to_value(i / parts) for i in range(parts + 1)]
        if dimension.levels is not None and len(dimension.levels) <= parts + 1:
            found = list(dimension.levels)
    if not dimension.holds(dimension.default):
        return found
    return [dimension.default, *(one for one in dict.fromkeys(found) if one != dimension.default)]
