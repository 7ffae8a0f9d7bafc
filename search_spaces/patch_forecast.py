"""Forecasts from patches of the past, each series by itself through one shared encoder (PatchTST, Nie 2023)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from records.data import DataSpec, InputKind
from records.spec import ForecastLayout
from records.task import Task
from search_spaces import heads, recipes, sequences
from search_spaces.attention import presets
from search_spaces.attention.block import encode
from search_spaces.forecasting.bases import BASES, around, base_forecast, known_columns, linear_quantiles
from search_spaces.space import Space

MOST_PATCHES = 64
"""Attention costs the square of the patches: of a longer past they are larger."""


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    return {
        # 16 is the paper's for the hourly sets of this size; 128 its for the large ones
        "width": hp.Choice("patch_forecast/width", [16, 32, 64, 128], default=16),
        "num_blocks": hp.Int("patch_forecast/num_blocks", 1, 3, default=2),
        "num_heads": hp.Choice("patch_forecast/num_heads", [2, 4], default=4),
        # half of each patch is the next one's too, as in the paper
        "patch_size": hp.Choice("patch_forecast/patch_size", [8, 16, 32], default=16),
        **presets.choices(hp, "patch_forecast", "xiong_2020", positions="learnt", causal=True),
        "expansion_ratio": hp.Choice("patch_forecast/expansion_ratio", [2, 4], default=4),
        # what a forecast is where the weights are 0, as for linear forecasts
        "base": hp.Choice("patch_forecast/base", list(BASES), default="season"),
        # a linear map of the past beside the encoder: what is linear in it is found within an epoch (Zeng 2023)
        "linear_path": hp.Boolean("patch_forecast/linear_path", default=True),
        # other series of the past: many weights, and in the paper each series is best forecast from itself
        "use_past": hp.Boolean("patch_forecast/use_past", default=False),
        "use_known": hp.Boolean("patch_forecast/use_known", default=True),
        "dropout_rate": hp.Float("patch_forecast/dropout_rate", 0.0, 0.5, default=0.2),
        "stochastic_depth_rate": hp.Choice("patch_forecast/stochastic_depth_rate", [0.0, 0.1, 0.2], default=0.0),
        **recipes.choices(
            hp,
            "patch_forecast",
            spec=spec,
            smoothing=bool(spec.labels),
            learning_rate=(1e-4, 5e-3, 1e-3),
            **sequences.effort(spec),
            optimizers=("adamw",),
        ),
    }


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """A base, plus a linear map of the encoded patches. Uncompiled.

    The target's past and each past column go through the same encoder, one by one. The former's patches lie side by
    side in the map's input, the latter are first reduced to one vector each.

    Takes `<float32>[batch, history + horizon, features]`; see `records.spec.ForecastLayout`.

    Raises:
        ValueError: An unknown choice.
    """
    layout = spec.forecast
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="window")
    count = 1 + len(layout.past) * values["use_past"]
    past, observed = inputs[:, : layout.history, :count], inputs[:, : layout.history, -3:-2]
    base = base_forecast(past[:, :, 0], layout, values["base"], "patch_forecast/base")
    if values["base"] != "level":
        past = ops.subtract(past, past[:, -1:])  # so that a series may drift (Zeng 2023)
    past = ops.multiply(observed, past)
    features = _encoded(past, observed, values, layout)
    if values["linear_path"]:
        features.append(past[:, :, 0])
    if values["use_known"] and layout.known:
        features.append(keras.layers.Flatten()(known_columns(inputs, layout)[:, layout.history :]))
    x = ops.concatenate(features, axis=1) if len(features) > 1 else features[0]
    x = keras.layers.Identity(name=heads.EMBEDDING)(x)
    return keras.Model(inputs, heads.future(around(base, linear_quantiles(x, layout)), inputs), name="patch_forecast")


def patch_sizes(patch_size: int, history: int) -> tuple[int, int]:
    """Steps of a patch, and from one to the next: half as many, more where there would be too many patches. Of a short
    past a patch is no more than a half, so that there are some to look at each other."""
    size = min(patch_size, max(1, history // 2))
    stride = max(1, size // 2, -(-history // MOST_PATCHES))
    return max(size, stride), stride


def _encoded(
    past: keras.KerasTensor, observed: keras.KerasTensor, values: dict[str, Any], layout: ForecastLayout
) -> list[keras.KerasTensor]:
    """The target's patches `<float32>[batch, patches x width]`, and one vector `<float32>[batch, width]` for each of
    the other columns of `past` `<float32>[batch, history, columns]`."""
    columns, width, block = past.shape[-1], values["width"], presets.block_of(values)
    size, stride = patch_sizes(values["patch_size"], layout.history)
    # zeros before the beginning, so that the last patch ends with the last step
    missing = -(layout.history - size) % stride
    lengthen = keras.layers.ZeroPadding1D((missing, 0))
    mask = keras.layers.MaxPooling1D(size, strides=stride)(lengthen(ops.concatenate([observed] * columns, axis=-1)))
    patches = mask.shape[1]
    # each column is an example of its own
    x = keras.layers.Permute((2, 1))(keras.layers.ZeroPadding1D((missing, 0))(past))
    x = ops.reshape(x, (-1, layout.history + missing, 1))
    mask = ops.reshape(keras.layers.Permute((2, 1))(mask), (-1, patches, 1))
    x = keras.layers.Conv1D(width, size, strides=stride, name="patches")(x)
    x = encode(x, block, values["num_blocks"], most_steps=patches, mask=mask)
    x = ops.reshape(ops.multiply(x, mask), (-1, columns, patches * width))
    target = keras.layers.Dropout(values["dropout_rate"])(x[:, 0]) if values["dropout_rate"] else x[:, 0]
    if columns == 1:
        return [target]
    others = keras.layers.Dense(width, name="others")(x[:, 1:])
    return [target, keras.layers.Flatten()(others)]


PATCH_FORECAST = Space(
    name="patch_forecast",
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    input_kinds=frozenset({InputKind.FORECAST}),
    on_request=True,
)
