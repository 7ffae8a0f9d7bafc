"""Dense forecasts: two residual perceptrons between the window and the future (TiDE, Das 2023).

As there: covariates are projected to a few numbers for each step, an encoder reads them with the whole past at once, a
decoder gives each step of the future a vector, and one small network, the same for all steps, joins that vector with
what is known of the step. A linear map of the past leads past it all. The window's own level and spread stand for the
paper's reversible normalisation, and a forecast begins at its base.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes, sequences
from search_spaces.forecasting.bases import BASES, around, base_forecast, known_columns, linear_quantiles
from search_spaces.space import Space

COVARIATE_WIDTH = 4
"""Numbers that a step's covariates are projected to, as in the paper."""
COVARIATE_UNITS = 16
"""Of the hidden layer before them: a step has few covariates."""
STEP_WIDTH = 8
"""Numbers that the decoder gives for each step: among the paper's 4 to 32."""
STEP_UNITS = 32
"""Of the hidden layer that joins them with what is known of the step: the paper's smallest."""


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    return {
        # as of linear forecasts, whose reasons hold here too
        "base": hp.Choice("dense_forecast/base", list(BASES), default="season"),
        # the paper's 256 to 1024 are for tens of thousands of windows
        "hidden_units": hp.Choice("dense_forecast/hidden_units", [32, 64, 128, 256, 512], default=128),
        # of the encoder and of the decoder; the paper's 1 to 3
        "num_layers": hp.Int("dense_forecast/num_layers", 1, 3, default=1),
        # windows that overlap say nearly the same: without it a network learns them by heart
        "dropout_rate": hp.Float("dense_forecast/dropout_rate", 0.0, 0.6, default=0.3),
        **recipes.choices(
            hp,
            "dense_forecast",
            smoothing=bool(spec.labels),
            learning_rate=(1e-4, 5e-3, 1e-3),
            **sequences.effort(spec),
            optimizers=("adamw",),
        ),
    }


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """Encoder, decoder and the network of each step, beside a linear map of the past. Uncompiled.

    Takes `<float32>[batch, history + horizon, features]`; see `records.spec.ForecastLayout`.

    Raises:
        ValueError: An unknown base.
    """
    layout = spec.forecast
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="window")
    past = inputs[:, : layout.history, 0]
    base = base_forecast(past, layout, values["base"], "dense_forecast/base")
    apart = past if values["base"] == "level" else ops.subtract(past, past[:, -1:])
    hidden, rate, steps = values["hidden_units"], values["dropout_rate"], layout.history + layout.horizon
    parts, known = [apart], None
    if layout.known:
        known = _residual(known_columns(inputs, layout), COVARIATE_WIDTH, COVARIATE_UNITS, rate, "known")
        parts.append(ops.reshape(known, (-1, steps * COVARIATE_WIDTH)))
    if layout.past:
        covariates = inputs[:, : layout.history, 1 : 1 + len(layout.past)]
        covariates = _residual(covariates, COVARIATE_WIDTH, COVARIATE_UNITS, rate, "past")
        parts.append(ops.reshape(covariates, (-1, layout.history * COVARIATE_WIDTH)))
    x = ops.concatenate(parts, axis=1) if len(parts) > 1 else apart
    for i in range(values["num_layers"]):
        x = _residual(x, hidden, hidden, rate, f"encoder{i}")
    x = keras.layers.Identity(name=heads.EMBEDDING)(x)
    for i in range(values["num_layers"]):
        width = hidden if i < values["num_layers"] - 1 else layout.horizon * STEP_WIDTH
        x = _residual(x, width, hidden, rate, f"decoder{i}")
    x = keras.layers.Reshape((layout.horizon, STEP_WIDTH))(x)
    if known is not None:
        x = ops.concatenate([x, known[:, layout.history :]], axis=-1)
    logits = around(base, ops.add(linear_quantiles(apart, layout), _each_step(x, len(layout.quantiles))))
    return keras.Model(inputs, heads.future(logits, inputs), name="dense_forecast")


def _residual(x: keras.KerasTensor, width: int, hidden_units: int, dropout_rate: float, name: str) -> keras.KerasTensor:
    """The paper's block: a perceptron beside a linear map, then a norm. `[..., features]` to `[..., width]`."""
    y = keras.layers.Dense(hidden_units, activation="relu", name=f"{name}_hidden")(x)
    y = keras.layers.Dense(width, name=f"{name}_out")(y)
    y = keras.layers.Dropout(dropout_rate, name=f"{name}_dropout")(y)
    x = keras.layers.Dense(width, name=f"{name}_skip")(x)
    return keras.layers.LayerNormalization(name=f"{name}_norm")(ops.add(x, y))


def _each_step(x: keras.KerasTensor, num_quantiles: int) -> keras.KerasTensor:
    """The temporal decoder: the same perceptron for each step, `[batch, horizon, features]` to
    `[batch, horizon, quantiles]`; at first 0."""
    y = keras.layers.Dense(STEP_UNITS, activation="relu", name="step_hidden")(x)
    y = keras.layers.Dense(num_quantiles, kernel_initializer="zeros", name="step_out")(y)
    x = keras.layers.Dense(num_quantiles, use_bias=False, kernel_initializer="zeros", name="step_skip")(x)
    return ops.add(x, y)


DENSE_FORECAST = Space(
    name="dense_forecast",
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    input_kinds=frozenset({InputKind.FORECAST}),
)
