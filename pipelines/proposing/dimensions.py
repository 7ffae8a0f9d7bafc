"""What an algorithm may choose: one dimension for each hyperparameter, as data."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from records.trial import Trial, Values

Conditions = tuple[tuple[str, tuple[Any, ...]], ...]
"""`(name, allowed values)` of each hyperparameter that one hangs on; it is there only where all of them hold."""
ALMOST = 1e-9
"""Relative difference below which two numbers are the same value."""


@dataclass(frozen=True, kw_only=True)
class Category:
    """A choice between a few values: strings, booleans or numbers without an order."""

    name: str
    choices: tuple[Any, ...]
    default: Any
    conditions: Conditions = ()

    def holds(self, value: Any) -> bool:
        """Whether it may have this value. `True` is no 1."""
        return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in self.choices)


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number from a range, laid out on the unit interval so that every value is equally likely.

    KerasTuner's own mapping is not used: with a step it loses the top of a range of floats (0.5 of 0 to 0.5 in steps
    of 0.1), and at the end of the interval it leaves a range of integers without one.
    """

    name: str
    low: float
    high: float
    """Included."""
    default: Any
    step: float | None = None
    """Distance of two values; their ratio where `sampling` is logarithmic. `None`: any value between."""
    sampling: str = "linear"
    """"linear", "log" (small values as likely as large ones) or "reverse_log" (values near `high` are)."""
    whole: bool = False
    """Integers only."""
    conditions: Conditions = ()

    @cached_property
    def levels(self) -> tuple[Any, ...] | None:
        """Every value, ascending, where there is a step."""
        if self.step is None:
            return None
        if self.sampling == "linear":
            count = math.floor((self.high - self.low) / self.step + ALMOST) + 1
            values = [self.low + i * self.step for i in range(count)]
        else:
            count = math.floor(math.log(self.high / self.low) / math.log(self.step) + ALMOST) + 1
            values = [self.low * self.step**i for i in range(count)]
            if self.sampling == "reverse_log":
                values = sorted(self.high + self.low - value for value in values)
        return tuple(round(value) if self.whole else float(f"{value:.12g}") for value in values)

    def to_value(self, unit: float) -> Any:
        """The value at a place of the unit interval, both ends included."""
        levels = self.levels
        if levels is not None:
            return levels[min(int(unit * len(levels)), len(levels) - 1)]
        high = self.high + 1 if self.whole else self.high
        if self.sampling == "linear":
            value = self.low + unit * (high - self.low)
        elif self.sampling == "log":
            value = self.low * (high / self.low) ** unit
        else:
            value = high + self.low - self.low * (high / self.low) ** (1.0 - unit)
        value = min(max(value, self.low), self.high)
        return int(value) if self.whole else value

    def to_unit(self, value: float) -> float:
        """Where a value lies, 0 to 1; what is outside the range lies at its end."""
        levels = self.levels
        if levels is not None:
            nearest = min(range(len(levels)), key=lambda i: abs(levels[i] - value))
            return (nearest + 0.5) / len(levels)
        high, value = (self.high + 1, value + 0.5) if self.whole else (self.high, value)
        value = min(max(value, self.low), high)
        if high == self.low:
            return 0.5
        if self.sampling == "linear":
            return (value - self.low) / (high - self.low)
        if self.sampling == "log":
            return math.log(value / self.low) / math.log(high / self.low)
        return 1.0 - math.log((high + self.low - value) / self.low) / math.log(high / self.low)

    def holds(self, value: Any) -> bool:
        """Whether it may have this value."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if self.levels is not None:
            return any(math.isclose(value, level, rel_tol=ALMOST, abs_tol=ALMOST) for level in self.levels)
        return self.low <= value <= self.high and (not self.whole or value == int(value))


Dimension = Category | Number
Dimensions = dict[str, Sequence[Dimension]]
"""The dimensions of each space, by the space's name; what a hyperparameter hangs on comes before it."""
Configuration = tuple[str, Values]
"""A space, and a value for each of its hyperparameters that is there."""


def is_there(dimension: Dimension, values: Values) -> bool:
    """Whether the hyperparameter exists where those before it have these values."""
    return all(name in values and values[name] in allowed for name, allowed in dimension.conditions)


def plain(configuration: Configuration, dimensions: Dimensions) -> str:
    """Equal for two configurations that make the same network: without what is fixed or not there, defaults filled
    in."""
    space, given = configuration
    values: Values = {}
    for dimension in dimensions.get(space, ()):
        if is_there(dimension, values):
            values[dimension.name] = given.get(dimension.name, dimension.default)
    return json.dumps([space, values], sort_keys=True)


def tried(trials: Sequence[Trial], dimensions: Dimensions) -> set[str]:
    """What was proposed so far, however it went: `plain` of each trial."""
    return {plain((trial.space, trial.values), dimensions) for trial in trials if trial.space in dimensions}
