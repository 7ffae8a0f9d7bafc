"""A wall clock for programs that have none: KerasTuner's and AutoKeras' searches stop in time for their last fit.

`Timed` is a mixin for `keras_tuner.Tuner`. It looks at the clock after every batch. When what is left is needed for
fitting the best configuration once more, it ends the trial where it stands and lets the search return as if its trials
had run out, so that what follows is the program's own way.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import keras
from keras_tuner import errors

SLOWER = 1.3
"""The last fit has the validation examples too, and compiles anew."""
LEAST_SHARE = 0.7
"""Of the time that the last fit is expected to take: with less, the weights of the search are taken."""
CLOSING_SECONDS = 3.0
"""For reading and writing weights."""
NO_TIME = "No time for the last fit on all examples."
OBJECTIVE = "val_accuracy"


@dataclass
class Clock:
    """Wall clock since the process was asked for."""

    started: float
    """`time.time()` when it was."""
    seconds: float
    """That it may take."""

    def used(self) -> float:
        return time.time() - self.started

    def left(self) -> float:
        return self.seconds - self.used()


class TimeIsUpError(Exception):
    """Ends a training from within."""


class NoModelError(Exception):
    """No trial came to the end of an epoch."""


class StopAt(keras.callbacks.Callback):
    """Ends a `fit` at the deadline; `cut` says whether it did."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.cut = False

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.clock.left() < CLOSING_SECONDS:
            self.cut = self.model.stop_training = True


@dataclass
class Reached:
    """How far a trial came."""

    began: float = field(default_factory=time.monotonic)
    before: float = 0.0
    """Seconds of the trial that it goes on from."""
    scores: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    best: float = -1.0
    best_epochs: int = 0
    """Epochs to the best one, those of the trial that it goes on from among them."""
    best_seconds: float = 0.0

    def add(self, epochs: int, score: float, loss: float) -> None:
        self.scores.append(score)
        self.losses.append(loss)
        if score > self.best:
            self.best, self.best_epochs = score, epochs
            self.best_seconds = self.before + time.monotonic() - self.began


class Timed:
    """Goes before a tuner class: `class TimedHyperband(Timed, keras_tuner.Hyperband)`. Set `clock` before `search`."""

    clock: Clock
    oracle: Any

    def watch(self, clock: Clock) -> None:
        """Starts looking at the clock."""
        self.clock = clock
        self.reached: dict[str, Reached] = {}
        self.curve: list[list[float]] = []
        self.slowest_start = 0.0
        # a configuration that is too large or whose weights are not there must not end the search
        self.oracle.max_consecutive_failed_trials = 10**6

    def best(self) -> Reached | None:
        """Of all trials so far, the running one too."""
        done = [one for one in self.reached.values() if one.scores]
        return max(done, key=lambda one: one.best, default=None)

    def last_fit_seconds(self) -> float:
        best = self.best()
        return CLOSING_SECONDS + (SLOWER * best.best_seconds if best else 0.0)

    def last_fit_is_possible(self) -> bool:
        """Whether it can come near its end."""
        return self.clock.left() > LEAST_SHARE * self.last_fit_seconds()

    def on_batch_end(self, trial: Any, model: Any, batch: int, logs: Any = None) -> None:
        if batch == 0 and not (reached := self.reached[trial.trial_id]).scores:
            self.slowest_start = max(self.slowest_start, time.monotonic() - reached.began)
        if self.clock.left() < self.last_fit_seconds():
            raise TimeIsUpError

    def on_epoch_end(self, trial: Any, model: Any, epoch: int, logs: Any = None) -> None:
        reached = self.reached[trial.trial_id]
        reached.add(epoch + 1, float(logs[OBJECTIVE]), float(logs["val_loss"]))
        best = round(reached.best, 4)
        if not self.curve or best > self.curve[-1][1]:
            self.curve.append([round(self.clock.used(), 1), best])

    def _build_and_fit_model(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        parent = self.reached.get(trial.hyperparameters.values.get("tuner/trial_id"))
        reached = self.reached[trial.trial_id] = Reached(before=parent.best_seconds if parent else 0.0)
        try:
            # building and compiling cannot be stopped
            if self.clock.left() < self.last_fit_seconds() + self.slowest_start:
                raise TimeIsUpError
            return super()._build_and_fit_model(trial, *args, **kwargs)  # type: ignore[misc]
        except TimeIsUpError:
            self.oracle.max_trials = 1  # the oracle hands out no more
            if not reached.scores:
                raise errors.FailedTrialError("The time is up.") from None
            history = keras.callbacks.History()
            history.history = {OBJECTIVE: reached.scores, "val_loss": reached.losses}
            history.epoch = list(range(len(reached.scores)))
            return history
