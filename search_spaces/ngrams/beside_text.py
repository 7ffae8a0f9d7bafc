"""N-grams beside a frozen text backbone: what a pretrained network understands, and the very words that were used.

The backbone's features are computed once for each text and kept with the text's tokens in one vector. A trial trains
the vectors of the n-grams and the head; the whole is exported as one network.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes
from search_spaces.frozen_text import fits
from search_spaces.ngrams import network
from search_spaces.space import Space
from search_spaces.text_backbones import POOLINGS, build_text_encoder, get_text_backbone

NAME = "ngrams_beside_text"


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """The backbone is not searched: it is the one whose tokenizer the texts were prepared with."""
    return {
        "backbone": spec.text.tokenizer,
        "features": hp.Choice(f"{NAME}/features", list(POOLINGS), default="every_layer"),
        **network.choices(hp, NAME),
        "dropout_rate": hp.Float(f"{NAME}/dropout_rate", 0.0, 0.7, default=0.5),
        **recipes.choices(
            hp,
            NAME,
            smoothing=bool(spec.labels),
            learning_rate=(3e-4, 1e-2, 1e-3),
            max_epochs=10,
            optimizers=("adamw",),
            spec=spec,
            cached=True,
        ),
    }


def encoder(values: dict[str, Any], spec: DataSpec) -> keras.Model:
    """From tokens to the backbone's features and, after them, the tokens themselves as numbers.

    `<int32>[batch, steps]` to `<float32>[batch, features + max_tokens]`. A float32 holds every token exactly.
    """
    backbone, most = build_text_encoder(values["backbone"], values["features"]), spec.input_shape[0]
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    # batches are as long as their longest text; what is kept has one length for all
    padded = keras.layers.Reshape((most,))(ops.pad(tokens, [[0, 0], [0, most]])[:, :most])
    features = keras.layers.Concatenate(name="features_and_tokens")([backbone(tokens), ops.cast(padded, "float32")])
    network = keras.Model(tokens, features, name="encoder")
    network.trainable = False
    return network


def build_head(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """The n-grams and the head on `<float32>[batch, features + max_tokens]` from `encoder`. Uncompiled.

    Raises:
        ValueError: A value is unknown or out of range.
    """
    inputs = keras.Input(spec.input_shape, dtype="float32", name="features_and_tokens")
    # one layer, since the head is joined to the encoder as a chain of layers
    x = _body(values, spec)(inputs)
    # as for frozen features alone, zero weights say nothing before the examples do
    return keras.Model(inputs, heads.build(task, spec, x, values["dropout_rate"], zero_weights=True), name="head")


def _body(values: dict[str, Any], spec: DataSpec) -> keras.Model:
    num_features = get_text_backbone(values["backbone"]).num_features * len(POOLINGS[values["features"]])
    inputs = keras.Input(spec.input_shape, dtype="float32", name="features_and_tokens")
    normed = keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False, name="feature_norm")(
        inputs[:, :num_features]
    )
    tokens = ops.cast(ops.maximum(inputs[:, num_features:], 0.0), "int32")
    x = network.pooled_ngrams(tokens, spec.text.vocabulary, values)
    return keras.Model(inputs, keras.layers.Concatenate()([normed, x]), name="features_and_ngrams")


NGRAMS_BESIDE_TEXT = Space(
    name=NAME,
    choices=choices,
    build=build_head,
    recipe=recipes.recipe,
    encoder=encoder,
    encoder_key=lambda values: f"{values['backbone']}@{values['features']}+tokens",
    input_kinds=frozenset({InputKind.TEXT}),
    fits=fits,
    # at equal rates and passes it was not better than the features alone, which it computes a second time
    on_request=True,
)
