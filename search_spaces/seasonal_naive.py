"""The floor of forecasting: what was one season ago comes again."""

from __future__ import annotations

from statistics import NormalDist

import keras
import numpy as np
from keras import ops

from records.data import DataSpec
from records.spec import ForecastLayout
from records.task import Task
from search_spaces import heads


def build_seasonal_naive(spec: DataSpec, task: Task) -> keras.Model:
    """The values of one season ago, again and again where the horizon is longer; the last value where a window holds no
    season. Learns nothing but how far the other quantiles lie from this median.

    Takes `<float32>[batch, history + horizon, features]`, see `records.spec.ForecastLayout`; gives
    `<float32>[batch, horizon, quantiles]` in the target's own unit.

    Raises:
        ValueError: Another task than forecasting.
    """
    if task.name != "forecasting":
        raise ValueError(f"The seasonal naive forecast is for forecasting. Received: {task.name}.")
    layout = spec.forecast
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="window")
    past = keras.layers.Identity(name=heads.EMBEDDING)(inputs[:, : layout.history, 0])
    median = ops.expand_dims(season_ago(past, layout), -1)
    below, above = layout.median, len(layout.quantiles) - layout.median - 1
    parts = [median]
    if below + above:
        shape = (layout.horizon, below + above)
        # a layer without a bias on a constant 1 is a vector of weights, one for each step and quantile
        offsets = keras.layers.Dense(
            shape[0] * shape[1],
            use_bias=False,
            kernel_initializer=keras.initializers.Constant(
                np.delete(normal_offsets(layout), layout.median, axis=1).reshape(1, -1).tolist()
            ),
            name="offsets",
        )(ops.ones_like(past[:, :1]))
        around = ops.add(median, keras.layers.Reshape(shape)(offsets))
        parts = [around[:, :, :below]] * (below > 0) + parts + [around[:, :, below:]] * (above > 0)
    values = ops.concatenate(parts, axis=-1) if len(parts) > 1 else median
    logits = keras.layers.Identity(name=heads.LOGITS)(values)
    return keras.Model(inputs, heads.future(logits, inputs), name="floor")


def season_ago(past: keras.KerasTensor, layout: ForecastLayout) -> keras.KerasTensor:
    """`<float32>[batch, horizon]` from the past `<float32>[batch, history]`."""
    season = layout.season if layout.season <= layout.history else 1
    repeats = -(-layout.horizon // season)
    last = past[:, layout.history - season :]
    return ops.concatenate([last] * repeats, axis=1)[:, : layout.horizon] if repeats > 1 else last[:, : layout.horizon]


def normal_offsets(layout: ForecastLayout) -> np.ndarray:
    """`<float64>[horizon, quantiles]`: how far quantiles lie from the median if a forecast's errors are as spread as
    its past, and normal."""
    offsets = [NormalDist().inv_cdf(quantile) for quantile in layout.quantiles]
    return np.tile(offsets, (layout.horizon, 1))
