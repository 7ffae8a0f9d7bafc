"""The clock of a run: what is left, what must be kept back, and how long the next trial may take.

All times are seconds of the monotonic clock, which every process of a machine shares.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.costs import GUESSED, Costs
from records.errors import BudgetError
from records.trial import Trial

SHORTEST_TRIAL = 3.0
"""A trial with less time than this learns nothing that counts."""
LEAST_PART = 0.25
"""Of the quickest trial's time; with less, none is begun. Schedules are laid out for the time that a trial gets."""
LARGEST_SHARE = 0.25
"""Of the search's time that one trial may take, so that one slow network cannot spend it all."""
REFIT_FACTOR = 1.05
"""A last fit may take so much longer for each example than the trial did, although it validates nothing."""
REFIT_SECONDS = 1.5
"""Opening the spaces again, and building the network."""
ONE_OFF_SHARE = 0.5
"""Of the search's time that a trial may take which computes something that later ones find ready."""
LAST_SHARE = 0.12
"""Of the budget, at its end, in which trials also run that could not be fitted again: better than idling."""


@dataclass(frozen=True, kw_only=True)
class Governor:
    """Wall-clock promises of one run."""

    started: float
    deadline: float
    num_test: int = 0
    """Examples that the evaluation must predict."""
    refit_examples_factor: float = 1.2
    """Examples of the last fit by those of a trial."""
    costs: Costs = GUESSED
    """Of everything but trials, on this machine."""

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
        needed = self.costs.start + self.costs.floor + self.costs.package + prepare_seconds
        if self.left < needed:
            spent = time.monotonic() - self.started
            raise BudgetError(
                f"The budget of {self.deadline - self.started:.0f} s is too short for the floor baseline and "
                f"packaging. Expected at least {needed + spent:.0f} s. Give a longer --budget."
            )

    def finish_seconds(self, best: Trial | None) -> float:
        """What evaluating and packaging `best` and the floor will take."""
        if best is None or best.result is None:
            return self.costs.packaging(0) + self.costs.evaluating(self.num_test, 0.0)
        evaluating = self.costs.evaluating(self.num_test, best.result.predict_seconds)
        return self.costs.packaging(best.result.num_parameters) + evaluating

    def refit_seconds(self, best: Trial | None) -> float:
        """What the last fit of `best` will take; 0 for the floor, which is not fitted again."""
        if best is None or best.result is None or best.space == "floor":
            return 0.0
        needed_share = best.result.best_step / max(1, best.result.steps)
        return REFIT_FACTOR * self.refit_examples_factor * best.result.train_seconds * needed_share + REFIT_SECONDS

    def training_seconds(self, num_parameters: int, predict_seconds: float) -> float:
        """How long a network of this size may still be trained when it is to be evaluated and packaged itself.

        Args:
            num_parameters: Of the whole network.
            predict_seconds: For one example, as far as that is known.
        """
        finishing = self.costs.packaging(num_parameters) + self.costs.evaluating(self.num_test, predict_seconds)
        return self.left - finishing

    def search_left(self, best: Trial | None, reserve: float = 0.0) -> float:
        """Seconds for more trials when evaluating, packaging and refitting `best`, and `reserve`, are kept back."""
        return self.left - self.finish_seconds(best) - self.refit_seconds(best) - reserve

    def next_trial_seconds(
        self, trials: Sequence[Trial], best: Trial | None, reserve: float = 0.0, one_off: bool = False
    ) -> float | None:
        """How long the next trial may take, or `None` when the search must end.

        A trial that wins must still be fitted again: so it gets what is left divided by itself and its refit. At the
        very end of the budget it may have all that is left: should it win, its own weights are packaged.

        Args:
            trials: All so far.
            best: The best of them.
            reserve: Seconds that are wanted for something else at the end.
            one_off: Whether most of its time will go into what need not be done again, in its refit or later.
        """
        left = self.left - self.finish_seconds(best) - reserve
        if not trials:  # the floor: it must be had
            return max(SHORTEST_TRIAL, min(0.25 * left, 60.0))
        budget = self.deadline - self.started
        beside_refit = left - self.refit_seconds(best)
        if one_off:
            return max(SHORTEST_TRIAL, min(ONE_OFF_SHARE * budget, beside_refit))
        share = max(LARGEST_SHARE * budget, 3 * SHORTEST_TRIAL)
        with_own_refit = left / (1.0 + REFIT_FACTOR * self.refit_examples_factor)
        allowed = min(share, max(with_own_refit, LAST_SHARE * budget), beside_refit)
        return allowed if allowed >= max(SHORTEST_TRIAL, LEAST_PART * _fastest(trials)) else None


def _fastest(trials: Sequence[Trial]) -> float:
    """Seconds of the quickest real trial so far; 0 without any."""
    done = [t.result.seconds for t in trials if t.scored and t.result and t.number > 0]
    return min(done, default=0.0)
