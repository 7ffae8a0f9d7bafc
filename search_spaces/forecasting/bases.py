"""What a forecast is before anything is learnt, and the quantiles around it."""

from __future__ import annotations

import keras
from keras import ops

from records.spec import ForecastLayout
from search_spaces import heads
from search_spaces.seasonal_naive import normal_offsets, season_ago

BASES = ("last", "season", "level")


def base_forecast(past: keras.KerasTensor, layout: ForecastLayout, base: str, name: str) -> keras.KerasTensor:
    """`<float32>[batch, horizon]` from the target's past `<float32>[batch, history]`, relative to the window.

    Args:
        past: Oldest first.
        layout: Of the windows.
        base: "last": the last value again and again; "season": what was one season ago; "level": the window's mean.
        name: Of the hyperparameter, for the message.

    Raises:
        ValueError: An unknown base.
    """
    if base == "last":
        return ops.repeat(past[:, -1:], layout.horizon, axis=1)
    if base == "season":
        return season_ago(past, layout)
    if base == "level":
        return ops.repeat(ops.zeros_like(past[:, :1]), layout.horizon, axis=1)
    raise ValueError(f"`{name}` must be one of {', '.join(BASES)}. Received: {base!r}.")


def known_columns(inputs: keras.KerasTensor, layout: ForecastLayout) -> keras.KerasTensor:
    """`<float32>[batch, history + horizon, known]`: what is known of the past and of the future."""
    return inputs[:, :, 1 + len(layout.past) : -3]


def linear_quantiles(features: keras.KerasTensor, layout: ForecastLayout, name: str = "steps") -> keras.KerasTensor:
    """A linear map of `<float32>[batch, features]` to each quantile's distance from the base. It starts as the
    quantiles of a normal distribution that is as spread as the past, whatever the features are.

    Returns:
        `<float32>[batch, horizon, quantiles]`.
    """
    x = keras.layers.Dense(
        layout.horizon * len(layout.quantiles),
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(normal_offsets(layout).reshape(-1).tolist()),
        name=name,
    )(features)
    return keras.layers.Reshape((layout.horizon, len(layout.quantiles)))(x)


def around(base: keras.KerasTensor, apart: keras.KerasTensor) -> keras.KerasTensor:
    """The base `<float32>[batch, horizon]` and each quantile's distance from it `<float32>[batch, horizon, quantiles]`,
    summed up in a layer called "logits"."""
    # Keras adds a second argument of `[1, horizon, 1]` or `[batch, 1, 1]` as if it were a bias, over whichever axis has
    # its size: what has fewer elements comes first
    return keras.layers.Identity(name=heads.LOGITS)(ops.add(ops.expand_dims(base, -1), apart))
