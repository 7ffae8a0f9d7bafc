"""The clock of a run: what is left, what must be kept back, and how long the next trial may take.

All times are seconds of the monotonic clock, which every process of a machine shares.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from records.errors import BudgetError
from records.trial import Trial, TrialState

START_SECONDS = 10.0
"""A worker's start: importing Keras with TensorFlow, on two slow cores."""
FLOOR_SECONDS = 6.0
"""Compiling and training the linear floor for a moment."""
PACKAGE_SECONDS = 12.0
"""Export, parity check, report, card and registration of a small network."""
PACKAGE_SECONDS_PER_PARAMETER = 4e-6
"""What a large one costs more: it is built again, saved, exported, loaded twice and copied."""
EVALUATE_SECONDS_PER_EXAMPLE = 6e-4
"""Of the test split: two thousand resamples of three models take so long on two slow cores."""
SHORTEST_TRIAL = 4.0
"""A trial with less time than this learns nothing that counts."""
LARGEST_SHARE = 0.25
"""Of the search's time that one trial may take, so that one slow network cannot spend it all."""
REFIT_FACTOR = 1.25
"""A last fit takes so much longer than the trial did: more examples, and a margin."""


@dataclass(frozen=True, kw_only=True)
class Governor:
    """Wall-clock promises of one run."""

    started: float
    deadline: float
    num_test: int = 0
    """Examples that the evaluation must predict."""
    refit_examples_factor: float = 1.2
    """Examples of the last fit by those of a trial."""

    @property
    def left(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.deadline - time.monotonic()

    def check_start(self, prepare_seconds: float) -> None:
        """Refuses a budget that cannot end in a bundle.

        Args:
            prepare_seconds: What loading and preparing is expected to take from now on.

        Raises:
            BudgetError: Says how many seconds are needed.
        """
        needed = START_SECONDS + FLOOR_SECONDS + PACKAGE_SECONDS + prepare_seconds
        if self.left < needed:
            spent = time.monotonic() - self.started
            raise BudgetError(
                f"The budget of {self.deadline - self.started:.0f} s is too short for the floor baseline and "
                f"packaging. Expected at least {needed + spent:.0f} s. Give a longer --budget."
            )

    def finish_seconds(self, best: Trial | None) -> float:
        """What evaluating and packaging `best` and the floor will take."""
        always = PACKAGE_SECONDS + EVALUATE_SECONDS_PER_EXAMPLE * self.num_test
        if best is None or best.result is None:
            return always
        predicting = 2.0 * self.num_test * best.result.predict_seconds
        return always + PACKAGE_SECONDS_PER_PARAMETER * best.result.num_parameters + predicting

    def refit_seconds(self, best: Trial | None) -> float:
        """What the last fit of `best` will take; 0 for the floor, which is not fitted again."""
        if best is None or best.result is None or best.space == "floor":
            return 0.0
        needed_share = best.result.best_step / max(1, best.result.steps)
        return REFIT_FACTOR * self.refit_examples_factor * best.result.train_seconds * needed_share + 2.0

    def search_left(self, best: Trial | None) -> float:
        """Seconds for more trials when evaluating, packaging and refitting `best` are kept back."""
        return self.left - self.finish_seconds(best) - self.refit_seconds(best)

    def next_trial_seconds(self, trials: Sequence[Trial], best: Trial | None) -> float | None:
        """How long the next trial may take, or `None` when the search must end.

        A trial that wins must still be fitted again: so it gets what is left divided by itself and its refit.
        """
        left = self.left - self.finish_seconds(best)
        if not trials:  # the floor: it must be had
            return max(SHORTEST_TRIAL, min(0.25 * left, 60.0))
        share = max(LARGEST_SHARE * (self.deadline - self.started), 3 * SHORTEST_TRIAL)
        with_own_refit = left / (1.0 + REFIT_FACTOR * self.refit_examples_factor)
        allowed = min(share, with_own_refit, left - self.refit_seconds(best))
        return allowed if allowed >= max(SHORTEST_TRIAL, 0.5 * _fastest(trials)) else None


def _fastest(trials: Sequence[Trial]) -> float:
    """Seconds of the quickest real trial so far; 0 without any."""
    done = [t.result.seconds for t in trials if t.state is TrialState.COMPLETED and t.result and t.number > 0]
    return min(done, default=0.0)
