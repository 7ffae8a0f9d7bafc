"""What blocks of convolutions are made of: norms, activations, gates and skipped branches."""

from __future__ import annotations

import keras
from keras import ops

from search_spaces.transformer import gelu

NORMS = ("batch", "group", "layer")
ACTIVATIONS = ("relu", "relu6", "silu", "gelu")
MOST_GROUPS = 8
"""Of `GroupNormalization`; with 32, as in the paper, a network of 32 channels has one channel in each."""
FEWEST_GATE_UNITS = 4
"""Between squeeze and excitation; with one or two, a single unlucky start closes the gate for good."""


def norm(x: keras.KerasTensor, kind: str, gamma: str = "ones") -> keras.KerasTensor:
    """Normalised `x`, `<float32>[batch, height, width, channels]`.

    Args:
        x: What to normalise.
        kind: "batch": over the examples of a batch (Ioffe & Szegedy 2015). "group": over the positions and some
            channels of one example (Wu & He 2018). "layer": over the channels of one position (as in Liu 2022).
        gamma: How the scale starts, "ones" or "zeros".

    Raises:
        ValueError: An unknown kind.
    """
    if kind == "batch":
        # Keras' default of 0.99 needs thousands of steps before validation sees sound averages
        return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, gamma_initializer=gamma)(x)
    if kind == "group":
        groups = next(count for count in range(MOST_GROUPS, 0, -1) if x.shape[-1] % count == 0)
        return keras.layers.GroupNormalization(groups, epsilon=1e-5, gamma_initializer=gamma)(x)
    if kind == "layer":
        # as rows: on a map, the export moves transpositions past the mean but not past what it is taken from
        _, height, width, channels = x.shape
        x = keras.layers.Reshape((height * width, channels))(x)
        x = keras.layers.LayerNormalization(epsilon=1e-6, gamma_initializer=gamma)(x)
        return keras.layers.Reshape((height, width, channels))(x)
    raise ValueError(f"The norm must be one of {', '.join(NORMS)}. Received: {kind!r}.")


def activate(x: keras.KerasTensor, kind: str) -> keras.KerasTensor:
    """`x` after a non-linear function.

    Raises:
        ValueError: An unknown kind.
    """
    if kind == "relu":
        return keras.layers.ReLU()(x)
    if kind == "relu6":
        return keras.layers.ReLU(6.0)(x)
    if kind == "silu":
        return ops.silu(x)
    if kind == "gelu":
        return gelu(x)
    raise ValueError(f"The activation must be one of {', '.join(ACTIVATIONS)}. Received: {kind!r}.")


def conv(
    x: keras.KerasTensor,
    filters: int,
    kernel_size: int,
    stride: int = 1,
    *,
    initializer: str = "he_normal",
    use_bias: bool = False,
) -> keras.KerasTensor:
    """A convolution that keeps the size, divided by `stride` and rounded up; started as in He 2015."""
    return keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=stride,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=initializer,
    )(x)


def depthwise(x: keras.KerasTensor, kernel_size: int, stride: int = 1, *, use_bias: bool = False) -> keras.KerasTensor:
    """A convolution of each channel by itself."""
    # Keras takes the channels for inputs of one filter: its he_normal would be narrower by the root of their number
    initializer = keras.initializers.TruncatedNormal(stddev=(2.0 / kernel_size**2) ** 0.5)
    return keras.layers.DepthwiseConv2D(
        kernel_size,
        strides=stride,
        padding="same",
        use_bias=use_bias,
        depthwise_initializer=initializer,
    )(x)


def channel_scale(x: keras.KerasTensor, start: float) -> keras.KerasTensor:
    """Each channel times a learnt number of its own (layer scale, Touvron 2021)."""
    # a depthwise kernel of one pixel: an eighth of the time of `EinsumDense("abcd,d->abcd")` on a processor
    initializer = keras.initializers.Constant(start)
    return keras.layers.DepthwiseConv2D(1, use_bias=False, depthwise_initializer=initializer)(x)


def squeeze_excite(x: keras.KerasTensor, num_units: int, activation: str = "relu") -> keras.KerasTensor:
    """Each channel times a gate between 0 and 1 that sees the whole image (Hu 2018, equations 2 to 4).

    Args:
        x: `<float32>[batch, height, width, channels]`.
        num_units: Between the squeeze and the excitation.
        activation: Of these.
    """
    s = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    s = activate(conv(s, num_units, 1, use_bias=True), activation)
    s = conv(s, x.shape[-1], 1, initializer="glorot_uniform", use_bias=True)
    return keras.layers.Multiply()([x, ops.sigmoid(s)])


def skip(branch: keras.KerasTensor, stochastic_depth_rate: float) -> keras.KerasTensor:
    """The branch, dropped as a whole for this share of the examples while training (Huang 2016).

    What is kept is scaled up, where the paper scales down when the network is used: in the mean it is the same.
    """
    if not stochastic_depth_rate:
        return branch
    return keras.layers.Dropout(stochastic_depth_rate, noise_shape=(None, 1, 1, 1))(branch)
