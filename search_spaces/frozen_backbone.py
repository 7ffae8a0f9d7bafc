"""Transfer learning at its cheapest: a pretrained backbone that stays as it is, and a small head on its features.

The features of each example are computed once for a backbone and a resolution; a trial then trains the head alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes
from search_spaces.backbones import build_encoder, get_backbone
from search_spaces.space import Space
from search_spaces.transfer import hub
from search_spaces.transfer.prototypes import PROTOTYPES, build_prototypes, choose_head, with_head_rate


def build_head(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """The head on `<float32>[batch, features]`: normalised features, dropout, a dense layer or two or prototypes."""
    inputs = keras.Input(spec.input_shape, dtype="float32", name="features")
    # features of a foreign domain have foreign scales; one learning rate then fits every backbone
    x = keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False, name="feature_norm")(inputs)
    if values.get("head") == PROTOTYPES:
        return keras.Model(inputs, build_prototypes(spec, x, values["dropout_rate"]), name="head")
    if values["hidden_units"]:
        x = keras.layers.Dense(values["hidden_units"], activation="relu", name="hidden")(x)
    # A linear head that starts at 0 finds what the examples say, and nothing that was there by chance: with 8 of each
    # class 0.654 for 0.544 on clothes, and 0.576 for 0.527 on questions.
    prediction = heads.build(task, spec, x, values["dropout_rate"], zero_weights=not values["hidden_units"])
    return keras.Model(inputs, prediction, name="head")


def encoder_key(values: dict[str, Any]) -> str:
    """Names a backbone's features at a resolution; the key of a local file or preset changes with it."""
    backbone, path = values["backbone"], Path(values["backbone"].removeprefix(hub.PREFIX))
    path = path / hub.WEIGHTS if (path / hub.WEIGHTS).is_file() else path
    if path.suffix in (".keras", ".h5"):
        backbone += f":{path.stat().st_size}:{path.stat().st_mtime_ns}"
    return f"{backbone}@{values['resolution']}"


def frozen_backbone(backbones: tuple[str, ...]) -> Space:
    """The space over the given backbones; the first is the default.

    Args:
        backbones: References that `search_spaces.backbones.get_backbone` knows and whose weights can be had.
    """

    def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
        values = {
            "backbone": hp.Choice("frozen_backbone/backbone", list(backbones), default=backbones[0]),
            # cost grows with the square; 224 is what most backbones were trained at
            "resolution": hp.Choice("frozen_backbone/resolution", [96, 128, 160, 192, 224], default=160),
            **choose_head(hp, "frozen_backbone", spec),
            "dropout_rate": hp.Float("frozen_backbone/dropout_rate", 0.0, 0.6, default=0.2),
            **recipes.choices(
                hp,
                "frozen_backbone",
                learning_rate=(1e-4, 1e-2, 1e-3),
                max_epochs=25,
                smoothing=bool(spec.labels),
                spec=spec,
                cached=True,
            ),
        }
        return with_head_rate(values)

    def encoder(values: dict[str, Any], spec: DataSpec) -> keras.Model:
        return build_encoder(get_backbone(values["backbone"]), spec.input_shape, values["resolution"])  # type: ignore[arg-type]

    return Space(
        name="frozen_backbone",
        choices=choices,
        build=build_head,
        recipe=recipes.recipe,
        encoder=encoder,
        encoder_key=encoder_key,
        input_kinds=frozenset({InputKind.IMAGE}),
    )
