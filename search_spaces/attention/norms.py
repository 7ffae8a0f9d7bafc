"""Normalisation of each step's vector, and branches that are left out at random."""

from __future__ import annotations

import keras

EPSILON = 1e-5
"""Added to a variance, so that a vector of zeros stays finite."""


def norm(x: keras.KerasTensor, *, rms_norm: bool, use_bias: bool, name: str) -> keras.KerasTensor:
    """`<float32>[batch, steps, width]`, normalised over its width.

    Args:
        x: Of the same shape.
        rms_norm: `x / sqrt(mean(x^2)) * scale` (Zhang & Sennrich 2019, equation 4), else
            `(x - mean(x)) / sqrt(var(x)) * scale + bias` (Ba 2016, equation 3).
        use_bias: Of the latter; the former has none.
        name: Of the layer.
    """
    if rms_norm:
        return keras.layers.RMSNormalization(epsilon=EPSILON, name=name)(x)
    return keras.layers.LayerNormalization(epsilon=EPSILON, center=use_bias, name=name)(x)


def branch(y: keras.KerasTensor, dropout_rate: float, stochastic_depth_rate: float) -> keras.KerasTensor:
    """What a branch adds to its short cut: elements left out at random, and whole examples (Huang 2016).

    Args:
        y: `<float32>[batch, steps, width]`.
        dropout_rate: Share of the elements, 0 to below 1.
        stochastic_depth_rate: Share of the examples for which the branch is left out, 0 to below 1. As with dropout,
            what stays is scaled up in training, so that nothing has to be done at inference.
    """
    if dropout_rate:
        y = keras.layers.Dropout(dropout_rate)(y)
    if stochastic_depth_rate:
        y = keras.layers.Dropout(stochastic_depth_rate, noise_shape=(None, 1, 1))(y)
    return y
