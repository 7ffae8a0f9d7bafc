"""Parts of sequence networks that more than one space uses: strided convolutions, norms and recurrent layers.

As in `search_spaces.sequences`, what is padding is 0 before and after each part.
"""

from __future__ import annotations

import keras
from keras import ops

NORMS = ("batch", "layer", "none")
CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


def convolve(
    x: keras.KerasTensor, mask: keras.KerasTensor, width: int, kernel: int, stride: int, norm: str
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Convolution, norm and ReLU, at every `stride`th step.

    Args:
        x: `<float32>[batch, steps, channels]`.
        mask: `<float32>[batch, steps, 1]`.
        width: Of the result.
        kernel: Odd number of steps.
        stride: Steps that become one. A new step is real where any of them is.
        norm: One of `NORMS`.

    Returns:
        `<float32>[batch, ceil(steps / stride), width]`, and its mask.
    """
    # "same" would put the zeros elsewhere for an even number of steps than for an odd one: padding would then count
    padded = keras.layers.ZeroPadding1D(kernel // 2)(x)
    y = keras.layers.Conv1D(width, kernel, strides=stride, use_bias=norm != "batch")(padded)
    if stride > 1:
        mask = keras.layers.MaxPooling1D(stride)(keras.layers.ZeroPadding1D((0, stride - 1))(mask))
    # a bias and a norm fill the padding, from where the next convolution would bring it back
    return ops.multiply(ops.relu(normalise(y, mask, norm)), mask), mask


def normalise(x: keras.KerasTensor, mask: keras.KerasTensor, norm: str) -> keras.KerasTensor:
    """`x` normalised in one of `NORMS`; the padding is not 0 any more."""
    if norm == "layer":
        return keras.layers.LayerNormalization()(x)
    if norm == "batch":
        # statistics of the real steps alone; Keras' momentum of 0.99 needs thousands of steps
        real = ops.cast(ops.squeeze(mask, axis=-1), "bool")
        return keras.layers.BatchNormalization(momentum=0.9)(x, mask=real)
    return x


def recur(
    x: keras.KerasTensor,
    mask: keras.KerasTensor,
    *,
    cell: str,
    width: int,
    num_layers: int = 1,
    bidirectional: bool = False,
    layer_norm: bool = False,
    residual: bool = False,
    input_dropout_rate: float = 0.0,
) -> keras.KerasTensor:
    """Recurrent layers, one on the other.

    Args:
        x: `<float32>[batch, steps, channels]`.
        mask: `<float32>[batch, steps, 1]`.
        cell: A key of `CELLS`.
        width: Of each direction.
        num_layers: At least 1.
        bidirectional: Whether each layer reads from both ends; the result is then twice as wide.
        layer_norm: Whether what a layer gives is normalised before the next one reads it.
        residual: Whether a layer adds to what it read, from the second one on (Wu 2016, section 3.1).
        input_dropout_rate: Of what a layer reads, the same channels at every step (Gal 2016). `recurrent_dropout`,
            which drops the state as well, takes the layer off the fused kernels of an accelerator.

    Returns:
        `<float32>[batch, steps, width or 2 * width]`.
    """
    real = ops.cast(ops.squeeze(mask, axis=-1), "bool")
    for i in range(num_layers):
        y = keras.layers.LayerNormalization()(x) if layer_norm and i else x
        if input_dropout_rate:
            y = keras.layers.SpatialDropout1D(input_dropout_rate)(y)
        layer = CELLS[cell](width, return_sequences=True)
        y = (keras.layers.Bidirectional(layer) if bidirectional else layer)(y, mask=real)
        # behind the end the last state is repeated
        y = ops.multiply(y, mask)
        x = ops.add(x, y) if residual and i else y
    return x
