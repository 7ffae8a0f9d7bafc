"""How many steps a training takes, and the learning rate on the way."""

from __future__ import annotations

import math

from pipelines.history import Progress
from records.trial import Recipe

SCHEDULES = ("cosine", "one_cycle")
FIRST_RATE = 1 / 25
"""Part of the peak that a one-cycle schedule begins with."""
MEASURED_SECONDS = 1.0
"""Steps are timed for about so long before the schedule is laid out."""
TIME_MARGIN = 0.92
"""Part of the time that the schedule may fill: validation and a slower moment need the rest."""


def learning_rate(recipe: Recipe, step: int, planned_steps: int) -> float:
    """The learning rate of one step, between 0 and the recipe's.

    "cosine": a linear warm-up, then a cosine to 0 (Loshchilov & Hutter 2017). "one_cycle": from a 25th up to the peak
    and down to 0, both along a cosine (Smith 2018, in the form of fast.ai). Smith also lowers the momentum while the
    rate rises; ours stays, since it is a constant of the compiled graph.

    Args:
        recipe: Peak, schedule and length of the warm-up.
        step: Steps that were taken already.
        planned_steps: Length of the whole.

    Raises:
        ValueError: An unknown schedule.
    """
    if recipe.schedule not in SCHEDULES:
        raise ValueError(f"`schedule` must be one of {', '.join(SCHEDULES)}. Received: {recipe.schedule!r}.")
    warmup = max(1.0, planned_steps * recipe.warmup_fraction)
    if step < warmup:
        risen = (step + 1) / warmup
        if recipe.schedule == "one_cycle":
            risen = FIRST_RATE + (1.0 - FIRST_RATE) * _half_cosine(1.0 - min(1.0, risen))
        return recipe.learning_rate * risen
    progress = min(1.0, (step - warmup) / max(1.0, planned_steps - warmup))
    return recipe.learning_rate * max(1e-3, _half_cosine(progress))


def _half_cosine(progress: float) -> float:
    """From 1 down to 0."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


class Timetable:
    """Lays a training out so that it ends in time, by what its steps are measured to take."""

    def __init__(self, at: Progress, most_steps: int, max_seconds: float) -> None:
        """
        Args:
            at: The training's state, whose plan is written here.
            most_steps: That may be planned.
            max_seconds: Of the training, counted like `at.seconds`.
        """
        self.at, self.most_steps, self.max_seconds = at, most_steps, max_seconds

    def step_done(self, seconds: float) -> None:
        """Lays the schedule out once enough steps were timed. The first step compiles the graph and does not count.

        Args:
            seconds: Of the training so far.
        """
        if self.at.step == 1:
            self.at.timed_from = seconds
        elif not self.at.laid_out and seconds - self.at.timed_from >= MEASURED_SECONDS:
            self.lay_out((seconds - self.at.timed_from) / (self.at.step - 1), seconds)

    def epoch_done(self, seconds: float, steps: int) -> None:
        """Lays it out again after each epoch but the first, whose validation compiles: moments differ in speed.

        Args:
            seconds: Of the training so far.
            steps: That the epoch had.
        """
        taken, self.at.epoch_ended = seconds - self.at.epoch_ended, seconds
        if self.at.epochs > 1:
            self.lay_out(taken / steps, seconds)

    def lay_out(self, step_seconds: float, seconds: float) -> None:
        """Plans as many steps as fit into the time that is left.

        Args:
            step_seconds: Of one step, its share of validation included where that is known.
            seconds: Of the training so far.
        """
        at = self.at
        affordable = at.step + max(0, int((self.max_seconds * TIME_MARGIN - seconds) / step_seconds))
        at.planned_steps = at.stop_after = max(at.step, min(self.most_steps, affordable))
        at.step_seconds, at.laid_out = step_seconds, True
