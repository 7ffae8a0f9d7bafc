"""Linear forecasts: one weight for each step of the past and each step of the future (NLinear and DLinear, Zeng 2023).

The past comes scaled by its own level and spread. Without a trend and with the base "last" this is NLinear; with a
trend and the base "level" it is DLinear.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes, sequences
from search_spaces.forecasting.bases import BASES, around, base_forecast, known_columns, linear_quantiles
from search_spaces.forecasting.decomposition import trend_and_remainder
from search_spaces.space import Space

TREND_KERNELS = (0, 7, 13, 25, 49)
"""Steps of the moving average: a week of days, a year of months, a day of hours (the paper's), two days; 0: none."""


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    return {
        # what a forecast is where the weights are 0. The season's value is right at once where little is known: 0.51
        # against 0.91 of the naive error on 144 months, and no worse on 17,420 hours; the last value lets a series
        # drift (Zeng 2023), the level suits what always returns to it
        "base": hp.Choice("linear_forecast/base", list(BASES), default="season"),
        # a map of the moving average beside one of the rest says no more than one map of the past can, but a slow
        # change is one large input to it instead of many small ones, and so is learnt sooner
        "trend_kernel": hp.Choice("linear_forecast/trend_kernel", list(TREND_KERNELS), default=0),
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
        ValueError: An unknown base, or an even trend.
    """
    layout = spec.forecast
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="window")
    past = inputs[:, : layout.history, 0]
    base = base_forecast(past, layout, values["base"], "linear_forecast/base")
    features = past if values["base"] == "level" else ops.subtract(past, past[:, -1:])
    if values["trend_kernel"]:
        features = ops.concatenate(trend_and_remainder(features, values["trend_kernel"]), axis=1)
    if values["use_known"] and layout.known:
        known = known_columns(inputs, layout)[:, layout.history :]
        features = ops.concatenate([features, ops.reshape(known, (-1, layout.horizon * len(layout.known)))], axis=1)
    x = keras.layers.Identity(name=heads.EMBEDDING)(features)
    return keras.Model(inputs, heads.future(around(base, linear_quantiles(x, layout)), inputs), name="linear_forecast")


LINEAR_FORECAST = Space(
    name="linear_forecast",
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    input_kinds=frozenset({InputKind.FORECAST}),
)
