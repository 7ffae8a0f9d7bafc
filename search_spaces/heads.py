"""The last layers of a network and its loss, one pair for each task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from records.data import DataSpec
from records.task import Task

EMBEDDING = "embedding"
LOGITS = "logits"
PREDICTION = "prediction"


@dataclass(frozen=True)
class Head:
    """How a task's answer is made from features, and what is minimised."""

    build: Callable[[keras.KerasTensor, DataSpec, float, bool], keras.KerasTensor]
    """`(features <float32>[batch, features], spec, dropout_rate, zero_weights) -> prediction`."""
    loss: Callable[[bool], keras.losses.Loss]
    """`from_logits -> loss`, taking one-hot targets."""


def _class_probabilities(
    features: keras.KerasTensor, spec: DataSpec, dropout_rate: float, zero_weights: bool
) -> keras.KerasTensor:
    x = keras.layers.Identity(name=EMBEDDING)(features)
    if dropout_rate:
        x = keras.layers.Dropout(dropout_rate, name="head_dropout")(x)
    initializer = "zeros" if zero_weights else "glorot_uniform"
    x = keras.layers.Dense(spec.num_classes, kernel_initializer=initializer, name=LOGITS)(x)
    return keras.layers.Softmax(name=PREDICTION)(x)


HEADS: dict[str, Head] = {
    "classification": Head(
        build=_class_probabilities,
        loss=lambda from_logits: keras.losses.CategoricalCrossentropy(from_logits=from_logits),
    ),
}


def build(
    task: Task, spec: DataSpec, features: keras.KerasTensor, dropout_rate: float = 0.0, zero_weights: bool = False
) -> keras.KerasTensor:
    """The task's prediction from `features`.

    Args:
        task: What is to be learnt.
        spec: Of the data; gives the number of classes.
        features: `<float32>[batch, features]`. Named "embedding" in the network: the bundle's second output.
        dropout_rate: Between 0 and 1; of the features.
        zero_weights: Whether the last layer starts at 0 instead of at random.

    Returns:
        For classification `<float32>[batch, classes]`, non-negative and summing to 1.
    """
    return HEADS[task.name].build(features, spec, dropout_rate, zero_weights)


def training_view(model: keras.Model) -> tuple[keras.Model, bool]:
    """The same layers, ending at the logits where there are any, and whether they do.

    A loss on logits keeps its gradient where a probability would round to 0 or 1.
    """
    if LOGITS in {layer.name for layer in model.layers}:
        return keras.Model(model.input, model.get_layer(LOGITS).output), True
    return model, False


def with_embedding(model: keras.Model) -> keras.Model:
    """`model` itself, or, where it has no layer called "embedding" (a user's own), with its prediction named so."""
    if EMBEDDING in {layer.name for layer in model.layers}:
        return model
    return keras.Model(model.input, keras.layers.Identity(name=EMBEDDING)(model.output), name=model.name)


def export_view(model: keras.Model) -> keras.Model:
    """The same layers with the two outputs that a bundle has, in inference mode whoever calls it how.

    Some of Keras' layers (`Resizing`) take `training=True` as their default, and where nobody says otherwise they hand
    it on to all that follow: batch statistics and dropout would then be exported.
    """
    view = keras.Model(model.input, [model.output, model.get_layer(EMBEDDING).output])
    return keras.Model(model.input, view(model.input, training=False))


def join(encoder: keras.Model, head: keras.Model, name: str) -> keras.Model:
    """One network from raw inputs to the prediction, with the weights of both; the head's layers stay visible by name.

    Args:
        encoder: From inputs to features.
        head: A chain of layers on these features.
        name: Of the new network.
    """
    x = encoder.output
    for layer in head.layers[1:]:
        # a layer that is called twice has no single output any more, and the export needs the embedding's
        x = keras.layers.Identity(name=EMBEDDING)(x) if layer.name == EMBEDDING else layer(x)
    return keras.Model(encoder.input, x, name=name)
