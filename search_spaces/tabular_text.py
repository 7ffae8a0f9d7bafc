"""Networks for rows with columns of texts: a pretrained network reads the texts, and stays as it is; a network like
those for other tables learns from what it says and from the other columns.

The features of each row's texts are computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.spec import ColumnKind, Slot
from records.task import Task
from search_spaces import heads, recipes
from search_spaces.space import Space
from search_spaces.tabular import columns_as_features, declare, hidden_layers
from search_spaces.text_backbones import TEXT_BACKBONES, build_text_encoder

NAME = "mlp_with_text"


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """The backbone is not searched: it is the one whose tokenizer the texts were prepared with."""
    return {
        "backbone": spec.table.tokenizer,
        # a linear head on sentences was right in 0.845 with every layer, in 0.808 with the last one
        "pooling": hp.Choice(f"{NAME}/pooling", ["every_layer", "last_layer"], default="every_layer"),
        # texts have thousands of features and the other columns a few: a narrow layer lets both be heard
        "text_units": hp.Choice(f"{NAME}/text_units", [16, 64, 256], default=64),
        "text_dropout": hp.Float(f"{NAME}/text_dropout", 0.0, 0.7, default=0.4),
        **declare(hp, spec, NAME),
    }


def encoder(values: dict[str, Any], spec: DataSpec) -> keras.Model:
    """From rows to the elements of all other columns, in their order, and then the features of each text.

    Takes `<float32>[batch, width]`, gives `<float32>[batch, others + texts * features]`.
    """
    reader = build_text_encoder(values["backbone"], values["pooling"])
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="row")
    others = [place for slot in _others(spec) for place in range(slot.start, slot.stop)]
    parts = [keras.ops.take(inputs, others, axis=1)] if others else []
    for slot in spec.table.of_kind(ColumnKind.TEXT):
        parts.append(reader(keras.ops.cast(inputs[:, slot.start : slot.stop], "int32")))
    network = keras.Model(inputs, keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0], name="encoder")
    network.trainable = False
    return network


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """The network on what `encoder` gives.

    The branches are one layer of the network, so that it is the chain that `heads.join` puts behind the encoder.
    """
    inputs = keras.Input(spec.input_shape, dtype="float32", name="features")
    slots, width = packed(_others(spec))
    # features of a foreign domain have foreign scales; one learning rate then fits every backbone
    text = keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False)(inputs[:, width:])
    text = keras.layers.Dropout(values["text_dropout"])(text)
    x = keras.layers.Dense(values["text_units"], activation="relu", name="texts")(text)
    if slots:
        x = keras.layers.Concatenate()([columns_as_features(values, inputs, slots), x])
    body = keras.Model(inputs, hidden_layers(values, x), name="body")
    row = keras.Input(spec.input_shape, dtype="float32", name="row_features")
    return keras.Model(row, heads.build(task, spec, body(row), values["dropout_rate"]), name=NAME)


def packed(slots: Sequence[Slot]) -> tuple[list[Slot], int]:
    """The slots moved together from 0 on, and where they end."""
    moved, start = [], 0
    for slot in slots:
        moved.append(replace(slot, start=start, stop=start + slot.stop - slot.start))
        start = moved[-1].stop
    return moved, start


def _others(spec: DataSpec) -> list[Slot]:
    return [slot for slot in spec.table.slots if slot.kind is not ColumnKind.TEXT]


def fits(spec: DataSpec) -> bool:
    """Whether some columns hold texts that a backbone can read."""
    return bool(spec.table.of_kind(ColumnKind.TEXT)) and spec.table.tokenizer in TEXT_BACKBONES


MLP_WITH_TEXT = Space(
    name=NAME,
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    encoder=encoder,
    encoder_key=lambda values: f"table-{values['backbone']}@{values['pooling']}",
    input_kinds=frozenset({InputKind.TABLE}),
    fits=fits,
)
