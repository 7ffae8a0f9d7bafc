"""Networks of depthwise convolutions for small machines, made larger by one number.

Howard 2017 (MobileNet), Sandler 2018 (MobileNetV2), Hu 2018 (squeeze and excitation), Tan & Le 2019 (EfficientNet).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes
from search_spaces.convolutional import ends, scaling, stems
from search_spaces.convolutional.blocks import inverted_residual, separable_block
from search_spaces.convolutional.parts import activate, conv, norm
from search_spaces.space import Space

BLOCKS = ("inverted_residual", "separable")
NORMS = ("batch", "group")
RESOLUTION = 128
"""Of large images, at a coefficient of 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A row of a paper's table: blocks of one width, the first of which may halve the map."""

    filters: int
    num_blocks: int
    stride: int
    expansion_ratio: int
    kernel_size: int = 3


def _stages(*rows: tuple[int, int, int, int, int]) -> tuple[Stage, ...]:
    names = [field.name for field in dataclasses.fields(Stage)]
    return tuple(Stage(**dict(zip(names, row, strict=True))) for row in rows)


# filters, blocks, stride, expansion ratio, kernel size
MOBILENET_V2 = _stages(
    (16, 1, 1, 1, 3), (24, 2, 2, 6, 3), (32, 3, 2, 6, 3), (64, 4, 2, 6, 3),
    (96, 3, 1, 6, 3), (160, 3, 2, 6, 3), (320, 1, 1, 6, 3)
)  # fmt: skip
"""Sandler 2018, table 2: a "strided" stem of 32 filters, and 1280 filters at the top."""
EFFICIENTNET_B0 = _stages(
    (16, 1, 1, 1, 3), (24, 2, 2, 6, 3), (40, 2, 2, 6, 5), (80, 3, 2, 6, 3),
    (112, 3, 1, 6, 5), (192, 4, 2, 6, 5), (320, 1, 1, 6, 3)
)  # fmt: skip
"""Tan & Le 2019, table 1; a gate of a quarter, and "silu"."""
SMALL_STEM, TOP_RATIO = 16, 4
SMALL = _stages((16, 1, 1, 1, 3), (24, 2, 2, 4, 3), (48, 2, 2, 4, 3), (96, 2, 2, 4, 3))
"""Ours at a coefficient of 0. Little is done at full size: wide maps cost more to norm and to gate than to convolve.
With two blocks of 24 filters there, a step took three times as long as that of `residual`."""


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    block = hp.Choice("mobilenet/block", list(BLOCKS), default="inverted_residual")
    values = {
        "block": block,
        # one more is about twice the work, in width, depth and resolution together (Tan & Le 2019, equation 3)
        "compound_coefficient": hp.Int("mobilenet/compound_coefficient", -2, 3, default=0),
        "expansion_ratio": 1,
        # a gate costs little beside the convolutions, and helps most networks (Hu 2018)
        "squeeze_excite": hp.Boolean("mobilenet/squeeze_excite", default=True),
        "activation": hp.Choice("mobilenet/activation", ["relu6", "silu"], default="silu"),
        "norm": hp.Choice("mobilenet/norm", list(NORMS), default="batch"),
        "stochastic_depth_rate": hp.Choice("mobilenet/stochastic_depth_rate", [0.0, 0.1, 0.2], default=0.0),
        "pooling": hp.Choice("mobilenet/pooling", list(ends.POOLINGS), default="mean"),
        "dropout_rate": hp.Float("mobilenet/dropout_rate", 0.0, 0.5, default=0.2),
        **recipes.image_choices(hp, "mobilenet", spec),
    }
    with hp.conditional_scope("mobilenet/block", ["inverted_residual"]):
        if block == "inverted_residual":
            # 6 is the paper's, for wider networks; the wide maps are what takes the time
            values["expansion_ratio"] = hp.Choice("mobilenet/expansion_ratio", [2, 4, 6], default=4)
    return values


def scaled(stages: Sequence[Stage], width_factor: float, depth_factor: float) -> tuple[Stage, ...]:
    """The same stages, wider and deeper."""
    return tuple(
        dataclasses.replace(
            stage,
            filters=scaling.round_width(width_factor * stage.filters),
            num_blocks=scaling.round_depth(depth_factor * stage.num_blocks),
        )
        for stage in stages
    )


def body(
    x: keras.KerasTensor,
    stages: Sequence[Stage],
    top_filters: int,
    *,
    separable: bool = False,
    squeeze_ratio: float = 0.0,
    activation: str = "relu6",
    norm_kind: str = "batch",
    stochastic_depth_rate: float = 0.0,
) -> keras.KerasTensor:
    """The stages, then a wide layer of 1x1.

    Args:
        x: `<float32>[batch, height, width, channels]`, from a stem.
        stages: `MOBILENET_V2` or `EFFICIENTNET_B0`, for instance.
        top_filters: Of the last layer.
        separable: Blocks of Howard 2017, without expansion.
        squeeze_ratio: Units of the gates, as a part of a block's input channels; 0: no gates.
        activation: One of `parts.ACTIVATIONS`.
        norm_kind: One of `parts.NORMS`.
        stochastic_depth_rate: Of the last block.
    """
    rates = iter(scaling.stochastic_depth_rates(stochastic_depth_rate, sum(stage.num_blocks for stage in stages)))
    for stage in stages:
        for i in range(stage.num_blocks):
            stride, rate = stage.stride if i == 0 else 1, next(rates)
            if separable:
                x = separable_block(
                    x,
                    stage.filters,
                    stride,
                    kernel_size=stage.kernel_size,
                    squeeze_ratio=squeeze_ratio,
                    activation=activation,
                    norm_kind=norm_kind,
                    stochastic_depth_rate=rate,
                )
            else:
                x = inverted_residual(
                    x,
                    stage.filters,
                    stride,
                    kernel_size=stage.kernel_size,
                    expansion_ratio=stage.expansion_ratio,
                    squeeze_ratio=squeeze_ratio,
                    activation=activation,
                    norm_kind=norm_kind,
                    stochastic_depth_rate=rate,
                )
    return activate(norm(conv(x, top_filters, 1), norm_kind), activation)


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """A stem for the image's size, stages of depthwise blocks, a wide layer and a pooling. Uncompiled.

    Takes `<uint8>[batch, height, width, channels]`; scaling and resizing are part of the network.

    Raises:
        ValueError: The image is smaller than 4 pixels, or an unknown choice.
    """
    if values["block"] not in BLOCKS:
        raise ValueError(f"`mobilenet/block` must be one of {', '.join(BLOCKS)}. Received: {values['block']!r}.")
    coefficient = values["compound_coefficient"]
    wider = scaling.width_factor(coefficient)
    # images that have fewer pixels are never enlarged: for them width and depth alone are scaled
    front = stems.image_front(spec, scaling.scaled_resolution(RESOLUTION, coefficient))
    x = stems.stem(
        front.x,
        scaling.round_width(wider * SMALL_STEM),
        "strided" if front.large else "small",
        norm_kind=values["norm"],
        activation=values["activation"],
    )
    stages = [
        dataclasses.replace(stage, expansion_ratio=values["expansion_ratio"]) if stage.expansion_ratio > 1 else stage
        for stage in scaled(SMALL, wider, scaling.depth_factor(coefficient))
    ]
    x = body(
        x,
        strided(stages, x, front.large),
        TOP_RATIO * stages[-1].filters,
        separable=values["block"] == "separable",
        squeeze_ratio=0.25 if values["squeeze_excite"] else 0.0,
        norm_kind=values["norm"],
        activation=values["activation"],
        stochastic_depth_rate=values["stochastic_depth_rate"],
    )
    x = ends.pool(x, values["pooling"])
    return keras.Model(front.inputs, heads.build(task, spec, x, values["dropout_rate"]), name="mobilenet")


def strided(stages: Sequence[Stage], x: keras.KerasTensor, large: bool) -> list[Stage]:
    """The stages with strides that suit the map: the first one halves a large image once more, the last ones leave a
    small map as it is."""
    wanted = [2 if large or i else 1 for i in range(len(stages))]
    left = stems.halvings(x, sum(stride == 2 for stride in wanted))
    found = []
    for stage, stride in zip(stages, wanted, strict=True):
        stride = stride if left else 1
        left -= stride == 2
        found.append(dataclasses.replace(stage, stride=stride))
    return found


MOBILENET = Space(
    name="mobilenet",
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    input_kinds=frozenset({InputKind.IMAGE}),
    on_request=True,
)
