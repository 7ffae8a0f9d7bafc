"""The floor: what a model must beat to be worth serving. Linear in a thumbnail's pixels.

Before its first step it is the majority baseline: zero weights, and the logarithm of each class's share as bias.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from records.data import DataSpec, InputKind
from records.task import Task
from records.trial import Recipe
from search_spaces.heads import EMBEDDING, LOGITS, PREDICTION
from search_spaces.space import Space

LARGEST_SIDE = 16


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Nothing to choose: a baseline that is tuned would not be a floor."""
    return {}


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """Multinomial logistic regression on the pixels of an image of at most 16 by 16.

    Takes `<uint8>[batch, height, width, channels]`.
    """
    height, width, _ = spec.input_shape
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    if max(height, width) > LARGEST_SIDE:
        x = keras.layers.Resizing(min(height, LARGEST_SIDE), min(width, LARGEST_SIDE))(x, training=False)
    x = keras.layers.Flatten(name=EMBEDDING)(x)
    shares = (np.asarray(spec.label_counts) + 1) / (spec.num_train + spec.num_classes)
    logits = keras.layers.Dense(
        spec.num_classes,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(np.log(shares).tolist()),
        name=LOGITS,
    )(x)
    return keras.Model(inputs, keras.layers.Softmax(name=PREDICTION)(logits), name="floor")


def recipe(values: dict[str, Any]) -> Recipe:
    """Enough epochs for a linear model to settle."""
    return Recipe(learning_rate=2e-3, weight_decay=1e-2, batch_size=64, max_epochs=20, patience=4)


FLOOR = Space(name="floor", choices=choices, build=build, recipe=recipe, input_kinds=frozenset({InputKind.IMAGE}))
