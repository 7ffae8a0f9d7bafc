"""Trend and remainder: a series and its moving average (Wu 2021, equation 1; Zeng 2023, section 4)."""

from __future__ import annotations

import keras
from keras import ops


def moving_average(series: keras.KerasTensor, kernel: int) -> keras.KerasTensor:
    """The mean of the `kernel` steps around each step.

    Beyond its ends the series goes on with its first and its last value, as in the papers' own code: the average has as
    many steps as the series, and no zeros are mixed in.

    Args:
        series: `<float32>[batch, steps]`.
        kernel: Odd, so that each step lies in the middle of its own.

    Returns:
        `<float32>[batch, steps]`.

    Raises:
        ValueError: An even kernel, or one below 1.
    """
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"The kernel of a moving average must be odd and at least 1. Received: {kernel}.")
    beyond = kernel // 2
    if not beyond:
        return series
    first, last = ops.repeat(series[:, :1], beyond, axis=1), ops.repeat(series[:, -1:], beyond, axis=1)
    padded = ops.expand_dims(ops.concatenate([first, series, last], axis=1), -1)
    return ops.squeeze(keras.layers.AveragePooling1D(kernel, strides=1, name="moving_average")(padded), axis=-1)


def trend_and_remainder(series: keras.KerasTensor, kernel: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The moving average, and what the series has beside it: `<float32>[batch, steps]` each; they sum to the series.

    Raises:
        ValueError: See `moving_average`.
    """
    trend = moving_average(series, kernel)
    return trend, ops.subtract(series, trend)
