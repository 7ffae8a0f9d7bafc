"""Columns of numbers and of categories: how their cells become elements of a row's array.

Each column does it twice, with equal results: `encode_cell` for one cell of a request, `encode_array` for thousands of
cells while preparing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from records.api import Cell
from records.spec import ColumnKind
from serving.codecs.cells import number_of, words_of
from serving.codecs.fields import check

LARGEST = 5.0
"""Of a scaled value."""
MAX_VALUES = 1000
"""Known categories of a column; rarer ones are unknown."""
MAX_QUANTILES = 200
SHOWN_VALUES = 50
"""Categories in a description."""
MISSING_CODE, UNKNOWN_CODE, FIRST_CODE = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class NumberColumn:
    """A number, put to about a standard normal by its rank among the training values; 0 where it is missing."""

    name: str
    values: tuple[float, ...]
    """Quantiles of the training split, ascending."""
    scores: tuple[float, ...]
    """What each of them becomes, between -5 and 5; between them it is linear, beyond them it stays."""
    flag: bool
    """Whether a second element says that the number is missing."""
    typical: float
    low: float
    high: float

    kind = ColumnKind.NUMBER
    size = 0

    def __post_init__(self) -> None:
        numbers = [*self.values, *self.scores, self.typical, self.low, self.high]
        check(0 < len(self.values) == len(self.scores) <= MAX_QUANTILES, self.name, "values and scores", self.values)
        check(all(type(number) in (int, float) for number in numbers), self.name, "numbers", numbers)
        check(all(math.isfinite(number) for number in numbers), self.name, "finite numbers", numbers)
        check(list(self.values) == sorted(set(self.values)), self.name, "rising values", self.values)
        check(all(abs(score) <= LARGEST for score in self.scores), self.name, "scores", self.scores)
        check(type(self.flag) is bool, self.name, "flag", self.flag)

    @property
    def width(self) -> int:
        return 1 + self.flag

    @cached_property
    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.values, np.float64), np.array(self.scores, np.float64)

    def encode_cell(self, cell: Cell, out: np.ndarray) -> None:
        """Writes to `<float32>[width]`, which holds zeros."""
        number = number_of(self.name, cell)
        if number == number:
            out[0] = np.interp(number, *self._curve)
        elif self.flag:
            out[1] = 1.0

    def encode_array(self, cells: np.ndarray, out: np.ndarray) -> None:
        """From `<float64>[count]`, missing ones not finite, to `<float32>[count, width]`."""
        known = np.isfinite(cells)
        out[:, 0] = np.where(known, np.interp(np.where(known, cells, 0.0), *self._curve), 0.0)
        if self.flag:
            out[:, 1] = ~known

    def describe(self) -> dict[str, Any]:
        """Its `ColumnDescription`."""
        return {"typical": _plain(self.typical), "low": self.low, "high": self.high}


@dataclass(frozen=True, kw_only=True)
class CategoryColumn:
    """One of a set of words: 0 missing, 1 unknown, then the known ones."""

    name: str
    values: tuple[str, ...]
    """The known ones, most frequent first."""

    kind = ColumnKind.CATEGORY
    width = 1

    def __post_init__(self) -> None:
        check(len(self.values) <= MAX_VALUES, self.name, f"at most {MAX_VALUES} values", len(self.values))
        check(all(type(value) is str for value in self.values), self.name, "values", self.values)
        check(len(set(self.values)) == len(self.values), self.name, "distinct values", self.values)

    @property
    def size(self) -> int:
        """Number of codes."""
        return FIRST_CODE + len(self.values)

    @cached_property
    def _codes(self) -> dict[str | None, int]:
        return {None: MISSING_CODE} | {value: FIRST_CODE + i for i, value in enumerate(self.values)}

    def code_of(self, cell: Cell) -> int:
        """The code of one cell."""
        words = words_of(self.name, cell)
        if not words:
            return MISSING_CODE
        return next((self._codes[word] for word in words if word in self._codes), UNKNOWN_CODE)

    def encode_cell(self, cell: Cell, out: np.ndarray) -> None:
        """Writes to `<float32>[1]`."""
        out[0] = self.code_of(cell)

    def encode_array(self, cells: np.ndarray, out: np.ndarray) -> None:
        """From `<object>[count]` of words or other cells to `<float32>[count, 1]`."""
        known = self._codes
        codes = np.array([known.get(cell, -1) if type(cell) is str else -1 for cell in cells], np.int32)
        for row in np.flatnonzero(codes < 0):
            codes[row] = self.code_of(cells[row])
        out[:, 0] = codes

    def describe(self) -> dict[str, Any]:
        """Its `ColumnDescription`."""
        return {"typical": self.values[0] if self.values else None, "values": list(self.values[:SHOWN_VALUES])}


def _plain(number: float) -> float | int:
    """Whole numbers without a point."""
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
