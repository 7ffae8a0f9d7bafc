"""The one batch iterator. Its order and its augmentation are a pure function of the seed and the pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.metrics import Truth
from records.data import DataSpec
from records.trial import Recipe


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


def training_batches(data: TrainingData, recipe: Recipe) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches, pass after pass, each pass in an order of its own.

    Yields:
        Inputs `[batch, ...]` in the arrays' own dtype, and what `loss_targets` gives.
    """
    pass_number = 0
    while True:
        rng = np.random.default_rng((recipe.seed, pass_number))
        order = rng.permutation(data.train_rows)
        for start in range(0, len(order), recipe.batch_size):
            # sorted rows read a memory map forwards; the order inside a batch does not matter to a mean
            rows = np.sort(order[start : start + recipe.batch_size])
            yield augment(data.inputs[rows], recipe, rng), loss_targets(data, rows, recipe)
        pass_number += 1


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


def augment(batch: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """Mirrors and shifts images, or maps of their features, `[batch, height, width, channels]`.

    Shifted-in edges are reflected. Outside the network, so that what is exported holds no randomness.
    """
    if recipe.flip:
        mirrored = rng.random(len(batch)) < 0.5
        batch[mirrored] = batch[mirrored, :, ::-1]
    if recipe.crop_fraction:
        batch = _shift(batch, recipe.crop_fraction, rng)
    return batch


def _shift(batch: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    height, width = batch.shape[1:3]
    down, right = max(1, round(height * fraction)), max(1, round(width * fraction))
    padded = np.pad(batch, ((0, 0), (down, down), (right, right), (0, 0)), mode="reflect")
    tops = rng.integers(0, 2 * down + 1, len(batch))
    lefts = rng.integers(0, 2 * right + 1, len(batch))
    shifted = np.empty_like(batch)
    for i, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        shifted[i] = padded[i, top : top + height, left : left + width]
    return shifted
