"""Proposals: a pure function of the rows, inside the ranges, better than chance, and never twice the same."""

import numpy as np

from pipelines.proposals import Dimension, suggest
from records.task import Direction
from records.trial import Trial, TrialState


def number(name: str) -> Dimension:
    return Dimension(name=name, choices=None, to_value=lambda unit: unit * 10.0, to_unit=lambda value: value / 10.0)


def choice(name: str, *choices: object) -> Dimension:
    return Dimension(name=name, choices=choices, to_value=lambda unit: None, to_unit=lambda value: 0.0)


SPACES = {"left": [number("left/x"), choice("left/kind", "a", "b")], "right": [number("right/y")]}


def trial(index: int, space: str, values: dict, score: float | None, state: TrialState = TrialState.COMPLETED) -> Trial:  # type: ignore[type-arg]
    return Trial(run_id="r", number=index, space=space, values=values, state=state, seed=0, score=score)


def climb(direction: Direction, count: int = 40) -> list[Trial]:
    trials: list[Trial] = []
    for i in range(count):
        proposal = suggest(SPACES, trials, direction, seed=3)
        assert proposal is not None
        space, values = proposal
        loss = (values["left/x"] - 7.0) ** 2 + (values["left/kind"] == "a") if space == "left" else 30.0
        trials.append(trial(i, space, values, -loss if direction is Direction.MAX else loss))
    return trials


def test_finds_the_good_corner_of_a_conditional_space() -> None:
    for direction in Direction:
        best = min(climb(direction), key=lambda one: abs(one.score or 0.0))
        assert best.space == "left" and best.values["left/kind"] == "b"
        assert abs(best.values["left/x"] - 7.0) < 1.0


def test_equal_rows_give_equal_proposals() -> None:
    rows = climb(Direction.MAX, 9)
    assert suggest(SPACES, rows, Direction.MAX, seed=3) == suggest(SPACES, rows, Direction.MAX, seed=3)
    assert suggest(SPACES, rows, Direction.MAX, seed=3) != suggest(SPACES, rows, Direction.MAX, seed=4)


def test_values_stay_in_their_ranges() -> None:
    for one in climb(Direction.MIN, 25):
        assert set(one.values) == {dimension.name for dimension in SPACES[one.space]}
        assert all(0.0 <= value <= 10.0 for value in one.values.values() if isinstance(value, float))


def test_running_and_failed_trials_are_understood() -> None:
    rows = [
        trial(0, "floor", {}, 0.2),
        trial(1, "left", {"left/x": 3.0, "left/kind": "a"}, None, TrialState.FAILED),
        trial(2, "right", {"right/y": 3.0}, None, TrialState.RUNNING),
        trial(3, "right", {"right/y": 4.0}, 0.5),
    ]
    assert suggest(SPACES, rows, Direction.MAX, seed=0) is not None


def test_an_exhausted_space_ends_the_search() -> None:
    tiny = {"only": [choice("only/kind", "a", "b")]}
    rows = [trial(i, "only", {"only/kind": kind}, 0.1) for i, kind in enumerate("ab")]
    assert suggest(tiny, rows, Direction.MAX, seed=0) is None


def test_avoids_where_trials_failed() -> None:
    rows = [trial(i, "right", {"right/y": float(i % 10)}, None, TrialState.FAILED) for i in range(10)]
    rows += [trial(10 + i, "left", {"left/x": float(i), "left/kind": "b"}, 0.8 + i / 100) for i in range(10)]
    proposed = [suggest(SPACES, rows, Direction.MAX, seed=seed) for seed in range(12)]
    assert np.mean([one is not None and one[0] == "left" for one in proposed]) > 0.7
