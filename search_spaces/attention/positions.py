"""Where a step stands: vectors that are added, or a rotation of queries and keys.

A step has one coordinate in a sequence and two in an image. All functions take a list of coordinates, each
`<float32>[1, steps, 1]`, for any number of steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

POSITIONS = ("sinusoidal", "learnt", "rotary", "none")
BASE = 10_000.0
"""Waves of 2 pi to 2 pi x `BASE` steps (Vaswani 2017, section 3.5; Su 2021, section 3.2.2)."""
AMPLITUDE = 0.1
"""Of the waves that are added. Token vectors start at a twentieth: waves of their size leave the tokens legible."""

Rotation = tuple[keras.KerasTensor, keras.KerasTensor]
"""Cosine and sine of the angles, each `<float32>[1, steps x heads, head_size]`."""


def steps_of(x: keras.KerasTensor) -> list[keras.KerasTensor]:
    """The coordinate of a sequence `<float32>[batch, steps, width]`: 0, 1, 2 and so on."""
    return [_count(ops.ones_like(x[:1, :, :1]), axis=1)]


def grid_of(x: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Row and column of each place of a map `<float32>[batch, rows, columns, width]`, in reading order."""
    ones = ops.ones_like(x[:1, :, :, :1])
    return [keras.layers.Reshape((-1, 1), dtype="float32")(_count(ones, axis=axis)) for axis in (1, 2)]


def _count(ones: keras.KerasTensor, axis: int) -> keras.KerasTensor:
    # half precision cannot count beyond 256
    return ops.subtract(ops.cumsum(ops.cast(ones, "float32"), axis=axis), 1.0)


def angles(coordinates: Sequence[keras.KerasTensor], size: int) -> keras.KerasTensor:
    """`<float32>[1, steps, size / 2]`: each coordinate times `BASE^(-2i / size)`, i from 0.

    Several coordinates share the angles evenly, each with its own range of rates.

    Raises:
        ValueError: `size` is not a multiple of two for each coordinate.
    """
    own, rest = divmod(size, len(coordinates))
    if rest or own % 2:
        raise ValueError(
            f"Positions with {len(coordinates)} coordinates need a width that is a multiple of "
            f"{2 * len(coordinates)}. Received: {size}."
        )
    # an array, not a tensor: a tensor from outside the network would be exported as an input of its own
    rates = (BASE ** (-np.arange(0, own, 2) / own)).astype(np.float32)[None, None, :]
    parts = [ops.multiply(coordinate, rates) for coordinate in coordinates]
    return ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]


def sinusoidal(coordinates: Sequence[keras.KerasTensor], width: int) -> keras.KerasTensor:
    """`<float32>[1, steps, width]`: sine and cosine of each angle in turns (Vaswani 2017, section 3.5)."""
    turned = angles(coordinates, width)
    return keras.layers.Reshape((-1, width))(ops.stack([ops.sin(turned), ops.cos(turned)], axis=-1))


def learnt(x: keras.KerasTensor, most_steps: int) -> keras.KerasTensor:
    """`<float32>[1, steps, width]`: a vector for each of `most_steps` steps of `x`; later steps share the last."""
    number = ops.squeeze(ops.minimum(steps_of(x)[0], float(most_steps - 1)), axis=-1)
    return keras.layers.Embedding(most_steps, x.shape[-1], name="positions")(ops.cast(number, "int32"))


def add_to(
    x: keras.KerasTensor, positions: str, coordinates: Sequence[keras.KerasTensor], most_steps: int
) -> keras.KerasTensor:
    """`x` `<float32>[batch, steps, width]` with its positions, where these are vectors."""
    if positions == "sinusoidal":
        # the one with fewer elements first: Keras takes a second one with a single long axis for a bias
        return ops.add(ops.cast(ops.multiply(sinusoidal(coordinates, x.shape[-1]), AMPLITUDE), x.dtype), x)
    if positions == "learnt":
        return ops.add(learnt(x, most_steps), x)
    return x


def rotation(coordinates: Sequence[keras.KerasTensor], head_size: int, num_heads: int) -> Rotation:
    """What `rotate` takes for so many heads."""
    turned = ops.concatenate([angles(coordinates, head_size)] * (2 * num_heads), axis=-1)
    # a layer would round the angles where the policy is half precision
    turned = keras.layers.Reshape((-1, head_size), dtype="float32")(turned)
    return ops.cos(turned), ops.sin(turned)


def rotate(x: keras.KerasTensor, by: Rotation) -> keras.KerasTensor:
    """Turns each pair of elements by its angle, so that the product of two vectors knows their distance alone
    (`rotary_embedding`; Su 2021, equation 34).

    A pair is element i and element i + head_size / 2, not 2i and 2i + 1 as in the paper: the same up to the order of
    the weights before it. The other of each pair comes from a product with a constant matrix: a third of the time that
    slicing and joining take in training.

    Args:
        x: `<float32>[batch, steps x heads, head_size]`: queries or keys, the heads of a step next to each other.
        by: Of `rotation`, for as many heads. Of the same shape but for the batch: a factor that is repeated over a
            middle axis is slow on a CPU.
    """
    cosine, sine = (ops.cast(part, x.dtype) for part in by)
    half = x.shape[-1] // 2
    other = np.zeros((2 * half, 2 * half), np.float32)
    other[np.arange(half) + half, np.arange(half)] = -1.0
    other[np.arange(half), np.arange(half) + half] = 1.0
    return ops.add(ops.multiply(cosine, x), ops.multiply(sine, ops.matmul(x, other)))
