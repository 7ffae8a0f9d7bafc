"""The last layers of a network and its loss, one pair for each task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from records.data import DataSpec
from records.task import Task

EMBEDDING = "embedding"
LOGITS = "logits"
PREDICTION = "prediction"


@dataclass(frozen=True)
class Head:
    """How a task's answer is made from features, and what is minimised."""

    build: Callable[[keras.KerasTensor, DataSpec, bool, keras.KerasTensor | None], keras.KerasTensor]
    """`(features <float32>[batch, features], spec, zero_weights, the network's inputs) -> prediction`."""
    loss: Callable[[DataSpec, bool], keras.losses.Loss]
    """`(spec, from_logits) -> loss`, taking what `pipelines.batches.loss_targets` gives."""


class Pinball(keras.losses.Loss):
    """Mean quantile loss (Koenker & Bassett 1978), of `<float32>[batch, horizon]` and `[batch, horizon, quantiles]`."""

    def __init__(self, quantiles: tuple[float, ...]) -> None:
        super().__init__(name="pinball")
        self.quantiles = quantiles

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """`<float32>[batch, horizon]`."""
        error = keras.ops.expand_dims(keras.ops.cast(y_true, y_pred.dtype), -1) - y_pred
        levels = keras.ops.convert_to_tensor(self.quantiles, dtype=y_pred.dtype)
        return keras.ops.mean(keras.ops.maximum(levels * error, (levels - 1.0) * error), axis=-1)


def _dense(units: int, zero_weights: bool, name: str | None) -> keras.layers.Dense:
    return keras.layers.Dense(units, kernel_initializer="zeros" if zero_weights else "glorot_uniform", name=name)


def _class_probabilities(
    features: keras.KerasTensor, spec: DataSpec, zero_weights: bool, inputs: keras.KerasTensor | None
) -> keras.KerasTensor:
    return probabilities(_dense(spec.num_classes, zero_weights, LOGITS)(features))


def _number(
    features: keras.KerasTensor, spec: DataSpec, zero_weights: bool, inputs: keras.KerasTensor | None
) -> keras.KerasTensor:
    return number(_dense(1, zero_weights, LOGITS)(features), spec)


def _future(
    features: keras.KerasTensor, spec: DataSpec, zero_weights: bool, inputs: keras.KerasTensor | None
) -> keras.KerasTensor:
    if inputs is None:
        raise ValueError("A forecast needs the network's inputs: they hold each window's level and spread.")
    layout = spec.forecast
    values = _dense(layout.horizon * len(layout.quantiles), zero_weights, None)(features)
    return future(keras.layers.Reshape((layout.horizon, len(layout.quantiles)), name=LOGITS)(values), inputs)


def probabilities(logits: keras.KerasTensor) -> keras.KerasTensor:
    """`<float32>[batch, classes]`, the classification's last layer."""
    return keras.layers.Softmax(name=PREDICTION)(logits)


def number(logits: keras.KerasTensor, spec: DataSpec) -> keras.KerasTensor:
    """From standardised `<float32>[batch, 1]` to the target's own unit: the regression's last layer."""
    return keras.layers.Rescaling(spec.target_std, offset=spec.target_mean, name=PREDICTION)(logits)


def future(logits: keras.KerasTensor, inputs: keras.KerasTensor) -> keras.KerasTensor:
    """From `<float32>[batch, horizon, quantiles]` relative to the window to the target's own unit.

    Args:
        logits: From a layer called "logits".
        inputs: The network's own input, whose last two columns are the window's level and spread.
    """
    level, spread = inputs[:, :1, -2:-1], inputs[:, :1, -1:]
    # The smaller one first: Keras takes a second one with a single long axis for a bias, also where that axis is the
    # batch and happens to be as long as the horizon or the quantiles.
    return keras.layers.Identity(name=PREDICTION)(level + logits * spread)


HEADS: dict[str, Head] = {
    "classification": Head(
        build=_class_probabilities,
        loss=lambda spec, from_logits: keras.losses.CategoricalCrossentropy(from_logits=from_logits),
    ),
    "regression": Head(build=_number, loss=lambda spec, from_logits: keras.losses.MeanSquaredError()),
    "forecasting": Head(build=_future, loss=lambda spec, from_logits: Pinball(spec.forecast.quantiles)),
}


def build(
    task: Task,
    spec: DataSpec,
    features: keras.KerasTensor,
    dropout_rate: float = 0.0,
    zero_weights: bool = False,
    inputs: keras.KerasTensor | None = None,
) -> keras.KerasTensor:
    """The task's prediction from `features`.

    Args:
        task: What is to be learnt.
        spec: Of the data; gives the number of classes, the target's scale, the horizon.
        features: `<float32>[batch, features]`. Named "embedding" in the network: the bundle's second output.
        dropout_rate: Between 0 and 1; of the features.
        zero_weights: Whether the last layer starts at 0 instead of at random.
        inputs: The network's own input, where the task is forecasting.

    Returns:
        Classification: `<float32>[batch, classes]`, non-negative and summing to 1. Regression: `<float32>[batch, 1]`.
        Forecasting: `<float32>[batch, horizon, quantiles]`. Numbers are in the target's own unit.
    """
    x = keras.layers.Identity(name=EMBEDDING)(features)
    if dropout_rate:
        x = keras.layers.Dropout(dropout_rate, name="head_dropout")(x)
    return HEADS[task.name].build(x, spec, zero_weights, inputs)


def build_linear(task: Task, spec: DataSpec, features: keras.KerasTensor) -> keras.KerasTensor:
    """A linear prediction from `<float32>[batch, features]` that starts at the training split's shares or mean."""
    x = keras.layers.Identity(name=EMBEDDING)(features)
    if not spec.labels:
        return number(_dense(1, True, LOGITS)(x), spec)
    logits = keras.layers.Dense(
        spec.num_classes,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(log_shares(spec)),
        name=LOGITS,
    )
    return probabilities(logits(x))


def log_shares(spec: DataSpec) -> list[float]:
    """Logarithm of each class's share of the training split; one example is added to each (Laplace)."""
    shares = (np.asarray(spec.label_counts) + 1) / (spec.num_train + spec.num_classes)
    return [float(value) for value in np.log(shares)]


def training_view(model: keras.Model) -> tuple[keras.Model, bool]:
    """The same layers, ending at the logits where there are any, and whether they do.

    A loss on logits keeps its gradient where a probability would round to 0 or 1, and sees numbers on one scale,
    whatever the target's unit is.
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
