"""The estimator: keeps away from failures, and other seeds propose other things."""

from collections.abc import Callable

import numpy as np

from pipelines.proposing.dimensions import Category, Dimensions
from pipelines.proposing.estimator import suggest
from records.task import Direction
from records.trial import TrialState


def test_other_seeds_propose_other_things(climb: Callable, spaces: Dimensions) -> None:  # type: ignore[type-arg]
    rows = climb(suggest, count=9)
    assert suggest(spaces, rows, Direction.MIN, 3) != suggest(spaces, rows, Direction.MIN, 4)


def test_avoids_where_trials_failed(spaces: Dimensions, make_trial: Callable) -> None:  # type: ignore[type-arg]
    failed = {"right/deep": False, "right/layers": 2}
    rows = [make_trial(i, "right", failed | {"right/y": float(i)}, None, TrialState.FAILED) for i in range(10)]
    rows += [make_trial(10 + i, "left", {"left/x": float(i), "left/kind": "b"}, 0.8 + i / 100) for i in range(10)]
    proposed = [suggest(spaces, rows, Direction.MAX, seed) for seed in range(12)]
    assert np.mean([one is not None and one[0] == "left" for one in proposed]) > 0.7


def test_two_spaces_may_use_one_name_for_different_things(make_trial: Callable) -> None:  # type: ignore[type-arg]
    spaces: Dimensions = {
        "one": [Category(name="width", choices=(1, 2, 3), default=1)],
        "two": [Category(name="width", choices=("narrow", "wide"), default="wide")],
    }
    rows = [make_trial(0, "one", {"width": 2}, 0.5), make_trial(1, "two", {"width": "wide"}, 0.6)]
    assert suggest(spaces, rows, Direction.MAX, 0) is not None
