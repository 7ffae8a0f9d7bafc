"""From the last map to one vector: a mean, or attention, which lets far parts of the image explain each other."""

from __future__ import annotations

import keras
from keras import ops

POOLINGS = ("mean", "attention", "self_attention")
HEAD_WIDTH = 32
"""Channels of one head (as in Srinivas 2021, who take 128 of 2048)."""


def pool(x: keras.KerasTensor, how: str) -> keras.KerasTensor:
    """One vector for each image.

    Args:
        x: `<float32>[batch, height, width, channels]`.
        how: "mean". "attention": the positions are weighed by their likeness to a learnt vector, in several heads.
            "self_attention": each position first adds what it finds at all others (Srinivas 2021, figure 4), then a
            mean. It needs no positions: convolutions with padding have told each already where it is.

    Returns:
        `<float32>[batch, channels]`.

    Raises:
        ValueError: An unknown `how`.
    """
    if how == "mean":
        return keras.layers.GlobalAveragePooling2D()(x)
    if how not in POOLINGS:
        raise ValueError(f"The pooling must be one of {', '.join(POOLINGS)}. Received: {how!r}.")
    _, height, width, channels = x.shape
    x = keras.layers.Reshape((height * width, channels))(x)
    heads = _heads(channels)
    if how == "self_attention":
        # added by name only: a bias of the keys moves all logits of a row alike, so it would never learn
        y = keras.layers.LayerNormalization(name="attention_norm")(x)
        y = keras.layers.MultiHeadAttention(heads, channels // heads, use_bias=False, name="attention")(y, y)
        return keras.layers.GlobalAveragePooling1D()(keras.layers.Add()([x, y]))
    logits = keras.layers.Dense(heads, use_bias=False, kernel_initializer="zeros", name="pooling_queries")(x)
    weights = ops.expand_dims(ops.softmax(logits, axis=1), -1)
    parts = keras.layers.Reshape((height * width, heads, channels // heads))(x)
    return keras.layers.Flatten()(ops.sum(ops.multiply(parts, weights), axis=1))


def _heads(channels: int) -> int:
    """How many heads divide the channels, each of about `HEAD_WIDTH`."""
    wanted = max(1, channels // HEAD_WIDTH)
    return next(count for count in range(wanted, 0, -1) if channels % count == 0)
