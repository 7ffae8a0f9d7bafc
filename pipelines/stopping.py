"""When a trial is not worth its time any more: the median rule, with seconds as the resource.

Seconds, since an epoch of a head on cached features costs a hundredth of an epoch of a whole network.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from records.task import Direction
from records.trial import EpochReport, Trial, TrialState

GRACE_SHARE = 1 / 3
"""Of its time that every trial gets: slow starters often end best."""
FEWEST_OTHERS = 3


def hopeless(
    trials: Sequence[Trial], number: int, report: EpochReport, max_seconds: float, direction: Direction
) -> bool:
    """True when the trial's best score so far is worse than the median of what others had reached by then.

    Golovin et al. 2017, section 3.2.2. Others that ended sooner count with their last best score; the floor baseline
    does not count.

    Args:
        trials: Of the run, with their epochs.
        number: The trial that reports.
        report: Its newest report, which may not be in `trials` yet.
        max_seconds: The time that it was given.
        direction: Of the objective.
    """
    if report.seconds < GRACE_SHARE * max_seconds:
        return False
    own = next((trial.epochs for trial in trials if trial.number == number), ())
    others = [
        best
        for trial in trials
        if trial.number not in (0, number) and trial.state is TrialState.COMPLETED
        if (best := _best_by(trial.epochs, report.seconds, direction)) is not None
    ]
    if len(others) < FEWEST_OTHERS:
        return False
    reached = _best_by((*own, report), report.seconds, direction)
    return reached is not None and direction.better(statistics.median(others), reached)


def _best_by(epochs: Sequence[EpochReport], seconds: float, direction: Direction) -> float | None:
    scores = [epoch.score for epoch in epochs if epoch.seconds <= seconds]
    if not scores:
        return None
    return max(scores) if direction is Direction.MAX else min(scores)
