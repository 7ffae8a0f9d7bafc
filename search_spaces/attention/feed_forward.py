"""The layers between two attentions, which see each step alone."""

from __future__ import annotations

import math

import keras
from keras import ops

ACTIVATIONS = ("gelu", "relu", "swiglu")


def feed_forward(
    x: keras.KerasTensor, *, activation: str, expansion_ratio: float, use_bias: bool, name: str
) -> keras.KerasTensor:
    """`<float32>[batch, steps, width]`: one wider layer, an activation, and back.

    Args:
        x: Of the same shape.
        activation: "relu" (Vaswani 2017, equation 2), "gelu" (Hendrycks 2016), or "swiglu":
            `(silu(x W) * x V) W2` (Shazeer 2020, equation 6).
        expansion_ratio: Units between, for each one of the width. SwiGLU has three matrices in the place of two and
            takes two thirds of the units, so that the number of weights stays the same (Shazeer 2020, section 2).
        use_bias: Of all layers.
        name: What the names of the layers begin with.
    """
    width = x.shape[-1]
    units = hidden_units(width, activation, expansion_ratio)
    y = keras.layers.Dense(units, use_bias=use_bias, name=f"{name}_hidden")(x)
    if activation == "swiglu":
        gate = keras.layers.Dense(units, use_bias=use_bias, name=f"{name}_gate")(x)
        # written out: the backend's own silu is another operation in each
        y = ops.multiply(ops.multiply(gate, ops.sigmoid(gate)), y)
    else:
        y = ops.relu(y) if activation == "relu" else gelu(y)
    return keras.layers.Dense(width, use_bias=use_bias, name=f"{name}_output")(y)


def hidden_units(width: int, activation: str, expansion_ratio: float) -> int:
    """Units between the two layers, at least 1; see `feed_forward`."""
    return max(1, round(width * expansion_ratio * (2 / 3 if activation == "swiglu" else 1.0)))


def gelu(x: keras.KerasTensor) -> keras.KerasTensor:
    """The exact one (Hendrycks 2016); Keras' own is exported as an operation that ONNX Runtime refuses."""
    return ops.multiply(ops.multiply(x, 0.5), ops.add(ops.erf(ops.multiply(x, math.sqrt(0.5))), 1.0))
