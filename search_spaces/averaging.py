"""Several networks as one whose prediction is the weighted mean of theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras

from search_spaces import heads


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A network in two halves, so that its features lie open in the network that it becomes a part of."""

    features: keras.Model
    """From the network's input to its embedding."""
    head: keras.Model | None
    """From the embedding and the network's input to the prediction; `None` where the embedding is the prediction."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example's embedding."""
        return tuple(self.features.output.shape[1:])


def average(networks: Sequence[keras.Model], weights: Sequence[float], name: str = "average") -> keras.Model:
    """One network with the layers and weights of all; stock layers only, so that it is saved and exported like any.

    Its embedding holds the networks' embeddings side by side.

    Args:
        networks: From equal inputs to predictions of equal shape: probabilities, numbers, or quantiles. Afterwards they
            share their layers with the result.
        weights: Of each, more than 0, together 1.
        name: Of the result.

    Raises:
        ValueError: There are fewer than two, or the weights are not as described.
    """
    if len(networks) < 2 or len(networks) != len(weights):
        raise ValueError(f"Expected two or more networks, each with a weight. Received: {len(networks)}, {weights}.")
    if min(weights) <= 0 or not math.isclose(sum(weights), 1.0, abs_tol=1e-6):
        raise ValueError(f"The weights must be more than 0 and together 1. Received: {list(weights)}.")
    inputs = _input_of(networks)
    parts = [_halve(network, i) for i, network in enumerate(networks)]
    flat = [keras.layers.Flatten()(part.features(inputs)) for part in parts]
    together = keras.layers.Identity(name=heads.EMBEDDING)(keras.layers.Concatenate()(flat))
    weighed, start = [], 0
    for part, weight in zip(parts, weights, strict=True):
        end = start + math.prod(part.shape)
        own = together[:, start:end]
        if len(part.shape) > 1:
            own = keras.layers.Reshape(part.shape)(own)
        prediction = own if part.head is None else part.head([own, inputs])
        weighed.append(keras.layers.Rescaling(weight)(prediction))
        start = end
    return keras.Model(inputs, keras.layers.Add(name=heads.PREDICTION)(weighed), name=name)


def _input_of(networks: Sequence[keras.Model]) -> keras.KerasTensor:
    """An input that suits all: as long as the strictest network wants it."""
    shapes = [network.input.shape[1:] for network in networks]
    shape = tuple(next((size for size in sizes if size is not None), None) for sizes in zip(*shapes, strict=True))
    return keras.Input(shape, dtype=networks[0].input.dtype, name="example")


def _halve(network: keras.Model, position: int) -> _Part:
    """Cuts a network at its embedding. A user's own may have none, or weights on both sides: it is not cut."""
    features_name, head_name = f"features_{position}", f"head_{position}"
    if heads.EMBEDDING in {layer.name for layer in network.layers}:
        embedding = network.get_layer(heads.EMBEDDING).output
        # A forecast's head reads the window's level and spread; others leave the input unused. The head comes first: it
        # moves the input to a new node, and a network that was made before could not be saved any more.
        head = keras.Model([embedding, network.input], network.output, name=head_name)
        features = keras.Model(network.input, embedding, name=features_name)
        if not {id(one) for one in features.variables} & {id(one) for one in head.variables}:
            return _Part(features=features, head=head)
    return _Part(features=keras.Model(network.input, network.output, name=features_name), head=None)
