"""The one training loop: trials, the last fit and the benchmarks use it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import keras
import numpy as np

from pipelines.batches import TrainingData, steps_per_epoch, training_batches, validation_batches
from pipelines.metrics import example_losses, score
from records.task import Task
from records.trial import EpochReport, Recipe, Report, Verdict
from search_spaces import heads

MEASURED_SECONDS = 1.0
"""Steps are timed for about so long before the schedule is laid out."""
TIME_MARGIN = 0.92
"""Part of the time that the schedule may fill: validation and a slower moment need the rest."""


class NotFinite(Exception):
    """The loss or a prediction became NaN or infinite: these values diverge."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long to train, where it is not left to the clock."""

    planned_steps: int
    """Length of the cosine."""
    stop_after: int
    """Steps to take; at most `planned_steps`."""


@dataclass(kw_only=True)
class History:
    """What a training gave. The model itself holds the best weights afterwards."""

    reports: list[EpochReport]
    best_step: int
    best_score: float
    best_loss: float
    steps: int
    planned_steps: int
    steps_per_epoch: int
    seconds: float
    predictions: np.ndarray
    """`<float32>[validation, ...]` at the best step; no rows without a validation split."""


def train(
    model: keras.Model,
    recipe: Recipe,
    data: TrainingData,
    task: Task,
    report: Report,
    max_seconds: float,
    schedule: Schedule | None = None,
) -> History:
    """Trains `model` in place and leaves its best weights in it.

    The schedule is laid out so that it ends in time: the first steps are measured, then the cosine gets as many
    steps as fit, at most `recipe.max_epochs`. With a `schedule` the clock decides nothing but when to give up.

    Args:
        model: A network of a search space, not compiled.
        recipe: How to train.
        data: Without validation rows nothing is validated, and the last weights are kept.
        task: Gives the loss and the objective.
        report: Called after each epoch that was validated; its `STOP` ends the training.
        max_seconds: Wall clock for all of it.
        schedule: Fixed numbers of steps, for the last fit.

    Raises:
        NotFinite: The loss is NaN or infinite.
    """
    loop = _Loop(model, recipe, data, task, max_seconds, schedule)
    batches = training_batches(data, recipe)
    while not loop.done:
        loop.epoch(batches)
        if not loop.validate(report):
            break
    return loop.finish()


class _Loop:
    """The state of one training; `train` is its story."""

    def __init__(
        self,
        model: keras.Model,
        recipe: Recipe,
        data: TrainingData,
        task: Task,
        max_seconds: float,
        schedule: Schedule | None,
    ) -> None:
        self.started = time.perf_counter()
        self.model, self.recipe, self.data, self.task = model, recipe, data, task
        self.max_seconds = max_seconds
        self.per_epoch = steps_per_epoch(len(data.train_rows), recipe.batch_size)
        self.fixed = schedule is not None
        self.planned = schedule.planned_steps if schedule else recipe.max_epochs * self.per_epoch
        self.stop_after = schedule.stop_after if schedule else self.planned
        self.view, from_logits = heads.training_view(model)
        self.optimizer = make_optimizer(recipe)
        self.view.compile(self.optimizer, heads.HEADS[task.name].loss(data.spec, from_logits))
        self.step, self.epochs = 0, 0
        self.timed_from = 0.0
        self.epoch_ended = 0.0
        self.laid_out = False
        self.train_loss = math.nan
        self.reports: list[EpochReport] = []
        self.best_score, self.best_loss, self.best_step = math.nan, math.inf, 0
        self.best_weights: list[np.ndarray] | None = None
        self.best_predictions = np.zeros((0, 1), np.float32)
        self.epochs_without_better = 0

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    @property
    def done(self) -> bool:
        return self.step >= self.stop_after or (self.step > 0 and self.seconds > self.max_seconds)

    def epoch(self, batches: object) -> None:
        """Takes the steps of one pass, fewer where the schedule or the time ends."""
        self.view.reset_metrics()
        for _ in range(min(self.per_epoch, self.stop_after - self.step)):
            self.optimizer.learning_rate = self.learning_rate()
            inputs, targets = next(batches)  # type: ignore[call-overload]
            self.train_loss = float(self.view.train_on_batch(inputs, targets))
            self.step += 1
            if not self.fixed:
                self._time_step()
            if self.done:
                break
        if not math.isfinite(self.train_loss):
            raise NotFinite(f"The training loss became {self.train_loss} at step {self.step}.")
        self.epochs += 1

    def learning_rate(self) -> float:
        """Linear warm-up, then a cosine to 0 (Loshchilov & Hutter 2017)."""
        warmup = max(1.0, self.planned * self.recipe.warmup_fraction)
        if self.step < warmup:
            return self.recipe.learning_rate * (self.step + 1) / warmup
        progress = min(1.0, (self.step - warmup) / max(1.0, self.planned - warmup))
        return self.recipe.learning_rate * max(1e-3, 0.5 * (1.0 + math.cos(math.pi * progress)))

    def _time_step(self) -> None:
        """Lays the schedule out once enough steps were timed. The first step compiles the graph and does not count."""
        if self.step == 1:
            self.timed_from = self.seconds
        elif not self.laid_out and self.seconds - self.timed_from >= MEASURED_SECONDS:
            self._lay_out((self.seconds - self.timed_from) / (self.step - 1))

    def _time_epoch(self) -> None:
        """Lays it out again after each epoch but the first, whose validation compiles: moments differ in speed."""
        seconds, self.epoch_ended = self.seconds - self.epoch_ended, self.seconds
        if self.epochs > 1:
            self._lay_out(seconds / self.per_epoch)

    def _lay_out(self, step_seconds: float) -> None:
        """Plans as many steps as fit into the time that is left."""
        affordable = self.step + max(0, int((self.max_seconds * TIME_MARGIN - self.seconds) / step_seconds))
        self.planned = max(self.step, min(self.recipe.max_epochs * self.per_epoch, affordable))
        self.stop_after, self.laid_out = self.planned, True

    def validate(self, report: Report) -> bool:
        """Scores the validation split and keeps the best weights. False: stop training."""
        if not len(self.data.validation_rows):
            return True
        predictions = predict(self.model, self.data)
        if not self.fixed:
            self._time_epoch()
        if not np.isfinite(predictions).all():
            raise NotFinite(f"Predictions became NaN or infinite at step {self.step}.")
        truth = self.data.validation_truth
        value = score(self.task, truth, predictions)[self.task.objective]
        loss = float(example_losses(self.task, truth, predictions).mean())
        self._keep_if_better(value, loss, predictions)
        self.reports.append(
            EpochReport(
                epoch=self.epochs,
                score=value,
                train_loss=self.train_loss,
                val_loss=loss,
                seconds=self.seconds,
            )
        )
        if report(self.reports[-1]) is Verdict.STOP:
            return False
        return self.epochs_without_better < self.recipe.patience

    def _keep_if_better(self, value: float, loss: float, predictions: np.ndarray) -> None:
        """Few validation examples soon have the same score for ever: of equal scores the lower loss is better."""
        better = self.best_weights is None or self.task.direction.better(value, self.best_score)
        better = better or (value == self.best_score and loss < self.best_loss)
        self.epochs_without_better = 0 if better else self.epochs_without_better + 1
        if not better:
            return
        self.best_score, self.best_loss, self.best_step, self.best_predictions = value, loss, self.step, predictions
        self.best_weights = self.model.get_weights()

    def finish(self) -> History:
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
        return History(
            reports=self.reports,
            best_step=self.best_step or self.step,
            best_score=self.best_score,
            best_loss=self.best_loss,
            steps=self.step,
            planned_steps=self.planned,
            steps_per_epoch=self.per_epoch,
            seconds=self.seconds,
            predictions=self.best_predictions,
        )


def make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """The recipe's optimizer; biases, norms and other vectors are not decayed."""
    if recipe.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay)
    elif recipe.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            recipe.learning_rate, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay
        )
    else:
        raise ValueError(f"`optimizer` must be adamw or sgd. Received: {recipe.optimizer!r}.")
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "embeddings"])
    return optimizer


def predict(model: keras.Model, data: TrainingData) -> np.ndarray:
    """`<float32>[validation, ...]`: what `model` says of the validation rows."""
    return np.concatenate([np.asarray(model.predict_on_batch(batch)) for batch in validation_batches(data)])
