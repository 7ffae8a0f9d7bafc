"""ConvNeXt: convolutions arranged like a transformer's blocks (Liu 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes
from search_spaces.convolutional import ends, stems
from search_spaces.convolutional.blocks import convnext_block
from search_spaces.convolutional.parts import norm
from search_spaces.convolutional.scaling import stochastic_depth_rates
from search_spaces.space import Space

DEPTH_RATIO = (1, 1, 3, 1)
"""Of the blocks of the stages (Liu 2022, section 2.2)."""


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    return {
        "width": hp.Int("convnext/width", 16, 64, step=2, sampling="log", default=32),
        # blocks of the first stage; the third has three times as many
        "num_blocks": hp.Int("convnext/num_blocks", 1, 3, default=1),
        "num_stages": hp.Int("convnext/num_stages", 2, 4, default=3),
        # 7 is the paper's, for maps of 56 pixels; a map of 7 is seen at once by 3 or 5
        "kernel_size": hp.Choice("convnext/kernel_size", [3, 5, 7], default=7),
        "expansion_ratio": hp.Choice("convnext/expansion_ratio", [2, 4], default=4),
        # 1e-6 is the paper's, for 300 epochs; 0: no scale
        "layer_scale": hp.Choice("convnext/layer_scale", [0.0, 1e-6, 0.1], default=1e-6),
        "stochastic_depth_rate": hp.Choice("convnext/stochastic_depth_rate", [0.0, 0.1, 0.2], default=0.0),
        "pooling": hp.Choice("convnext/pooling", list(ends.POOLINGS), default="mean"),
        # from 65 px on a stem makes a quarter of it: 128 px cost what 32 do
        "resolution": hp.Choice("convnext/resolution", [32, 48, 64, 96, 128, 160], default=128),
        "dropout_rate": hp.Float("convnext/dropout_rate", 0.0, 0.5, default=0.2),
        **recipes.image_choices(hp, "convnext", spec),
    }


def body(
    x: keras.KerasTensor,
    widths: Sequence[int],
    depths: Sequence[int],
    *,
    kernel_size: int = 7,
    expansion_ratio: int = 4,
    layer_scale: float = 1e-6,
    stochastic_depth_rate: float = 0.0,
) -> keras.KerasTensor:
    """Stages of blocks; a norm and a 2x2 convolution of stride 2 stand between two.

    ConvNeXt-T is a "patchify" stem of 96 filters, then `body(x, (96, 192, 384, 768), (3, 3, 9, 3))`, a mean, a
    `LayerNormalization` and a `Dense`.

    Args:
        x: `<float32>[batch, height, width, widths[0]]`, from a stem.
        widths: Of each stage.
        depths: Blocks of each stage.
        kernel_size: See `convnext_block`, also for `expansion_ratio` and `layer_scale`.
        stochastic_depth_rate: Of the last block.
    """
    rates = iter(stochastic_depth_rates(stochastic_depth_rate, sum(depths)))
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        if stage:
            initializer = keras.initializers.TruncatedNormal(stddev=0.02)
            halve = keras.layers.Conv2D(width, 2, strides=2, padding="same", kernel_initializer=initializer)
            x = halve(norm(x, "layer"))
        for _ in range(depth):
            x = convnext_block(
                x,
                kernel_size=kernel_size,
                expansion_ratio=expansion_ratio,
                layer_scale=layer_scale,
                stochastic_depth_rate=next(rates),
            )
    return x


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """A stem for the image's size, stages of blocks, a pooling and a norm. Uncompiled.

    Takes `<uint8>[batch, height, width, channels]`; scaling and resizing are part of the network.

    Raises:
        ValueError: The image is smaller than 4 pixels, or an unknown choice.
    """
    front = stems.image_front(spec, values["resolution"])
    if front.large:
        x = stems.stem(front.x, values["width"], "patchify")
    else:
        x = norm(stems.stem(front.x, values["width"], "small", activation=None), "layer")
    num_stages = 1 + stems.halvings(x, values["num_stages"] - 1)
    x = body(
        x,
        [values["width"] * 2**stage for stage in range(num_stages)],
        [values["num_blocks"] * ratio for ratio in DEPTH_RATIO[:num_stages]],
        kernel_size=values["kernel_size"],
        expansion_ratio=values["expansion_ratio"],
        layer_scale=values["layer_scale"],
        stochastic_depth_rate=values["stochastic_depth_rate"],
    )
    x = keras.layers.LayerNormalization(epsilon=1e-6, name="last_norm")(ends.pool(x, values["pooling"]))
    return keras.Model(front.inputs, heads.build(task, spec, x, values["dropout_rate"]), name="convnext")


CONVNEXT = Space(
    name="convnext",
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    input_kinds=frozenset({InputKind.IMAGE}),
    on_request=True,
)
