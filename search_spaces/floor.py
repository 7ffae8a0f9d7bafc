"""The floor: what a model must beat to be worth serving. Linear in a coarse view of the input, or the naive forecast.

Before its first step it is the majority baseline: zero weights, and the logarithm of each class's share as bias; or the
training split's mean.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import keras
import numpy as np

from records.data import DataSpec, InputKind
from records.task import Task
from records.trial import Recipe
from search_spaces import heads
from search_spaces.space import Space

LARGEST_SIDE = 16
FEWEST_STEPS = 1500
"""In which a linear model settles, however few the examples are."""
MOST_EPOCHS = 300
NUM_BATCHES = 500
"""In a pass over very many examples."""


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Nothing to choose: a baseline that is tuned would not be a floor. What follows from the data's size is told."""
    if spec.kind is InputKind.IMAGE:
        return {"batch_size": 64, "max_epochs": 20}
    batch_size = 64
    while spec.num_train > NUM_BATCHES * batch_size and batch_size < 4096:
        batch_size *= 2
    steps = -(-spec.num_train // batch_size)
    return {"batch_size": batch_size, "max_epochs": int(np.clip(-(-FEWEST_STEPS // max(1, steps)), 10, MOST_EPOCHS))}


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """The floor for the kind of data: see the modules in `FLOORS`."""
    module, _, name = FLOORS[spec.kind].partition(":")
    model: keras.Model = getattr(import_module(module), name)(spec, task)
    return model


def build_image_floor(spec: DataSpec, task: Task) -> keras.Model:
    """Linear in the pixels of an image of at most 16 by 16. Takes `<uint8>[batch, height, width, channels]`."""
    height, width, _ = spec.input_shape
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    if max(height, width) > LARGEST_SIDE:
        x = keras.layers.Resizing(min(height, LARGEST_SIDE), min(width, LARGEST_SIDE))(x, training=False)
    x = keras.layers.Flatten()(x)
    return keras.Model(inputs, heads.build_linear(task, spec, x), name="floor")


def recipe(values: dict[str, Any]) -> Recipe:
    """Enough epochs for a linear model to settle."""
    epochs = values["max_epochs"]
    return Recipe(
        learning_rate=2e-3,
        weight_decay=1e-2,
        batch_size=values["batch_size"],
        max_epochs=epochs,
        patience=max(4, epochs // 5),
    )


FLOORS: dict[InputKind, str] = {
    InputKind.IMAGE: "search_spaces.floor:build_image_floor",
    InputKind.TEXT: "search_spaces.sequence_floor:build_floor",
    InputKind.SERIES: "search_spaces.sequence_floor:build_floor",
    InputKind.TABLE: "search_spaces.tabular_floor:build_floor",
    InputKind.FORECAST: "search_spaces.seasonal_naive:build_seasonal_naive",
}
"""`(spec, task) -> network` of each kind."""
FLOOR = Space(name="floor", choices=choices, build=build, recipe=recipe)
