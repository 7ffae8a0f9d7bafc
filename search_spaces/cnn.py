"""Plain convolutional networks for small images: blocks of convolutions that double their width, then a mean."""

from __future__ import annotations

from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes
from search_spaces.convolutional.stems import image_front
from search_spaces.space import Space


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    return {
        # 16 underfits 28 px; 64 is what two cores can still train on
        "filters": hp.Int("cnn/filters", 16, 64, step=2, sampling="log", default=32),
        "num_blocks": hp.Int("cnn/num_blocks", 2, 4, default=3),
        # two convolutions see further than one for the same width (Simonyan 2015)
        "convolutions": hp.Int("cnn/convolutions", 1, 2, default=2),
        "norm": hp.Choice("cnn/norm", ["batch", "none"], default="batch"),
        # photographs lose little at 64 px and cost a fifth of 160
        "resolution": hp.Choice("cnn/resolution", [32, 48, 64, 96], default=48),
        "dropout_rate": hp.Float("cnn/dropout_rate", 0.0, 0.5, default=0.2),
        **recipes.image_choices(hp, "cnn", spec),
    }


def _block(x: keras.KerasTensor, filters: int, values: dict[str, Any]) -> keras.KerasTensor:
    for _ in range(values["convolutions"]):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=values["norm"] == "none")(x)
        if values["norm"] == "batch":
            # Keras' default of 0.99 needs thousands of steps before validation sees sound averages
            x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
    return x


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """Convolutions and pooling, then global average pooling. Uncompiled.

    Takes `<uint8>[batch, height, width, channels]`; scaling and resizing are part of the network.

    Raises:
        ValueError: The image is smaller than 4 pixels, or `norm` is unknown.
    """
    if values["norm"] not in ("batch", "none"):
        raise ValueError(f"`cnn/norm` must be batch or none. Received: {values['norm']!r}.")
    front = image_front(spec, values["resolution"])
    x = front.x
    num_blocks = min(values["num_blocks"], min(x.shape[1:3]).bit_length() - 1)  # the last map keeps 2 pixels
    for i in range(num_blocks):
        x = _block(x, values["filters"] * 2**i, values)
        if i < num_blocks - 1:
            x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(front.inputs, heads.build(task, spec, x, values["dropout_rate"]), name="cnn")


CNN = Space(name="cnn", choices=choices, build=build, recipe=recipes.recipe, input_kinds=frozenset({InputKind.IMAGE}))
