"""When a trial is not worth its time any more: asynchronous successive halving, with seconds as the resource.

Li et al. 2020, in the variant that stops (a trial is never paused). Seconds, since an epoch of a head on cached
features costs a hundredth of an epoch of a whole network. docs/decisions/0017 has the figures behind the constants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from records.task import Direction
from records.trial import EpochReport, Trial, TrialState

FIRST_RUNG = 15.0
"""Seconds of training. Trials that ever led were behind until about then: they compile, warm up, and learn at a high
rate while others have cooled down."""
ETA = 3
"""A rung lies at this many times the seconds of the one before, and lets one in so many go on."""
FEWEST_EPOCHS = 2
"""Before that a trial is not judged: where an epoch is long, the first one is the warm-up."""
FLOOR_NUMBER = 0
"""The floor is neither ended nor counted: it must be had, and it is no competitor for time."""


def rungs_passed(report: EpochReport) -> int:
    """How many rungs lie behind a trial: a verdict can only change where this number grows."""
    if report.epoch < FEWEST_EPOCHS or report.seconds < FIRST_RUNG:
        return 0
    return 1 + math.floor(math.log(report.seconds / FIRST_RUNG, ETA) + 1e-9)


def falls_behind(trials: Sequence[Trial], number: int, report: EpochReport, direction: Direction) -> bool:
    """True when the trial is not among the best third of those that came as far as the rung that it just passed.

    Every trial counts with the best score that it had at this trial's age; one that ended sooner counts with its last.
    Of equal scores none is behind the other. With fewer than three others it goes on.

    Args:
        trials: Of the run, with their epochs.
        number: The trial that reports.
        report: Its newest report, which may not be in `trials` yet.
        direction: Of the objective.
    """
    passed = rungs_passed(report)
    if number == FLOOR_NUMBER or passed == 0:
        return False
    rung = FIRST_RUNG * ETA ** (passed - 1)
    others = [
        best
        for trial in trials
        if trial.number not in (FLOOR_NUMBER, number) and _came_as_far(trial, rung)
        if (best := _best_by(trial.epochs, report.seconds, direction)) is not None
    ]
    if len(others) < ETA:
        return False
    own = next((trial.epochs for trial in trials if trial.number == number), ())
    reached = _best_by((*own, report), report.seconds, direction)
    ahead = sum(reached is None or direction.better(other, reached) for other in others)
    return ahead >= math.ceil((len(others) + 1) / ETA)


def _came_as_far(trial: Trial, rung: float) -> bool:
    """It reached the rung, or ended of itself or by a verdict before; one that failed competes with nobody."""
    if trial.state is TrialState.FAILED or not trial.epochs:
        return False
    return trial.state.finished or trial.epochs[-1].seconds >= rung


def _best_by(epochs: Sequence[EpochReport], seconds: float, direction: Direction) -> float | None:
    scores = [epoch.score for epoch in epochs if epoch.seconds <= seconds]
    if not scores:
        return None
    return max(scores) if direction is Direction.MAX else min(scores)
