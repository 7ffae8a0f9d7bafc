"""Successive halving: a trial behind at a rung ends, a slow starter before the first rung and the first few never."""

import numpy as np
import pytest

from pipelines.stopping import ETA, FIRST_RUNG, falls_behind, rungs_passed
from records.task import Direction
from records.trial import EpochReport, Trial, TrialState

RUNG = FIRST_RUNG
SECOND = FIRST_RUNG * ETA


def epoch(number: int, score: float, seconds: float) -> EpochReport:
    return EpochReport(epoch=number, score=score, train_loss=1.0, val_loss=1.0, seconds=seconds)


def trial(number: int, *points: tuple[float, float], state: TrialState = TrialState.COMPLETED) -> Trial:
    """A trial that had these scores after these seconds."""
    epochs = tuple(epoch(i + 1, score, seconds) for i, (seconds, score) in enumerate(points))
    return Trial(run_id="r", number=number, space="s", values={}, state=state, seed=0, score=None, epochs=epochs)


FLOOR = trial(0, (1.0, 0.99))
OTHERS = [FLOOR, *(trial(i, (5.0, 0.5), (RUNG + 1, 0.6 + i / 100), (SECOND + 1, 0.8 + i / 100)) for i in range(1, 6))]


@pytest.mark.parametrize(
    ("number", "seconds", "passed"),
    [
        (9, RUNG - 0.1, 0),
        (1, 500.0, 0),  # one epoch, however long, is a warm-up
        (2, RUNG, 1),
        (2, SECOND - 0.1, 1),
        (2, SECOND, 2),
        (90, RUNG * ETA**4, 5),
    ],
)
def test_rungs_are_seconds(number: int, seconds: float, passed: int) -> None:
    assert rungs_passed(epoch(number, 0.5, seconds)) == passed


@pytest.mark.parametrize(
    ("score", "seconds", "ends"),
    [
        (0.1, RUNG - 1, False),  # not there yet
        (0.61, RUNG + 2, True),  # four of five had more by then
        (0.64, RUNG + 2, False),  # the second best of six
        (0.64, SECOND + 2, True),  # but not later
        (0.845, SECOND + 2, False),
    ],
)
def test_a_trial_is_compared_with_others_at_its_age(score: float, seconds: float, ends: bool) -> None:
    assert falls_behind(OTHERS, 7, epoch(3, score, seconds), Direction.MAX) is ends


def test_of_equal_scores_none_is_behind() -> None:
    level = [trial(i, (RUNG, 0.7)) for i in range(1, 9)]
    assert not falls_behind(level, 9, epoch(3, 0.7, RUNG), Direction.MAX)


def test_the_first_trials_and_the_floor_are_never_ended() -> None:
    assert not falls_behind(OTHERS[:3], 7, epoch(3, 0.1, SECOND), Direction.MAX)
    assert falls_behind(OTHERS[:4], 7, epoch(3, 0.1, SECOND), Direction.MAX)
    assert not falls_behind(OTHERS, 0, epoch(3, 0.1, SECOND), Direction.MAX)


def test_the_floor_is_no_competitor() -> None:
    others = [FLOOR, *(trial(i, (RUNG, 0.3)) for i in (1, 2, 3))]
    assert not falls_behind(others, 7, epoch(3, 0.4, RUNG), Direction.MAX)


def test_only_trials_that_came_as_far_or_ended_are_counted() -> None:
    young = [trial(i, (RUNG - 1, 0.9), state=TrialState.RUNNING) for i in range(1, 5)]
    failed = [trial(i, (RUNG - 1, 0.9), state=TrialState.FAILED) for i in range(1, 5)]
    pruned = [trial(i, (RUNG - 1, 0.9), state=TrialState.PRUNED) for i in range(1, 5)]
    waiting = [trial(i, (RUNG + 1, 0.9), state=TrialState.WAITING) for i in range(1, 5)]
    report = epoch(3, 0.5, RUNG + 2)
    assert not falls_behind(young, 7, report, Direction.MAX)
    assert not falls_behind(failed, 7, report, Direction.MAX)
    assert falls_behind(pruned, 7, report, Direction.MAX)
    assert falls_behind(waiting, 7, report, Direction.MAX)


def test_its_own_best_score_counts() -> None:
    own = trial(7, (10.0, 0.85), state=TrialState.RUNNING)
    assert not falls_behind([*OTHERS, own], 7, epoch(2, 0.3, SECOND), Direction.MAX)


def test_less_may_be_better() -> None:
    others = [trial(i, (RUNG, 1.0 + i / 10)) for i in range(1, 6)]
    assert falls_behind(others, 7, epoch(3, 1.45, RUNG), Direction.MIN)
    assert not falls_behind(others, 7, epoch(3, 1.15, RUNG), Direction.MIN)


def test_a_trial_that_leads_at_the_end_and_was_among_the_best_before_is_kept() -> None:
    """Power laws with one order at all times: whatever their number, the best one is never ended."""
    rates = list(np.random.default_rng(2).permutation(np.linspace(0.2, 1.2, 20)))
    trials: list[Trial] = []
    for number, rate in enumerate(rates, 1):
        points: list[tuple[float, float]] = []
        for i in range(1, 61):
            report = epoch(i, 1.0 - (2.0 * i) ** -rate, 2.0 * i)
            before = rungs_passed(epoch(i - 1, 0.0, points[-1][0])) if points else 0
            points.append((report.seconds, report.score))
            if rungs_passed(report) > before and falls_behind(trials, number, report, Direction.MAX):
                break
        trials.append(trial(number, *points))
    lengths = [len(one.epochs) for one in trials]
    assert lengths[rates.index(max(rates))] == 60
    assert sum(lengths) < 0.65 * 20 * 60
