"""What every algorithm must keep to: a pure function of the rows, inside the ranges, and never twice the same."""

import json
from collections.abc import Callable

import pytest

from pipelines.proposing.algorithms import SUGGEST, Suggest
from pipelines.proposing.dimensions import Category, Dimensions, is_there, plain
from records.config import ALGORITHMS
from records.task import Direction
from records.trial import Trial, TrialState

Climb = Callable[..., list[Trial]]
every_algorithm = pytest.mark.parametrize("suggest", SUGGEST.values(), ids=SUGGEST)


def test_every_algorithm_that_can_be_asked_for_is_there() -> None:
    assert set(SUGGEST) == set(ALGORITHMS)


@every_algorithm
def test_equal_rows_give_equal_proposals(suggest: Suggest, climb: Climb, spaces: Dimensions) -> None:
    rows = climb(suggest, count=15)
    assert rows == climb(suggest, count=15)
    assert suggest(spaces, rows, Direction.MIN, 3) == suggest(spaces, rows, Direction.MIN, 3)


@every_algorithm
def test_values_stay_in_their_ranges_and_hang_on_their_parents(
    suggest: Suggest, climb: Climb, spaces: Dimensions
) -> None:
    rows = climb(suggest, count=40)
    assert {row.space for row in rows} == {"left", "right"}
    for row in rows:
        expected = [one for one in spaces[row.space] if is_there(one, row.values)]
        assert list(row.values) == [one.name for one in expected]
        assert all(one.holds(row.values[one.name]) for one in expected)
        assert json.loads(json.dumps(row.values)) == row.values
    assert any("right/layers" in row.values for row in rows)


@every_algorithm
def test_nothing_is_proposed_twice_while_it_runs(suggest: Suggest, spaces: Dimensions, make_trial: Callable) -> None:  # type: ignore[type-arg]
    rows: list[Trial] = []
    for i in range(30):
        proposal = suggest(spaces, rows, Direction.MAX, 5)
        assert proposal is not None
        assert plain(proposal, spaces) not in {plain((row.space, row.values), spaces) for row in rows}
        rows.append(make_trial(i, *proposal, None, TrialState.RUNNING if i % 2 else TrialState.WAITING))


@every_algorithm
def test_exhausted_spaces_end_the_search(suggest: Suggest, make_trial: Callable) -> None:  # type: ignore[type-arg]
    tiny: Dimensions = {
        "one": [Category(name="one/kind", choices=("a", "b"), default="a")],
        "two": [],
    }
    rows: list[Trial] = [make_trial(0, "floor", {}, 0.1)]
    while (proposal := suggest(tiny, rows, Direction.MAX, 0)) is not None:
        rows.append(make_trial(len(rows), *proposal, 0.5))
    assert sorted((row.space, *row.values.values()) for row in rows[1:]) == [("one", "a"), ("one", "b"), ("two",)]


@every_algorithm
def test_failed_floors_and_strangers_are_understood(suggest: Suggest, spaces: Dimensions, make_trial: Callable) -> None:  # type: ignore[type-arg]
    rows = [
        make_trial(0, "floor", {}, None, TrialState.FAILED),
        make_trial(1, "left", {"left/x": 3.0, "left/kind": "a"}, None, TrialState.FAILED),
        make_trial(2, "right", {"right/deep": True, "right/y": 3.0, "right/layers": 9}, 0.4),  # a range that was wider
        make_trial(3, "right", {"right/deep": False, "right/y": 4.0, "right/layers": 2}, 0.5, TrialState.PRUNED),
        make_trial(4, "gone", {"gone/z": 1}, 0.9),
    ]
    assert suggest(spaces, rows, Direction.MAX, 0) is not None


@pytest.mark.parametrize("name", ["tpe", "cmaes"])
def test_those_that_learn_find_the_good_corner(name: str, climb: Climb) -> None:
    for direction in Direction:
        best = min(climb(SUGGEST[name], direction), key=lambda one: abs(one.score or 0.0))
        assert best.space == "left" and best.values["left/kind"] == "b"
        assert abs(best.values["left/x"] - 7.0) < 1.0
