"""The median rule: hopeless trials end early, slow starters and the first few never."""

import pytest

from pipelines.stopping import hopeless
from records.task import Direction
from records.trial import EpochReport, Trial, TrialState


def epoch(number: int, score: float, seconds: float) -> EpochReport:
    return EpochReport(epoch=number, score=score, train_loss=1.0, val_loss=1.0, seconds=seconds)


def finished(number: int, *points: tuple[float, float]) -> Trial:
    epochs = tuple(epoch(i + 1, score, seconds) for i, (seconds, score) in enumerate(points))
    return Trial(
        run_id="r", number=number, space="s", values={}, state=TrialState.COMPLETED, seed=0, score=0.9, epochs=epochs
    )


OTHERS = [finished(0, (1.0, 0.99)), *(finished(i, (5.0, 0.5), (20.0, 0.8)) for i in (1, 2, 3))]


@pytest.mark.parametrize(
    ("score", "seconds", "ends"),
    [
        (0.1, 20.0, False),  # within its grace
        (0.6, 40.0, True),  # others had 0.8 by then
        (0.85, 40.0, False),
    ],
)
def test_a_trial_is_compared_with_others_at_its_age(score: float, seconds: float, ends: bool) -> None:
    assert hopeless(OTHERS, 7, epoch(3, score, seconds), 90.0, Direction.MAX) is ends


def test_others_count_with_what_they_had_by_then() -> None:
    assert not hopeless(OTHERS, 7, epoch(1, 0.6, 10.0), 15.0, Direction.MAX)


def test_its_own_best_score_counts() -> None:
    own = Trial(
        run_id="r",
        number=7,
        space="s",
        values={},
        state=TrialState.RUNNING,
        seed=0,
        epochs=(epoch(1, 0.85, 10.0),),
    )
    assert not hopeless([*OTHERS, own], 7, epoch(2, 0.3, 40.0), 90.0, Direction.MAX)


def test_the_first_trials_are_never_ended() -> None:
    assert not hopeless(OTHERS[:3], 7, epoch(3, 0.1, 40.0), 90.0, Direction.MAX)


def test_less_may_be_better() -> None:
    assert hopeless(OTHERS, 7, epoch(3, 0.9, 40.0), 90.0, Direction.MIN)
    assert not hopeless(OTHERS, 7, epoch(3, 0.2, 40.0), 90.0, Direction.MIN)
