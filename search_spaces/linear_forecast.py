"""Linear forecasts: one weight for each step of the past and each step of the future (NLinear, Zeng 2023)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes, sequences
from search_spaces.seasonal_naive import normal_offsets, season_ago
from search_spaces.space import Space

BASES = ("last", "season", "level")


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    return {
        # what a forecast is where the weights are 0. The season's value is right at once where little is known: 0.51
        # against 0.91 of the naive error on 144 months, and no worse on 17,420 hours; the last value lets a series
        # drift (Zeng 2023), the level suits what always returns to it
        "base": hp.Choice("linear_forecast/base", list(BASES), default="season"),
        # the calendar and what is known of the future; many weights, so a short series may be better off without
        "use_known": hp.Boolean("linear_forecast/use_known", default=True),
        **recipes.choices(
            hp,
            "linear_forecast",
            smoothing=bool(spec.labels),
            learning_rate=(3e-4, 1e-2, 2e-3),
            **sequences.effort(spec),
            optimizers=("adamw",),
        ),
    }


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """The base, plus a linear map of the past's distance from its last value or level. Uncompiled.

    Takes `<float32>[batch, history + horizon, features]`; see `records.spec.ForecastLayout`.

    Raises:
        ValueError: An unknown base.
    """
    layout = spec.forecast
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="window")
    past = inputs[:, : layout.history, 0]
    last = past[:, -1:]
    if values["base"] == "last":
        base = ops.repeat(last, layout.horizon, axis=1)
    elif values["base"] == "season":
        base = season_ago(past, layout)
    elif values["base"] == "level":
        base = ops.zeros_like(inputs[:, layout.history :, 0])
    else:
        raise ValueError(f"`linear_forecast/base` must be one of {', '.join(BASES)}. Received: {values['base']!r}.")
    features = past if values["base"] == "level" else ops.subtract(past, last)
    if values["use_known"] and layout.known:
        known = inputs[:, layout.history :, 1 + len(layout.past) : -3]
        features = ops.concatenate([features, ops.reshape(known, (-1, layout.horizon * len(layout.known)))], axis=1)
    x = keras.layers.Identity(name=heads.EMBEDDING)(features)
    x = keras.layers.Dense(
        layout.horizon * len(layout.quantiles),
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(normal_offsets(layout).reshape(-1).tolist()),
        name="steps",
    )(x)
    x = keras.layers.Reshape((layout.horizon, len(layout.quantiles)))(x)
    # Keras adds a second argument of `[1, horizon, 1]` or `[batch, 1, 1]` as if it were a bias, over whichever axis has
    # its size: what has fewer elements comes first
    logits = keras.layers.Identity(name=heads.LOGITS)(ops.add(ops.expand_dims(base, -1), x))
    return keras.Model(inputs, heads.future(logits, inputs), name="linear_forecast")


LINEAR_FORECAST = Space(
    name="linear_forecast",
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    input_kinds=frozenset({InputKind.FORECAST}),
)
