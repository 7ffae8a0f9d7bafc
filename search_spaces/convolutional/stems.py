"""From an image to the first map, by the image's size: small ones keep their pixels, large ones are halved twice."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from records.data import DataSpec
from search_spaces.convolutional.parts import activate, conv, norm

SMALLEST_SIDE = 4
"""Pixels of the smaller side of an image."""
LARGE_SIDE = 64
"""Images whose smaller side is longer begin with a stem that divides it by four."""
SMALLEST_MAP = 4
"""Pixels of the smaller side of the last map, where the image has them."""
STEMS = ("small", "strided", "pooled", "patchify")


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """Where a network of images begins."""

    inputs: keras.KerasTensor
    """The network's own input, in the data's own dtype."""
    x: keras.KerasTensor
    """`<float32>[batch, height, width, channels]`, between -1 and 1, resized."""
    large: bool
    """Whether a stem for large images suits it."""


def image_front(spec: DataSpec, resolution: int) -> Front:
    """The input, scaled to [-1, 1] and made smaller where its longer side has more than `resolution` pixels.

    Raises:
        ValueError: The image is smaller than 4 pixels.
    """
    height, width, _ = spec.input_shape
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(f"Images must be at least 4 pixels wide and high. Received: input_shape={spec.input_shape}.")
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(inputs)
    shrink = resolution / max(height, width)
    if shrink < 1:
        height, width = max(SMALLEST_SIDE, round(height * shrink)), max(SMALLEST_SIDE, round(width * shrink))
        x = keras.layers.Resizing(height, width)(x, training=False)
    return Front(inputs=inputs, x=x, large=min(height, width) > LARGE_SIDE)


def stem(
    x: keras.KerasTensor, filters: int, kind: str, *, norm_kind: str = "batch", activation: str | None = "relu"
) -> keras.KerasTensor:
    """The first layers.

    Args:
        x: `<float32>[batch, height, width, channels]`.
        filters: Channels of the result.
        kind: "small": 3x3, every pixel kept. "strided": 3x3, half of them (Sandler 2018). "pooled": 7x7 and a maximum,
            a quarter (He 2015). "patchify": pieces of 4x4 pixels that do not overlap, a quarter (Liu 2022).
        norm_kind: One of `parts.NORMS`.
        activation: One of `parts.ACTIVATIONS`; `None`: neither norm nor activation, which the first block then has.

    Raises:
        ValueError: An unknown kind.
    """
    if kind == "patchify":
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        patches = keras.layers.Conv2D(filters, 4, strides=4, padding="same", kernel_initializer=initializer)
        return norm(patches(x), "layer")
    sizes = {"small": (3, 1), "strided": (3, 2), "pooled": (7, 2)}
    if kind not in sizes:
        raise ValueError(f"The stem must be one of {', '.join(STEMS)}. Received: {kind!r}.")
    x = conv(x, filters, *sizes[kind])
    if activation is not None:
        x = activate(norm(x, norm_kind), activation)
    return keras.layers.MaxPooling2D(3, strides=2, padding="same")(x) if kind == "pooled" else x


def halvings(x: keras.KerasTensor, wanted: int) -> int:
    """How often a map can be halved, at most `wanted` times, so that its smaller side keeps four pixels."""
    return min(wanted, max(0, (min(x.shape[1:3]) // SMALLEST_MAP).bit_length() - 1))
