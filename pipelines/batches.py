"""The one batch iterator. Its order and its augmentation are a pure function of the seed and the pass."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from pipelines.augmenting.batch import augmented, augments
from pipelines.augmenting.sampling import balanced
from pipelines.metrics import Truth
from records.data import DataSpec
from records.trial import Recipe

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Arrays, and the rows of them that are trained and validated on.

    `inputs` may be a memory map: only the rows of one batch are ever copied.
    """

    inputs: Any
    """`<any>[examples, ...]`."""
    truth: Truth
    """What the answers are: a row for each of `inputs`."""
    spec: DataSpec
    """Of the data; gives the number of classes or the target's scale."""
    train_rows: np.ndarray
    validation_rows: np.ndarray
    scales: Any = None
    """As `Prepared.scales`, a row for each of `inputs`."""

    @property
    def validation_truth(self) -> Truth:
        """What the validation examples' answers are."""
        return self.truth.of(self.validation_rows)

    def with_validation_in_training(self) -> TrainingData:
        """The same arrays with nothing held back, for the last fit."""
        rows = np.concatenate([self.train_rows, self.validation_rows])
        return TrainingData(
            inputs=self.inputs,
            truth=self.truth,
            spec=self.spec,
            train_rows=rows,
            validation_rows=self.validation_rows[:0],
            scales=self.scales,
        )


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """Batches in one pass; the last may be smaller."""
    return -(-num_examples // batch_size)


def training_batches(
    data: TrainingData, recipe: Recipe, start_step: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches, pass after pass, each pass in an order of its own.

    Args:
        data: Arrays and rows.
        recipe: Batch size, seed and augmentation.
        start_step: Batches that were taken before: those that follow are the same as without a break.

    Yields:
        Inputs `[batch, ...]` in the arrays' own dtype, and what `loss_targets` gives.
    """
    pass_number, first = divmod(start_step, steps_per_epoch(len(data.train_rows), recipe.batch_size))
    while True:
        order = pass_order(data, recipe, pass_number)
        for start in range(first * recipe.batch_size, len(order), recipe.batch_size):
            # sorted rows read a memory map forwards; the order inside a batch does not matter to a mean
            rows = np.sort(order[start : start + recipe.batch_size])
            inputs, targets = data.inputs[rows], loss_targets(data, rows, recipe)
            if augments(recipe):
                # numbers of its own, so that a batch does not depend on those before it; with a last 0: the order's
                rng = np.random.default_rng((recipe.seed, pass_number, start + 1))
                inputs, targets = augmented(inputs, targets, recipe, data.spec, rng)
            yield inputs, targets
        pass_number, first = pass_number + 1, 0


def pass_order(data: TrainingData, recipe: Recipe, pass_number: int) -> np.ndarray:
    """`<int64>[examples]`: the rows of one pass in their order, a function of seed and pass alone."""
    rng = np.random.default_rng((recipe.seed, pass_number))
    order = rng.permutation(data.train_rows)
    if not recipe.balance:
        return order
    return balanced(order, data.truth.targets[order], data.spec.num_classes, recipe.balance, rng)


def prefetched(items: Iterator[T], ahead: int) -> Iterator[T]:
    """The same items in the same order, `ahead` of them made ready by a thread while the one at hand is used.

    What making an item raises is raised to whoever takes it. The thread ends when this iterator is closed or forgotten.

    Args:
        items: Used by the thread alone from then on.
        ahead: 0: no thread.
    """
    if ahead < 1:
        yield from items
        return
    ready: queue.Queue[tuple[list[T], BaseException | None]] = queue.Queue(ahead)
    closed = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, ready, closed), name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            made, error = ready.get()
            yield from made
            if error is not None:
                raise error
            if not made:
                return
    finally:
        closed.set()
        with suppress(queue.Empty):  # wakes a thread that waits for room
            ready.get_nowait()
        thread.join()


def _fill(
    items: Iterator[Any], ready: queue.Queue[tuple[list[Any], BaseException | None]], closed: threading.Event
) -> None:
    """Puts item by item; at the end no item, or what was raised."""
    try:
        for item in items:
            ready.put(([item], None))
            if closed.is_set():
                return
        ready.put(([], None))
    except BaseException as error:
        ready.put(([], error))


def validation_batches(data: TrainingData, batch_size: int = 256) -> Iterator[np.ndarray]:
    """The validation inputs in the order of their rows."""
    for start in range(0, len(data.validation_rows), batch_size):
        yield data.inputs[data.validation_rows[start : start + batch_size]]


def loss_targets(data: TrainingData, rows: np.ndarray, recipe: Recipe) -> np.ndarray:
    """What the loss compares with: smoothed one-hot classes `<float32>[batch, classes]`, standardised numbers
    `<float32>[batch, 1]`, or futures relative to their windows `<float32>[batch, horizon]`.
    """
    targets = data.truth.targets[rows]
    if data.spec.labels:
        return smoothed(targets, data.spec.num_classes, recipe)
    if data.scales is not None:
        level, spread = data.scales[rows, :1], data.scales[rows, 1:2]
        return ((targets - level) / spread).astype(np.float32)
    return ((targets[:, None] - data.spec.target_mean) / data.spec.target_std).astype(np.float32)


def smoothed(targets: np.ndarray, num_classes: int, recipe: Recipe) -> np.ndarray:
    """One-hot targets mixed with the uniform distribution (Szegedy et al. 2016, section 7)."""
    one_hot = np.full((len(targets), num_classes), recipe.label_smoothing / num_classes, np.float32)
    one_hot[np.arange(len(targets)), targets] += 1.0 - recipe.label_smoothing
    return one_hot
