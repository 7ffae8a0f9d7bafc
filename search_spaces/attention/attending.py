"""Scaled dot-product attention with several heads (Vaswani 2017), which may share their keys and values."""

from __future__ import annotations

import math

import keras
from keras import ops

from search_spaces.attention.positions import Rotation, rotate, steps_of

UNSEEN = -1e9
"""Added to the logit of a step that must not be seen."""


def attend(
    x: keras.KerasTensor,
    *,
    num_heads: int,
    num_key_value_heads: int,
    use_bias: bool,
    name: str,
    unseen: keras.KerasTensor | None = None,
    rotations: tuple[Rotation, Rotation] | None = None,
) -> keras.KerasTensor:
    """`<float32>[batch, steps, width]`: for each step and head the mean of what the steps say, weighed by likeness.

    `softmax(Q K^T / sqrt(head_size)) V` (Vaswani 2017, equation 1), heads side by side, then one more layer.

    Args:
        x: Of the same shape.
        num_heads: Of the queries; divides the width.
        num_key_value_heads: As many: multi-head (Vaswani 2017). One: multi-query (Shazeer 2019). Between:
            grouped-query, where neighbouring heads of queries share one of keys and values (Ainslie 2023).
        use_bias: Of the four layers.
        name: What the names of the layers begin with.
        unseen: Of `unseen_steps`; `None`: every step sees all.
        rotations: Of queries and of keys, by their positions.
    """
    width, shared = x.shape[-1], num_heads // num_key_value_heads
    size = width // num_heads
    of_queries, of_keys = rotations or (None, None)
    # one product for all three and slices of it take twice the time in training
    queries = _heads(x, num_heads, size, use_bias, f"{name}_query", of_queries)
    keys = _heads(x, num_key_value_heads, size, use_bias, f"{name}_key", of_keys)
    values = _heads(x, num_key_value_heads, size, use_bias, f"{name}_value", None)
    queries = ops.transpose(ops.multiply(queries, 1.0 / math.sqrt(size)), (0, 2, 1, 3))
    if shared > 1:
        # heads that share are rows of one product: nothing is repeated, and no axis but the steps is of unknown size
        queries = keras.layers.Reshape((num_key_value_heads, -1, size))(queries)
    logits = ops.matmul(queries, ops.transpose(keys, (0, 2, 3, 1)))
    if unseen is not None:
        logits = ops.add(ops.cast(unseen, logits.dtype), logits)
    y = ops.matmul(ops.softmax(logits, axis=-1), ops.transpose(values, (0, 2, 1, 3)))
    if shared > 1:
        y = keras.layers.Reshape((num_heads, -1, size))(y)
    y = keras.layers.Reshape((-1, width))(ops.transpose(y, (0, 2, 1, 3)))
    return keras.layers.Dense(width, use_bias=use_bias, name=f"{name}_output")(y)


def _heads(
    x: keras.KerasTensor, count: int, size: int, use_bias: bool, name: str, by: Rotation | None
) -> keras.KerasTensor:
    """`<float32>[batch, steps, count, size]`."""
    x = keras.layers.Dense(count * size, use_bias=use_bias, name=name)(x)
    if by is not None:
        x = rotate(keras.layers.Reshape((-1, size))(x), by)
    return keras.layers.Reshape((-1, count, size))(x)


def unseen_steps(
    x: keras.KerasTensor, mask: keras.KerasTensor | None, *, causal: bool, shared: int
) -> keras.KerasTensor | None:
    """`<float32>[batch, 1, rows, steps]`: `UNSEEN` where a step must not be seen, else 0; `None` where all are seen.

    Args:
        x: `<float32>[batch, steps, width]`.
        mask: `<float32>[batch, steps, 1]`: 1 for a real step, 0 for padding; `None`: there is no padding.
        causal: Whether a step sees itself and those before it alone (Vaswani 2017, section 3.2.3).
        shared: Heads of queries for each head of keys; their rows follow each other.
    """
    hidden = None
    if mask is not None:
        hidden = ops.transpose(ops.subtract(1.0, mask), (0, 2, 1))
    if causal:
        number = steps_of(x)[0]
        later = ops.cast(ops.greater(ops.transpose(number, (0, 2, 1)), number), "float32")
        hidden = later if hidden is None else ops.maximum(hidden, later)
        hidden = ops.concatenate([hidden] * shared, axis=1) if shared > 1 else hidden
    return None if hidden is None else ops.multiply(ops.expand_dims(hidden, 1), UNSEEN)
