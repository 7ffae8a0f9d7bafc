"""The grid: every combination once, coarse ones first, the first ones spread over all of it, and nothing stored."""

import itertools
from collections import Counter

from pipelines.proposing.dimensions import Category, Dimension, Number
from pipelines.proposing.grid import combinations

KIND = Category(name="kind", choices=("a", "b", "c"), default="b")
DEPTH = Number(name="depth", low=1, high=6, step=1, default=2, whole=True)
RATE = Number(name="rate", low=1e-4, high=1e-2, default=1e-3, sampling="log")


def test_every_combination_comes_once_and_the_defaults_first() -> None:
    all_of_them = [tuple(values.values()) for values in combinations([KIND, DEPTH])]
    assert all_of_them[0] == ("b", 2)
    assert sorted(all_of_them) == sorted(itertools.product("abc", range(1, 7)))


def test_numbers_are_coarse_first() -> None:
    found = [values["rate"] for values in combinations([RATE])]
    assert set(found[:3]) == {1e-3, 1e-4, 1e-2}
    coarse = [values for values in itertools.islice(combinations([KIND, DEPTH, RATE]), 27)]
    assert {values["depth"] for values in coarse} == {1, 2, 6}
    assert len({tuple(values.values()) for values in coarse}) == 27
    assert len(found) == len(set(found)) > 60


def test_the_first_trials_of_a_huge_grid_vary_everything() -> None:
    dimensions: list[Dimension] = [
        *(Category(name=f"c{i}", choices=("a", "b", "c"), default="a") for i in range(8)),
        *(Number(name=f"n{i}", low=0.0, high=1.0, default=0.5) for i in range(8)),
    ]
    first = list(itertools.islice(combinations(dimensions), 60))
    assert len({tuple(values.values()) for values in first}) == 60
    for dimension in dimensions:
        counts = Counter(values[dimension.name] for values in first)
        assert len(counts) == 3 and min(counts.values()) >= 8


def test_what_is_not_there_multiplies_nothing() -> None:
    dimensions: list[Dimension] = [
        Category(name="optimizer", choices=("adam", "sgd"), default="adam"),
        Category(name="momentum", choices=(0.8, 0.9), default=0.9, conditions=(("optimizer", ("sgd",)),)),
        Category(name="nesterov", choices=(False, True), default=False, conditions=(("momentum", (0.9,)),)),
        Category(name="width", choices=(1, 2), default=1),
    ]
    found = list(combinations(dimensions))
    assert len(found) == len({tuple(values.items()) for values in found}) == 2 + 2 + 4
    for values in found:
        assert ("momentum" in values) == (values["optimizer"] == "sgd")
        assert ("nesterov" in values) == (values.get("momentum") == 0.9)
