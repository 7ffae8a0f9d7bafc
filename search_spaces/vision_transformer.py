"""Transformers on patches of images (Dosovitskiy 2021), whose first layers may be convolutions (Xiao 2021)."""

from __future__ import annotations

import math
from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes
from search_spaces.attention import presets
from search_spaces.attention.block import encode
from search_spaces.attention.positions import grid_of
from search_spaces.space import Space


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    return {
        "width": hp.Choice("vision_transformer/width", [64, 96, 128, 192], default=96),
        "num_blocks": hp.Int("vision_transformer/num_blocks", 2, 6, default=4),
        "num_heads": hp.Choice("vision_transformer/num_heads", [2, 4, 8], default=4),
        # as with convolutional networks: photographs lose little at 64 px
        "resolution": hp.Choice("vision_transformer/resolution", [32, 48, 64, 96], default=64),
        # along the longer side; what a step costs grows with its square, attention with its fourth power
        "patches_per_side": hp.Choice("vision_transformer/patches_per_side", [4, 8, 16], default=8),
        # learns with less training and at higher rates than patches that are cut (Xiao 2021)
        "convolutional_stem": hp.Boolean("vision_transformer/convolutional_stem", default=True),
        **presets.choices(hp, "vision_transformer", "xiong_2020", positions="sinusoidal", causal=False),
        "expansion_ratio": hp.Choice("vision_transformer/expansion_ratio", [2, 4], default=2),
        "dropout_rate": hp.Float("vision_transformer/dropout_rate", 0.0, 0.3, default=0.1),
        # 0.1 is what small vision transformers were trained with from the start (Touvron 2021)
        "stochastic_depth_rate": hp.Choice("vision_transformer/stochastic_depth_rate", [0.0, 0.1, 0.2], default=0.1),
        **recipes.choices(
            hp,
            "vision_transformer",
            spec=spec,
            learning_rate=(1e-4, 5e-3, 1e-3),
            max_epochs=40,
            augment=True,
            optimizers=("adamw",),
            patience=10,
        ),
    }


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """Patches, blocks of attention between them, and their mean (Beyer 2022). Uncompiled.

    Takes `<uint8>[batch, height, width, channels]`; scaling and resizing are part of the network. Waves and rotations
    know row and column of a patch.

    Raises:
        ValueError: The image is smaller than 4 pixels, or a choice is unknown.
    """
    height, width, _ = spec.input_shape
    if min(height, width) < 4:
        raise ValueError(f"Images must be at least 4 pixels wide and high. Received: input_shape={spec.input_shape}.")
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    shrink = values["resolution"] / max(height, width)
    if shrink < 1:
        height, width = max(4, round(height * shrink)), max(4, round(width * shrink))
        x = keras.layers.Resizing(height, width)(x, training=False)
    halvings = max(0, round(math.log2(max(height, width) / values["patches_per_side"])))
    stem = _convolutions if values["convolutional_stem"] else _patches
    x = stem(x, values["width"], halvings)
    coordinates = grid_of(x)
    most_steps = x.shape[1] * x.shape[2]
    x = keras.layers.Reshape((most_steps, values["width"]))(x)
    x = encode(x, presets.block_of(values), values["num_blocks"], most_steps=most_steps, coordinates=coordinates)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, heads.build(task, spec, x, values["dropout_rate"]), name="vision_transformer")


def _patches(x: keras.KerasTensor, width: int, halvings: int) -> keras.KerasTensor:
    """One vector for each square of `2^halvings` pixels, without overlap (Dosovitskiy 2021, equation 1)."""
    size = 2**halvings
    return keras.layers.Conv2D(width, size, strides=size, padding="same", name="patches")(x)


def _convolutions(x: keras.KerasTensor, width: int, halvings: int) -> keras.KerasTensor:
    """The same size of map by 3x3 convolutions, each of half the size and twice the filters of the one before, and a
    last one of 1x1 (Xiao 2021, section 4)."""
    for i in range(max(1, halvings)):
        filters = width // 2 ** (max(1, halvings) - 1 - i)
        x = keras.layers.Conv2D(filters, 3, strides=2 if halvings else 1, padding="same", use_bias=False)(x)
        # Keras' default of 0.99 needs thousands of steps before validation sees sound averages
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))
    return keras.layers.Conv2D(width, 1, name="patches")(x)


VISION_TRANSFORMER = Space(
    name="vision_transformer",
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    input_kinds=frozenset({InputKind.IMAGE}),
    on_request=True,
)
