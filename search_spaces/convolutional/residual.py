"""Residual networks: each block adds to what it was given (He 2015), norms and ReLUs first (He 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes
from search_spaces.convolutional import ends, stems
from search_spaces.convolutional.blocks import residual_block
from search_spaces.convolutional.parts import activate, norm
from search_spaces.convolutional.scaling import stochastic_depth_rates
from search_spaces.space import Space

NORMS = ("batch", "group")


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    return {
        # 16 is the paper's for 32 px (He 2015, section 4.2); 64 is what two cores can still train on
        "width": hp.Int("residual/width", 16, 64, step=2, sampling="log", default=32),
        # blocks of each stage
        "num_blocks": hp.Int("residual/num_blocks", 1, 3, default=1),
        # each stage sees twice as far, at half the size and twice the width; small images have room for fewer
        "num_stages": hp.Int("residual/num_stages", 2, 4, default=3),
        "bottleneck": hp.Boolean("residual/bottleneck", default=False),
        # averages over a batch are stale in a short training, those over one example never are
        "norm": hp.Choice("residual/norm", list(NORMS), default="batch"),
        # every block starts as nothing, so a deep network starts as a shallow one
        "zero_init_residual": hp.Boolean("residual/zero_init_residual", default=False),
        # 0.5 is the paper's for 110 layers (Huang 2016); a dozen have less to spare
        "stochastic_depth_rate": hp.Choice("residual/stochastic_depth_rate", [0.0, 0.1, 0.2], default=0.0),
        "pooling": hp.Choice("residual/pooling", list(ends.POOLINGS), default="mean"),
        # from 65 px on a stem makes a quarter of it: 128 px cost what 32 do
        "resolution": hp.Choice("residual/resolution", [32, 48, 64, 96, 128, 160], default=128),
        "dropout_rate": hp.Float("residual/dropout_rate", 0.0, 0.5, default=0.2),
        **recipes.image_choices(hp, "residual", spec),
    }


def body(
    x: keras.KerasTensor,
    width: int,
    depths: Sequence[int],
    *,
    bottleneck: bool = False,
    pre_activation: bool = True,
    norm_kind: str = "batch",
    zero_init_residual: bool = False,
    stochastic_depth_rate: float = 0.0,
) -> keras.KerasTensor:
    """Stages of blocks; each but the first halves the map and doubles the width.

    ResNet-18 is a "pooled" stem of 64 filters, then `body(x, 64, (2, 2, 2, 2), pre_activation=False)`, a mean and a
    `Dense`; ResNet-50 has `(3, 4, 6, 3)` and bottlenecks.

    Args:
        x: `<float32>[batch, height, width, channels]`, from a stem.
        width: Of the 3x3 convolutions of the first stage.
        depths: Blocks of each stage.
        bottleneck: See `residual_block`, also for `pre_activation`, `norm_kind` and `zero_init_residual`.
        stochastic_depth_rate: Of the last block.
    """
    rates = iter(stochastic_depth_rates(stochastic_depth_rate, sum(depths)))
    for stage, depth in enumerate(depths):
        for i in range(depth):
            x = residual_block(
                x,
                width * 2**stage,
                2 if stage and not i else 1,
                bottleneck=bottleneck,
                pre_activation=pre_activation,
                norm_kind=norm_kind,
                zero_init_residual=zero_init_residual,
                stochastic_depth_rate=next(rates),
            )
    return activate(norm(x, norm_kind), "relu") if pre_activation else x


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """A stem for the image's size, stages of pre-activation blocks, and a pooling. Uncompiled.

    Takes `<uint8>[batch, height, width, channels]`; scaling and resizing are part of the network.

    Raises:
        ValueError: The image is smaller than 4 pixels, or an unknown choice.
    """
    front = stems.image_front(spec, values["resolution"])
    # a small stem's norm would be the first block's twice
    kind, activation = ("pooled", "relu") if front.large else ("small", None)
    x = stems.stem(front.x, values["width"], kind, norm_kind=values["norm"], activation=activation)
    num_stages = 1 + stems.halvings(x, values["num_stages"] - 1)
    x = body(
        x,
        # a bottleneck is four times as wide outside; with half the width inside it costs about as much
        values["width"] // 2 if values["bottleneck"] else values["width"],
        [values["num_blocks"]] * num_stages,
        bottleneck=values["bottleneck"],
        norm_kind=values["norm"],
        zero_init_residual=values["zero_init_residual"],
        stochastic_depth_rate=values["stochastic_depth_rate"],
    )
    x = ends.pool(x, values["pooling"])
    return keras.Model(front.inputs, heads.build(task, spec, x, values["dropout_rate"]), name="residual")


RESIDUAL = Space(
    name="residual",
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    input_kinds=frozenset({InputKind.IMAGE}),
    on_request=True,
)
