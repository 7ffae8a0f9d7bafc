"""Transformers of one's own: every step looks at every other (Vaswani 2017), norms first (Xiong 2020)."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes, sequences
from search_spaces.space import Space

MOST_STEPS = 256
"""Attention costs the square of the steps."""
POSITIONS = ("sinusoidal", "learnt")
ACTIVATIONS = ("gelu", "relu")


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    text = spec.kind is InputKind.TEXT
    return {
        # without pretraining, width adds overfitting sooner than it adds skill
        "width": hp.Choice("transformer/width", [32, 64, 128], default=64),
        "num_blocks": hp.Int("transformer/num_blocks", 1, 4, default=2),
        "num_heads": hp.Choice("transformer/num_heads", [2, 4, 8], default=4),
        # learnt ones need examples of every length; waves do not
        "positions": hp.Choice("transformer/positions", list(POSITIONS), default="sinusoidal"),
        "activation": hp.Choice("transformer/activation", list(ACTIVATIONS), default="gelu"),
        "pooling": hp.Choice("transformer/pooling", list(sequences.POOLINGS), default="mean_max"),
        "dropout_rate": hp.Float("transformer/dropout_rate", 0.0, 0.5, default=0.3 if text else 0.1),
        **recipes.choices(
            hp,
            "transformer",
            smoothing=bool(spec.labels),
            learning_rate=(1e-4, 5e-3, 1e-3),
            **sequences.effort(spec),
            optimizers=("adamw",),
        ),
    }


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """Blocks of attention and a feed-forward layer, then pooling. Uncompiled.

    Takes tokens `<int32>[batch, steps]`, or `<float32>[batch, steps, features]`; see `records.spec`.

    Raises:
        ValueError: An unknown choice, or another kind of input.
    """
    for name, known in (("positions", POSITIONS), ("activation", ACTIVATIONS)):
        if values[name] not in known:
            raise ValueError(f"`transformer/{name}` must be one of {', '.join(known)}. Received: {values[name]!r}.")
    front = sequences.front(spec, values["width"], MOST_STEPS)
    x = ops.add(front.x, _positions(front.mask, values, spec))
    x = _dropout(ops.multiply(x, front.mask), values)
    seen = ops.cast(ops.transpose(front.mask, (0, 2, 1)), "bool")
    for _ in range(values["num_blocks"]):
        x = _block(x, seen, values)
    x = keras.layers.LayerNormalization(name="last_norm")(x)
    x = sequences.pool(ops.multiply(x, front.mask), front.mask, values["pooling"])
    return keras.Model(
        front.inputs, heads.build(task, spec, x, values["dropout_rate"], inputs=front.inputs), name="transformer"
    )


def _positions(mask: keras.KerasTensor, values: dict[str, Any], spec: DataSpec) -> keras.KerasTensor:
    """`<float32>[batch, steps, width]`, for any number of steps."""
    width = values["width"]
    number = ops.subtract(ops.cumsum(ops.ones_like(mask), axis=1), 1.0)
    if values["positions"] == "learnt":
        most = min(MOST_STEPS, spec.input_shape[0]) if spec.kind is not InputKind.TEXT else spec.input_shape[0]
        number = ops.cast(ops.squeeze(ops.minimum(number, float(most - 1)), axis=-1), "int32")
        return keras.layers.Embedding(most, width, name="positions")(number)
    rates = np.exp(-math.log(10_000) * np.arange(0, width, 2) / width).astype(np.float32)
    # an array, not a tensor: a tensor from outside the network would be exported as an input of its own
    angles = ops.multiply(number, rates[None, None, :])
    # token vectors start at a twentieth; waves of their size leave the tokens legible
    return ops.multiply(ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1), 0.1)


def _block(x: keras.KerasTensor, seen: keras.KerasTensor, values: dict[str, Any]) -> keras.KerasTensor:
    width, num_heads = values["width"], values["num_heads"]
    y = keras.layers.LayerNormalization()(x)
    y = keras.layers.MultiHeadAttention(num_heads, width // num_heads)(y, y, attention_mask=seen)
    x = ops.add(x, _dropout(y, values))
    y = keras.layers.LayerNormalization()(x)
    y = keras.layers.Dense(2 * width)(y)
    y = gelu(y) if values["activation"] == "gelu" else ops.relu(y)
    return ops.add(x, _dropout(keras.layers.Dense(width)(y), values))


def gelu(x: keras.KerasTensor) -> keras.KerasTensor:
    """The exact one (Hendrycks 2016); Keras' own is exported as an operation that ONNX Runtime refuses."""
    return ops.multiply(ops.multiply(x, 0.5), ops.add(ops.erf(ops.multiply(x, math.sqrt(0.5))), 1.0))


def _dropout(x: keras.KerasTensor, values: dict[str, Any]) -> keras.KerasTensor:
    return keras.layers.Dropout(values["dropout_rate"])(x) if values["dropout_rate"] else x


TRANSFORMER = Space(
    name="transformer", choices=choices, build=build, recipe=recipes.recipe, input_kinds=sequences.KINDS
)
