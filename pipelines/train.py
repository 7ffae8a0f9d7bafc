"""The one training loop: trials, the last fit and the benchmarks use it."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import keras
import numpy as np

from pipelines.batches import TrainingData, prefetched, steps_per_epoch, training_batches, validation_batches
from pipelines.graph import Graph
from pipelines.history import History, Progress
from pipelines.metrics import example_losses, score
from pipelines.pace import Pace
from pipelines.steps import StepsPerCall, predict_batch
from pipelines.timetable import Timetable, learning_rate
from records.task import Task
from records.trial import EpochReport, Recipe, Report, Verdict

WAIT_EVERY = 16
"""Steps after which the loop waits for the device, so that the clock is not read far ahead of it."""


class NotFinite(Exception):
    """The loss or a prediction became NaN or infinite: these values diverge."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long to train, where it is not left to the clock."""

    planned_steps: int
    """Length of the schedule."""
    stop_after: int
    """Steps to take; at most `planned_steps`."""


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """Where a training begins, and who is told how far it is."""

    start: Progress | None = None
    """What an earlier process kept of this very training; `None`: it begins anew."""
    keep: Callable[[Callable[[], Progress]], None] = lambda progress: None
    """Called after each epoch but the last with a function that copies the training's state."""


_PLAIN, _ANEW = Pace(), Resumption()


def train(
    model: keras.Model | Graph,
    recipe: Recipe,
    data: TrainingData,
    task: Task,
    report: Report,
    max_seconds: float,
    schedule: Schedule | None = None,
    pace: Pace = _PLAIN,
    resumption: Resumption = _ANEW,
    clock: Callable[[], float] = time.perf_counter,
) -> History:
    """Trains `model` in place and leaves its best weights in it.

    The schedule is laid out so that it ends in time: the first steps are measured, then it gets as many steps as
    fit, at most `recipe.max_epochs`. With a `schedule` the clock decides nothing but when to give up.

    Args:
        model: A network of a search space, not compiled; or its graph, at the start of a training.
        recipe: How to train.
        data: Without validation rows nothing is validated, and the last weights are kept.
        task: Gives the loss and the objective.
        report: Called after each epoch that was validated; its `STOP` ends the training.
        max_seconds: Wall clock for all of it from now on. A training that goes on gets no more than it began with.
        schedule: Fixed numbers of steps, for the last fit.
        pace: How the steps are compiled, and batches made ready; a graph has its own already.
        resumption: What a killed training goes on from.
        clock: Seconds.

    Raises:
        NotFinite: The loss is NaN or infinite.
    """
    loop = _Loop(model, recipe, data, task, max_seconds, schedule, pace, clock)
    if resumption.start is not None:
        loop.resume(resumption.start)
    batches = prefetched(training_batches(data, recipe, loop.at.step), loop.graph.pace.prefetch)
    while not loop.done:
        loop.epoch(batches)
        if not loop.validate(report):
            break
        if not loop.done:
            resumption.keep(loop.progress)
    return loop.finish()


class _Loop:
    """The state of one training; `train` is its story."""

    def __init__(
        self,
        model: keras.Model | Graph,
        recipe: Recipe,
        data: TrainingData,
        task: Task,
        max_seconds: float,
        schedule: Schedule | None,
        pace: Pace,
        clock: Callable[[], float],
    ) -> None:
        self.clock = clock
        self.started = clock()
        self.recipe, self.data, self.task = recipe, data, task
        self.per_epoch = steps_per_epoch(len(data.train_rows), recipe.batch_size)
        self.fixed = schedule is not None
        planned = schedule.planned_steps if schedule else recipe.max_epochs * self.per_epoch
        stop_after = schedule.stop_after if schedule else planned
        self.at = Progress(planned_steps=planned, stop_after=stop_after, max_seconds=max_seconds)
        self.timetable = Timetable(self.at, planned, max_seconds)
        self.epoch_began = 0
        self.per_call = StepsPerCall()
        self.graph = model if isinstance(model, Graph) else Graph(model, recipe, data, task, pace)

    def resume(self, start: Progress) -> None:
        """Goes back to where an earlier process was. Compiling again counts against the time, but not as a step's."""
        began = self.clock()
        self.graph.warm_up()
        warm_seconds = self.clock() - began
        self.graph.load(start.variables, start.optimizer_variables)
        self.at = dataclasses.replace(start, reports=list(start.reports), variables=[], optimizer_variables=[])
        allowed = start.seconds + self.timetable.max_seconds - warm_seconds
        self.timetable = Timetable(self.at, self.timetable.most_steps, min(start.max_seconds, allowed))
        self.started = self.clock() - start.seconds
        if self.at.laid_out and allowed < start.max_seconds:
            self.timetable.lay_out(self.at.step_seconds, self.seconds)

    def progress(self) -> Progress:
        """A copy of all that the rest of the training depends on."""
        return dataclasses.replace(
            self.at,
            seconds=self.seconds,
            reports=list(self.at.reports),
            variables=self.graph.variables(),
            optimizer_variables=self.graph.optimizer_variables(),
        )

    @property
    def seconds(self) -> float:
        return self.clock() - self.started

    @property
    def done(self) -> bool:
        return self.at.step >= self.at.stop_after or (self.at.step > 0 and self.seconds > self.timetable.max_seconds)

    def epoch(self, batches: Iterator[tuple[np.ndarray, np.ndarray]]) -> None:
        """Takes the steps of one pass, fewer where the schedule or the time ends."""
        self.graph.new_epoch()
        self.epoch_began = self.at.step
        loss, left = math.nan, min(self.per_epoch, self.at.stop_after - self.at.step)
        while left > 0:
            taken = list(islice(batches, min(left, self.per_call.steps)))
            steps = range(self.at.step, self.at.step + len(taken))
            loss = self.graph.train(taken, [learning_rate(self.recipe, i, self.at.planned_steps) for i in steps])
            self.at.step += len(taken)
            if len(taken) > 1 or self.at.step % WAIT_EVERY == 0 or not (self.fixed or self.at.laid_out):
                float(loss)
            self.per_call.taken(taken, self.seconds)
            if not self.fixed:
                self.timetable.step_done(self.seconds)
            left = min(left - len(taken), self.at.stop_after - self.at.step)
            if self.done:
                break
        self.at.train_loss = float(loss)
        if not math.isfinite(self.at.train_loss):
            raise NotFinite(f"The training loss became {self.at.train_loss} at step {self.at.step}.")
        self.at.epochs += 1

    def validate(self, report: Report) -> bool:
        """Scores the validation split and keeps the best weights. False: stop training."""
        if not len(self.data.validation_rows):
            return True
        with self.graph.averaged():
            predictions = np.concatenate([self.graph.predict(batch) for batch in validation_batches(self.data)])
            if not self.fixed:
                self.timetable.epoch_done(self.seconds, self.at.step - self.epoch_began)
            if not np.isfinite(predictions).all():
                raise NotFinite(f"Predictions became NaN or infinite at step {self.at.step}.")
            truth = self.data.validation_truth
            value = float(score(self.task, truth, predictions)[self.task.objective])
            loss = float(example_losses(self.task, truth, predictions).mean())
            self._keep_if_better(value, loss, predictions)
        told = EpochReport(
            epoch=self.at.epochs, score=value, train_loss=self.at.train_loss, val_loss=loss, seconds=self.seconds
        )
        self.at.reports.append(told)
        if report(told) is not Verdict.CONTINUE:
            return False
        return self.at.epochs_without_better < self.recipe.patience

    def _keep_if_better(self, value: float, loss: float, predictions: np.ndarray) -> None:
        """Few validation examples soon have the same score for ever: of equal scores the lower loss is better."""
        at = self.at
        better = not at.best_step or self.task.direction.better(value, at.best_score)
        better = better or (value == at.best_score and loss < at.best_loss)
        at.epochs_without_better = 0 if better else at.epochs_without_better + 1
        if better:
            at.best_score, at.best_loss, at.best_step, at.best_predictions = value, loss, at.step, predictions
            at.best_weights = self.graph.model.get_weights()

    def finish(self) -> History:
        """Puts the best weights into the network; the last ones where nothing was validated."""
        if self.at.best_weights:
            self.graph.model.set_weights(self.at.best_weights)
        else:
            self.graph.take_averages()
        self.at.seconds = self.seconds
        return History(
            reports=self.at.reports,
            best_step=self.at.best_step or self.at.step,
            best_score=self.at.best_score,
            best_loss=self.at.best_loss,
            steps=self.at.step,
            planned_steps=self.at.planned_steps,
            steps_per_epoch=self.per_epoch,
            seconds=self.at.seconds,
            predictions=self.at.best_predictions,
        )


def predict(model: keras.Model, data: TrainingData) -> np.ndarray:
    """`<float32>[validation, ...]`: what `model` says of the validation rows."""
    batches = list(validation_batches(data))
    return np.concatenate([predict_batch(model, batch, len(batches[0])) for batch in batches])
