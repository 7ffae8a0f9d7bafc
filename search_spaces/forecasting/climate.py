"""Climate: the mean of what the same hour, weekday or month brought in the seasons before, and what the calendar adds.

The past is taken apart as seasonal smoothing does it (Winters 1960): the level of each season, and how far each of its
steps lies from that level. Both are means over the seasons of the window in which older ones count less and less.
What the calendar and other known columns do to a step is taken out of the past first, and added to the future. How far
the last step lies from its climate dies away over the next steps (damped persistence, van den Dool 2007).
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from records.data import DataSpec, InputKind
from records.spec import ForecastLayout
from records.task import Task
from search_spaces import heads, recipes, sequences
from search_spaces.forecasting.bases import around, known_columns
from search_spaces.seasonal_naive import normal_offsets
from search_spaces.space import Space

LEVEL_KEPT, SEASON_KEPT = 0.3, 0.7
"""What a season counts against the next newer one, before anything is learnt: levels drift, the shape of a season
stays."""
PERSISTENCE = 0.95
"""Of the last step's distance from its climate, after one step; before anything is learnt."""
DRIFT = 0.3
"""Of the last change of the level, that comes again; before anything is learnt."""


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    return {
        # of the layer between the calendar and its effect; 0: a linear effect, which sine and cosine make one smooth
        # wave a day or a year; 64 are enough for every hour of a day
        "hidden_units": hp.Choice("climate_forecast/hidden_units", [0, 16, 64], default=16),
        **recipes.choices(
            hp,
            "climate_forecast",
            smoothing=bool(spec.labels),
            # a few weights, each moved by every window: they bear large steps
            learning_rate=(1e-3, 5e-2, 1e-2),
            **sequences.effort(spec),
            optimizers=("adamw",),
        ),
    }


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """Weighted seasonal means, the effect of what is known, and damped persistence. Uncompiled.

    Takes `<float32>[batch, history + horizon, features]`; see `records.spec.ForecastLayout`. A step that was not
    observed does not count; where no season fits into a window, the level is a weighted mean of all its steps.
    """
    layout = spec.forecast
    season = layout.season if layout.season <= layout.history else 1
    count = layout.history // season
    first = layout.history - count * season
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="window")
    past, seen = inputs[:, first : layout.history, 0], inputs[:, first : layout.history, -3]
    effect = _effect(inputs, layout, values["hidden_units"])
    if effect is not None:
        past = ops.subtract(past, effect[:, first : layout.history])
    climate = _climate(past, seen, count, season)
    x = keras.layers.Identity(name=heads.EMBEDDING)(climate)
    steps = ops.tile(x[:, :season], (1, -(-layout.horizon // season)))[:, : layout.horizon]
    base = ops.add(x[:, season : season + 1] * ops.ones_like(steps), steps)
    base = ops.add(base, _kept(x[:, season + 1 :], layout))
    if effect is not None:
        base = ops.add(base, effect[:, layout.history :])
    logits = around(base, _offsets(past, layout))
    return keras.Model(inputs, heads.future(logits, inputs), name="climate_forecast")


def _effect(inputs: keras.KerasTensor, layout: ForecastLayout, hidden_units: int) -> keras.KerasTensor | None:
    """What the known columns do to each step, `<float32>[batch, history + horizon]`; at first nothing."""
    if not layout.known:
        return None
    x = known_columns(inputs, layout)
    if hidden_units:
        x = keras.layers.Dense(hidden_units, activation="relu", name="calendar")(x)
    # no bias: what all steps have in common is the level's
    x = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name="effect")(x)
    return ops.squeeze(x, axis=-1)


def _climate(past: keras.KerasTensor, seen: keras.KerasTensor, count: int, season: int) -> keras.KerasTensor:
    """The mean distance of each step of a season from its level; the level; the last step's distance from both; how
    much the newest level differs from the one before.

    Args:
        past: `<float32>[batch, count * season]`.
        seen: The same shape: 1 where a step was observed.
        count: Seasons.
        season: Steps of each.

    Returns:
        `<float32>[batch, season + 3]`.
    """
    values, seen = (ops.reshape(x, (-1, count, season)) for x in (past, seen))
    levels = ops.divide(ops.sum(values * seen, axis=2), ops.maximum(ops.sum(seen, axis=2), 1.0))
    level_weights, season_weights = _weights(past, count)
    # a season of which little was seen counts as little
    level = _mean(levels, ops.mean(seen, axis=2) * level_weights)
    apart = _mean(values - ops.expand_dims(levels, -1), seen * ops.expand_dims(season_weights, -1))
    missed = past[:, -1:] - level - apart[:, -1:]
    drift = levels[:, -1:] - levels[:, -2:-1] if count > 1 else ops.zeros_like(level)
    return ops.concatenate([apart, level, missed, drift], axis=1)


def _weights(past: keras.KerasTensor, count: int) -> list[keras.KerasTensor]:
    """How much each season counts for the level and for the shape, `<float32>[batch, count]` each, oldest first."""
    ones = ops.ones_like(past[:, :1])
    if count == 1:
        return [ones, ones]
    age = np.arange(count - 1, -1, -1, dtype=np.float32)[None]
    # softplus keeps a decay from becoming growth; a layer without a bias on a constant 1 is a vector of weights
    starts = [[math.log(math.expm1(-math.log(kept))) for kept in (LEVEL_KEPT, SEASON_KEPT)]]
    rates = keras.layers.Dense(
        2,
        use_bias=False,
        activation="softplus",
        kernel_initializer=keras.initializers.Constant(starts),
        name="forgetting",
    )(ones)
    return [ops.exp(-ops.matmul(rates[:, i : i + 1], age)) for i in range(2)]


def _mean(values: keras.KerasTensor, weights: keras.KerasTensor) -> keras.KerasTensor:
    """Over the seasons, `[batch, seasons, ...]`; 0, the window's level, where nothing counts. `[batch, 1]` for two
    axes, `[batch, ...]` for three."""
    keep = len(values.shape) == 2
    total = ops.sum(values * weights, axis=1, keepdims=keep)
    return ops.divide(total, ops.maximum(ops.sum(weights, axis=1, keepdims=keep), 1e-6))


def _kept(missed_and_drift: keras.KerasTensor, layout: ForecastLayout) -> keras.KerasTensor:
    """`<float32>[batch, horizon]`: how much of the last step's distance is left after each step, and what a drift of
    the level comes to."""
    start = np.empty((2, layout.horizon))
    start[0], start[1] = PERSISTENCE ** np.arange(1, layout.horizon + 1), DRIFT
    return keras.layers.Dense(
        layout.horizon,
        use_bias=False,
        kernel_initializer=keras.initializers.Constant(start.tolist()),
        name="persistence",
    )(missed_and_drift)


def _offsets(past: keras.KerasTensor, layout: ForecastLayout) -> keras.KerasTensor:
    """How far each quantile lies from the base, `<float32>[batch, horizon, quantiles]`: weights alone."""
    x = keras.layers.Dense(
        layout.horizon * len(layout.quantiles),
        use_bias=False,
        kernel_initializer=keras.initializers.Constant(normal_offsets(layout).reshape(1, -1).tolist()),
        name="offsets",
    )(ops.ones_like(past[:, :1]))
    return keras.layers.Reshape((layout.horizon, len(layout.quantiles)))(x)


CLIMATE_FORECAST = Space(
    name="climate_forecast",
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    input_kinds=frozenset({InputKind.FORECAST}),
)
