"""Calibrated probabilities as a part of the network: one temperature for all of its answers (Guo et al. 2017)."""

from __future__ import annotations

import keras

from search_spaces import heads

CALIBRATED = "calibrated"
SMALLEST = 1e-30
"""Probabilities are cut off there before their logarithm is taken; a float32 holds it well."""


def with_temperature(model: keras.Model, temperature: float) -> keras.Model:
    """The same network, whose probabilities are raised to 1 / temperature and normalised again.

    Which class is more likely than which other does not change. Stock operations only, so that it is saved and exported
    like any network; the layer "embedding" stays, or is made where there is none. An average of networks has no logits,
    so the logarithms of its probabilities stand for them, which is the same for a softmax.

    Args:
        model: From inputs to probabilities `<float32>[batch, classes]`. Afterwards it shares its layers with the
            result.
        temperature: More than 0. Above 1 the network becomes less sure, below 1 surer.

    Raises:
        ValueError: The temperature is not more than 0, or the network gives no probabilities of classes.
    """
    if not temperature > 0:
        raise ValueError(f"A temperature must be more than 0. Received: {temperature}.")
    named = heads.with_embedding(model)
    if len(named.output.shape) != 2:
        raise ValueError(f"Expected a network that gives [batch, classes]. Received: {named.output.shape}.")
    # A number of Python's own: a tensor would become an input of the exported network.
    logarithms = keras.ops.log(keras.ops.maximum(named.output, SMALLEST))
    cooled = keras.layers.Rescaling(1.0 / temperature, name="temperature")(logarithms)
    return keras.Model(named.input, keras.layers.Softmax(name=CALIBRATED)(cooled), name=named.name)
