"""Search spaces as somebody who knows Keras writes them in an hour, one for each kind of data.

Both KerasTuner peers search them. Images: a convolutional network with or without batch normalisation and augmentation,
or a pretrained network, frozen or (the small one) fine-tuned. Texts: embeddings under convolutions, a GRU, or an
average. Series: convolutions or a GRU. Tables: embedded categories beside numbers, and dense layers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
from keras import layers

from benchmarks.peers.arrays import Arrays

LITE0 = "efficientnet_lite0_imagenet_notop.keras"
MOMENTUM = 0.9
"""Of batch normalisation: Keras' own 0.99 is too slow for trainings of a few hundred steps."""
SMALLEST_PICTURE = 32
"""Pixels from which a backbone that was trained on photographs is worth trying."""
LARGE_PICTURE = 96


class Space(keras_tuner.HyperModel):
    """Builds and fits the networks of one kind of data."""

    def __init__(self, kind: str, arrays: Arrays) -> None:
        super().__init__()
        self.network: Callable[[Any, Arrays], tuple[Any, Any]] = NETWORKS[kind]
        self.arrays = arrays
        self.batch_size = batch_size(len(arrays.targets))

    def build(self, hp: Any) -> keras.Model:
        """A compiled classifier."""
        inputs, features = self.network(hp, self.arrays)
        features = layers.Dropout(hp.Float("dropout", 0.0, 0.5, step=0.1))(features)
        outputs = layers.Dense(self.arrays.num_classes, activation="softmax")(features)
        model = keras.Model(inputs, outputs)
        rate = hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
        if any(isinstance(layer, keras.Model) and layer.trainable for layer in model.layers):
            rate = min(rate, 1e-3)  # of a pretrained network
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    def fit(self, hp: Any, model: keras.Model, *args: Any, **kwargs: Any) -> Any:
        return model.fit(*args, batch_size=self.batch_size, **kwargs)


def batch_size(num_examples: int) -> int:
    return 16 if num_examples < 500 else 32 if num_examples < 10_000 else 128


def image(hp: Any, arrays: Arrays) -> tuple[Any, Any]:
    side, channels = arrays.train.shape[1], arrays.train.shape[3]  # type: ignore[union-attr]
    inputs = keras.Input((side, side, channels))
    features = inputs
    if hp.Boolean("augment"):
        features = layers.RandomFlip("horizontal")(features)
        features = layers.RandomTranslation(0.1, 0.1)(features)
    networks = ["cnn", "transfer"] if side >= SMALLEST_PICTURE and channels == 3 else ["cnn"]
    network = hp.Choice("network", networks)
    with hp.conditional_scope("network", ["transfer"]):
        if network == "transfer":
            return inputs, _transfer(hp, features, Path(arrays.facts["backbones"]))
    with hp.conditional_scope("network", ["cnn"]):
        return inputs, _cnn(hp, features, side)


def _cnn(hp: Any, features: Any, side: int) -> Any:
    features = layers.Rescaling(1 / 255)(features)
    if side > LARGE_PICTURE:
        smaller = hp.Choice("cnn_side", [64, LARGE_PICTURE])
        features = layers.Resizing(smaller, smaller)(features)
    filters, normalise = hp.Choice("filters", [16, 32, 64]), hp.Boolean("batch_norm", default=True)
    for block in range(hp.Int("blocks", 2, 4)):
        for _ in range(hp.Int("convolutions", 1, 2)):
            features = layers.Conv2D(filters * 2**block, 3, padding="same", use_bias=not normalise)(features)
            if normalise:
                features = layers.BatchNormalization(momentum=MOMENTUM)(features)
            features = layers.ReLU()(features)
        features = layers.MaxPooling2D()(features)
    features = layers.GlobalAveragePooling2D()(features)
    return layers.Dense(hp.Choice("units", [64, 128, 256]), activation="relu")(features)


def _transfer(hp: Any, features: Any, folder: Path) -> Any:
    side = hp.Choice("transfer_side", [96, 128, 160])
    features = layers.Resizing(side, side)(features)
    name = hp.Choice("backbone", ["mobilenet_025", "efficientnet_lite0"])
    if name == "mobilenet_025":
        features = layers.Rescaling(1 / 127.5, offset=-1)(features)
        # without a size, Keras takes the weights that were trained at 224 pixels, the only ones at hand
        backbone = keras.applications.MobileNet((None, None, 3), alpha=0.25, include_top=False, weights="imagenet")
    else:
        features = layers.Rescaling(1 / 128, offset=-127 / 128)(features)
        backbone = keras.models.load_model(folder / LITE0, compile=False)
    with hp.conditional_scope("backbone", ["mobilenet_025"]):  # an epoch of the other one takes minutes on two cores
        backbone.trainable = name == "mobilenet_025" and hp.Boolean("fine_tune")
    return layers.GlobalAveragePooling2D()(backbone(features, training=False))


def text(hp: Any, arrays: Arrays) -> tuple[Any, Any]:
    inputs = keras.Input((arrays.train.shape[1],), dtype="int32")  # type: ignore[union-attr]
    network = hp.Choice("network", ["convolutions", "gru", "average"])
    dimensions = hp.Choice("embedding", [32, 64, 128, 256])
    embedded = layers.Embedding(arrays.facts["vocabulary"], dimensions, mask_zero=network != "convolutions")(inputs)
    embedded = layers.SpatialDropout1D(hp.Float("embedding_dropout", 0.0, 0.5, step=0.1))(embedded)
    if network == "average":
        return inputs, layers.GlobalAveragePooling1D()(embedded)
    units = hp.Choice("units", [32, 64, 128, 256])
    if network == "gru":
        return inputs, layers.Bidirectional(layers.GRU(units // 2))(embedded)
    pooled = [
        layers.GlobalMaxPooling1D()(layers.Conv1D(units, width, padding="same", activation="relu")(embedded))
        for width in range(3, 3 + hp.Int("widths", 1, 3))
    ]
    return inputs, layers.Concatenate()(pooled) if len(pooled) > 1 else pooled[0]


def series(hp: Any, arrays: Arrays) -> tuple[Any, Any]:
    inputs = keras.Input(arrays.train.shape[1:])  # type: ignore[union-attr]
    units = hp.Choice("units", [32, 64, 128])
    if hp.Choice("network", ["convolutions", "gru"]) == "gru":
        features = layers.Masking()(inputs)
        if hp.Int("layers", 1, 2) == 2:
            features = layers.Bidirectional(layers.GRU(units, return_sequences=True))(features)
        return inputs, layers.Bidirectional(layers.GRU(units))(features)
    features, normalise = inputs, hp.Boolean("batch_norm", default=True)
    for _ in range(hp.Int("blocks", 1, 3)):
        features = layers.Conv1D(units, hp.Choice("width", [3, 5, 7]), padding="same", use_bias=not normalise)(features)
        if normalise:
            features = layers.BatchNormalization(momentum=MOMENTUM)(features)
        features = layers.ReLU()(features)
    return inputs, layers.GlobalAveragePooling1D()(features)


def table(hp: Any, arrays: Arrays) -> tuple[Any, Any]:
    shapes = {name: values.shape[1:] for name, values in arrays.train.items()}  # type: ignore[union-attr]
    inputs = {
        "numbers": keras.Input(shapes["numbers"], name="numbers"),
        "codes": keras.Input(shapes["codes"], dtype="int32", name="codes"),
    }
    embedded = layers.Embedding(arrays.facts["num_codes"], hp.Choice("embedding", [4, 8, 16]))(inputs["codes"])
    features = layers.Concatenate()([inputs["numbers"], layers.Flatten()(embedded)])
    units, normalise = hp.Choice("units", [32, 64, 128, 256]), hp.Boolean("batch_norm")
    for _ in range(hp.Int("layers", 1, 3)):
        features = layers.Dense(units)(features)
        if normalise:
            features = layers.BatchNormalization(momentum=MOMENTUM)(features)
        features = layers.ReLU()(features)
        features = layers.Dropout(hp.Float("hidden_dropout", 0.0, 0.5, step=0.1))(features)
    return inputs, features


NETWORKS = {"image": image, "text": text, "series": series, "table": table}
