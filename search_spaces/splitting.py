"""Cuts a backbone in two: what is computed once, and what is trained."""

from __future__ import annotations

import contextlib
import math

import keras

from records.errors import ConfigError

_NEAR = 8  # layers on each side; blocks of the usual networks are about so long, so that one's end is among them
_TRIED = 80  # layers; networks whose paths run side by side for longer are not cut


def split_encoder(encoder: keras.Model, share: float) -> tuple[keras.Model, keras.Model]:
    """Cuts an encoder in two, so that what comes before the cut is computed once and what comes after can be trained.

    Args:
        encoder: From `build_encoder`. The two halves share its weights, which a training of the second changes.
        share: Part of the network's layers that is to be trained, counted from its output; more than 0, less than 1.
            The cut is made near there, where everything passes through one narrow layer.

    Returns:
        A frozen network from images to `<float32>[batch, rows, columns, channels]`, and a trainable one from these
        to `<float32>[batch, features]`. Batch normalisation stays as it is in both.

    Raises:
        ConfigError: No place for a cut is near.
    """
    position = next(i for i, layer in enumerate(encoder.layers) if isinstance(layer, keras.Model))
    network, pooling = encoder.layers[position], encoder.layers[-1]
    pixels = encoder.layers[position - 1].output
    cut, last = _cut(network, share)
    first = keras.Model(network.inputs, cut.output, name="first_layers")
    trunk = keras.Model(encoder.input, first(pixels), name="trunk")
    trunk.trainable = False
    _unfreeze(last)
    maps = keras.Input(trunk.output_shape[1:], name="maps")
    # a pooling of its own: a layer that is called twice has no single output any more
    features = type(pooling).from_config(pooling.get_config())(last(maps))
    return trunk, keras.Model(maps, features, name="top")


def _unfreeze(layer: keras.Layer) -> None:
    """Lets everything be trained but batch normalisation: a few epochs of small batches make its statistics worse.

    Only freezing does that: when a network is trained, Keras runs even a layer called with `training=False` in
    training mode.
    """
    layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    inside = layer.layers if isinstance(layer, keras.Model) else []
    for part in [layer.layer] if isinstance(layer, keras.layers.Wrapper) else inside:
        _unfreeze(part)


def _cut(network: keras.Model, share: float) -> tuple[keras.Layer, keras.Model]:
    """The layer to cut after, and the network that comes after it."""
    wanted = round(len(network.layers) * (1.0 - share))
    positions = sorted(range(1, len(network.layers) - 1), key=lambda i: abs(i - wanted))[:_TRIED]
    num_near = 2 * min(_NEAR, len(network.layers) // 12) + 1
    # near by, the narrowest layer: it is the end of a block, and its maps are cheap to keep
    near = sorted(positions[:num_near], key=lambda i: _width(network.layers[i]))
    for i in near + positions[num_near:]:
        layer = network.layers[i]
        if _width(layer) < math.inf:
            with contextlib.suppress(ValueError):  # a path leads around the layer
                return layer, keras.Model(layer.output, network.output, name="last_layers")
    raise ConfigError(
        f"The network {network.name} cannot be cut in two near its last {share:.0%}. Use its frozen features instead."
    )


def _width(layer: keras.Layer) -> float:
    """Channels of a layer's maps; infinite where it gives no maps."""
    shape: tuple[int, ...] = getattr(layer.output, "shape", ())
    return shape[-1] if len(shape) == 4 else math.inf
