"""Transfer learning that changes the backbone: its last layers are trained, its first ones are computed once.

The feature maps in the middle of the network are cached for every example, so an epoch costs about a third of one
through the whole network, and the early layers, which hold what all photographs share, stay as they are.
"""

from __future__ import annotations

from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes
from search_spaces.backbones import build_encoder, get_backbone
from search_spaces.frozen_backbone import encoder_key
from search_spaces.space import Space
from search_spaces.splitting import split_encoder

NAME = "finetuned_backbone"


def build_top(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """The backbone's last layers, with their weights, and the head, on `<float32>[batch, rows, columns, channels]`."""
    size = values["resolution"]
    top = _halves(values, (size, size, 3))[1]  # the maps of an image of any size are those of the resized one
    inputs = keras.Input(spec.input_shape, dtype="float32", name="maps")
    x = keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False, name="feature_norm")(top(inputs))
    # zero weights: the head settles before the first gradients that mean nothing reach the backbone
    prediction = heads.build(task, spec, x, values["dropout_rate"], zero_weights=True)
    return keras.Model(inputs, prediction, name="top_and_head")


def _halves(values: dict[str, Any], input_shape: tuple[int, ...]) -> tuple[keras.Model, keras.Model]:
    height, width, channels = input_shape
    encoder = build_encoder(get_backbone(values["backbone"]), (height, width, channels), values["resolution"])
    return split_encoder(encoder, values["trained_share"])


def finetuned_backbone(backbones: tuple[str, ...]) -> Space:
    """The space over the given backbones; the first is the default.

    Args:
        backbones: References that `search_spaces.backbones.get_backbone` knows and whose weights can be had.
    """

    def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
        return {
            "backbone": hp.Choice(f"{NAME}/backbone", list(backbones), default=backbones[0]),
            # cost grows with the square; 224 is what most backbones were trained at
            "resolution": hp.Choice(f"{NAME}/resolution", [96, 128, 160, 192, 224], default=160),
            # a fifth adapts the last stage alone; half costs twice as much as a third
            "trained_share": hp.Choice(f"{NAME}/trained_share", [0.2, 0.34, 0.5], default=0.34),
            "dropout_rate": hp.Float(f"{NAME}/dropout_rate", 0.0, 0.5, default=0.2),
            **recipes.choices(
                hp,
                NAME,
                learning_rate=(3e-4, 2e-3, 7e-4),
                max_epochs=8,
                batch_sizes=(32, 64),
                optimizers=("adamw",),
                smoothing=bool(spec.labels),
                spec=spec,
                cached=True,
            ),
            # wrong for digits and letters, right for most photographs
            "flip": hp.Boolean(f"{NAME}/flip", default=True),
        }

    def encoder(values: dict[str, Any], spec: DataSpec) -> keras.Model:
        return _halves(values, spec.input_shape)[0]

    return Space(
        name=NAME,
        choices=choices,
        build=build_top,
        recipe=recipes.recipe,
        encoder=encoder,
        encoder_key=lambda values: f"{encoder_key(values)}-{values['trained_share']}",
        input_kinds=frozenset({InputKind.IMAGE}),
    )
