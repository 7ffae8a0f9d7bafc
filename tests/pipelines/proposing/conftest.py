"""Two small spaces whose best corner is known, one of them with a hyperparameter that hangs on another."""

from collections.abc import Callable, Sequence

import pytest

from pipelines.proposing.dimensions import Category, Configuration, Dimensions, Number
from records.task import Direction
from records.trial import Trial, TrialState, Values

SPACES: Dimensions = {
    "left": [
        Number(name="left/x", low=0.0, high=10.0, default=2.0),
        Category(name="left/kind", choices=("a", "b"), default="a"),
    ],
    "right": [
        Category(name="right/deep", choices=(False, True), default=False),
        Number(name="right/y", low=0.0, high=10.0, default=5.0),
        Number(
            name="right/layers", low=1, high=3, step=1, default=2, whole=True, conditions=(("right/deep", (True,)),)
        ),
    ],
}
Suggest = Callable[[Dimensions, Sequence[Trial], Direction, int], Configuration | None]


def trial(
    index: int, space: str, values: Values, score: float | None, state: TrialState = TrialState.COMPLETED
) -> Trial:
    return Trial(run_id="r", number=index, space=space, values=values, state=state, seed=0, score=score)


def loss_of(space: str, values: Values) -> float:
    """0 at its best: left, x = 7, kind b."""
    return (values["left/x"] - 7.0) ** 2 + (values["left/kind"] == "a") if space == "left" else 30.0


@pytest.fixture
def spaces() -> Dimensions:
    return SPACES


@pytest.fixture
def make_trial() -> Callable[..., Trial]:
    return trial


@pytest.fixture
def climb() -> Callable[..., list[Trial]]:
    """Lets an algorithm search, and tells what it tried."""

    def climbed(suggest: Suggest, direction: Direction = Direction.MIN, count: int = 40, seed: int = 3) -> list[Trial]:
        trials: list[Trial] = []
        for i in range(count):
            proposal = suggest(SPACES, trials, direction, seed)
            assert proposal is not None
            loss = loss_of(*proposal)
            trials.append(trial(i, *proposal, -loss if direction is Direction.MAX else loss))
        return trials

    return climbed
