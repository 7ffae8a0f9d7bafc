"""Dimensions: every value that a space declares can be proposed, also the ones that KerasTuner's own mapping loses."""

import keras_tuner
import numpy as np
import pytest

from pipelines.proposing.declared import dimensions_of
from pipelines.proposing.dimensions import Category, Number, is_there, plain


def declared() -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    hp.Float("dropout", 0.0, 0.5, step=0.1)
    hp.Float("scale", 1e-3, 10.0, step=10, sampling="log")
    hp.Float("late", 1.0, 1000.0, step=10, sampling="reverse_log")
    hp.Float("rate", 1e-4, 1e-1, sampling="log")
    hp.Int("units", 6, 13, step=3)
    hp.Int("width", 16, 64, step=2, sampling="log")
    hp.Int("steps", 1, 100, sampling="log")
    hp.Int("depth", 1, 4)
    hp.Boolean("flip")
    hp.Choice("smoothing", [0.0, 0.05, 0.1], default=0.05)
    hp.Fixed("nothing", 3)
    with hp.conditional_scope("flip", [True]):
        hp.Int("turns", 1, 4)
        with hp.conditional_scope("turns", [2, 3]):
            hp.Choice("axis", ["x", "y"])
    return hp


DECLARED = {one.name: one for one in dimensions_of(declared())}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("dropout", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)),
        ("scale", (0.001, 0.01, 0.1, 1.0, 10.0)),
        ("late", (1.0, 901.0, 991.0, 1000.0)),
        ("units", (6, 9, 12)),
        ("width", (16, 32, 64)),
        ("depth", (1, 2, 3, 4)),
    ],
)
def test_every_value_of_a_stepped_range_is_as_likely(name: str, values: tuple[float, ...]) -> None:
    number = DECLARED[name]
    assert isinstance(number, Number)
    drawn, counts = np.unique([number.to_value(unit) for unit in np.linspace(0, 1, 6001)], return_counts=True)
    assert tuple(drawn) == values
    assert counts.max() - counts.min() <= 2
    assert all(number.to_value(number.to_unit(value)) == value for value in values)
    assert all(isinstance(value, int) == number.whole for value in map(number.to_value, (0.0, 0.4, 1.0)))


@pytest.mark.parametrize("name", ["rate", "steps"])
def test_ranges_without_a_step_reach_both_ends(name: str) -> None:
    number = DECLARED[name]
    assert isinstance(number, Number)
    assert (number.to_value(0.0), number.to_value(1.0)) == pytest.approx((number.low, number.high), rel=1e-12)
    for unit in np.linspace(0, 1, 37):
        value = number.to_value(unit)
        assert number.holds(value)
        assert number.to_value(number.to_unit(value)) == pytest.approx(value, rel=1e-9)


def test_what_is_fixed_is_left_out_and_conditions_are_kept() -> None:
    assert "nothing" not in DECLARED
    axis = DECLARED["axis"]
    assert is_there(axis, {"flip": True, "turns": 2})
    assert not is_there(axis, {"flip": True, "turns": 4})
    assert not is_there(axis, {"flip": False, "turns": 2})
    assert DECLARED["smoothing"].default == 0.05 and DECLARED["dropout"].default == 0.0


def test_foreign_values_are_told_apart() -> None:
    flip, depth, dropout = DECLARED["flip"], DECLARED["depth"], DECLARED["dropout"]
    assert isinstance(flip, Category) and flip.holds(True) and not flip.holds(1)
    assert depth.holds(4) and not depth.holds(5) and not depth.holds(True) and not depth.holds("4")
    assert dropout.holds(0.1 + 0.2) and not dropout.holds(0.25)
    assert not DECLARED["steps"].holds(2.5)


def test_equal_networks_are_the_same_configuration() -> None:
    spaces = {"own": list(DECLARED.values())}
    values = {"flip": False, "depth": 2, "smoothing": 0.1}
    assert plain(("own", values), spaces) == plain(("own", values | {"nothing": 3, "axis": "y", "units": 6}), spaces)
    assert plain(("own", values), spaces) != plain(("own", values | {"units": 9}), spaces)
