"""Blocks of convolutions, each as its paper describes it: residual, separable, inverted residual, ConvNeXt."""

from __future__ import annotations

import keras

from search_spaces.convolutional.parts import (
    FEWEST_GATE_UNITS,
    activate,
    channel_scale,
    conv,
    depthwise,
    norm,
    skip,
    squeeze_excite,
)

BOTTLENECK_RATIO = 4
"""Of a bottleneck's width outside to that of its middle (He 2015, table 1)."""


def residual_block(
    x: keras.KerasTensor,
    width: int,
    stride: int = 1,
    *,
    bottleneck: bool = False,
    pre_activation: bool = True,
    norm_kind: str = "batch",
    zero_init_residual: bool = False,
    stochastic_depth_rate: float = 0.0,
) -> keras.KerasTensor:
    """`x` and what a few convolutions add to it.

    Args:
        x: `<float32>[batch, height, width, channels]`.
        width: Filters of the 3x3 convolutions.
        stride: Of the first 3x3 convolution, and of the short cut.
        bottleneck: 1x1, 3x3, 1x1 and four times as wide outside (He 2015, figure 5), instead of 3x3, 3x3.
        pre_activation: Norm and ReLU before each convolution (He 2016, figure 1b); otherwise after it, and the last
            ReLU after the sum (He 2015).
        norm_kind: One of `parts.NORMS`.
        zero_init_residual: Whether the branch starts as 0: its last gamma (Goyal 2017), or, where norms come first,
            its last convolution (Zhang 2019).
        stochastic_depth_rate: Share of the examples without the branch while training.

    Returns:
        `<float32>[batch, ceil(height / stride), ceil(width / stride), width]`, four times as wide for a bottleneck.
    """
    kernels = (1, 3, 1) if bottleneck else (3, 3)
    filters = (width, width, BOTTLENECK_RATIO * width) if bottleneck else (width, width)
    strides = (1, stride, 1) if bottleneck else (stride, 1)
    changes = stride > 1 or x.shape[-1] != filters[-1]
    shortcut, y = x, x
    if pre_activation:
        y = activate(norm(y, norm_kind), "relu")
        if changes:
            shortcut = conv(y, filters[-1], 1, stride)
    elif changes:
        shortcut = norm(conv(x, filters[-1], 1, stride), norm_kind)
    for i, (count, kernel_size, step) in enumerate(zip(filters, kernels, strides, strict=True)):
        zero = zero_init_residual and i == len(filters) - 1
        if pre_activation and i:
            y = activate(norm(y, norm_kind), "relu")
        y = conv(y, count, kernel_size, step, initializer="zeros" if zero and pre_activation else "he_normal")
        if not pre_activation:
            y = norm(y, norm_kind, "zeros" if zero else "ones")
            y = activate(y, "relu") if i < len(filters) - 1 else y
    y = keras.layers.Add()([shortcut, skip(y, stochastic_depth_rate)])
    return y if pre_activation else activate(y, "relu")


def separable_block(
    x: keras.KerasTensor,
    filters: int,
    stride: int = 1,
    *,
    kernel_size: int = 3,
    squeeze_ratio: float = 0.0,
    activation: str = "relu6",
    norm_kind: str = "batch",
    stochastic_depth_rate: float = 0.0,
) -> keras.KerasTensor:
    """Each channel by itself, then all channels of a pixel (Howard 2017, figure 3b).

    The paper has no short cut; one is added where the shapes allow it, as later networks have it.
    """
    y = activate(norm(depthwise(x, kernel_size, stride), norm_kind), activation)
    y = _gate(y, x.shape[-1], squeeze_ratio, activation)
    y = activate(norm(conv(y, filters, 1), norm_kind), activation)
    return _add(x, y, stride, stochastic_depth_rate)


def inverted_residual(
    x: keras.KerasTensor,
    filters: int,
    stride: int = 1,
    *,
    kernel_size: int = 3,
    expansion_ratio: float = 6,
    squeeze_ratio: float = 0.0,
    activation: str = "relu6",
    norm_kind: str = "batch",
    stochastic_depth_rate: float = 0.0,
) -> keras.KerasTensor:
    """Wide inside, narrow and linear outside (Sandler 2018, table 1); with a gate as in Tan & Le 2019.

    Args:
        x: `<float32>[batch, height, width, channels]`.
        filters: Channels of the result.
        stride: Of the depthwise convolution.
        kernel_size: Of the same.
        expansion_ratio: Width inside, as a multiple of the channels of `x`; at 1 the first convolution is left out.
        squeeze_ratio: Units of the gate, as a part of the channels of `x`; 0: no gate.
        activation: One of `parts.ACTIVATIONS`; none follows the last convolution: the bottleneck is linear.
        norm_kind: One of `parts.NORMS`.
        stochastic_depth_rate: Share of the examples without the branch while training.

    Returns:
        `<float32>[batch, ceil(height / stride), ceil(width / stride), filters]`.
    """
    y, inside = x, round(expansion_ratio * x.shape[-1])
    if expansion_ratio != 1:
        y = activate(norm(conv(y, inside, 1), norm_kind), activation)
    y = activate(norm(depthwise(y, kernel_size, stride), norm_kind), activation)
    y = _gate(y, x.shape[-1], squeeze_ratio, activation)
    y = norm(conv(y, filters, 1), norm_kind)
    return _add(x, y, stride, stochastic_depth_rate)


def _gate(x: keras.KerasTensor, channels: int, squeeze_ratio: float, activation: str) -> keras.KerasTensor:
    if not squeeze_ratio:
        return x
    return squeeze_excite(x, max(FEWEST_GATE_UNITS, int(squeeze_ratio * channels)), activation)


def _add(
    x: keras.KerasTensor, branch: keras.KerasTensor, stride: int, stochastic_depth_rate: float
) -> keras.KerasTensor:
    if stride > 1 or x.shape[-1] != branch.shape[-1]:
        return branch
    return keras.layers.Add()([x, skip(branch, stochastic_depth_rate)])


def convnext_block(
    x: keras.KerasTensor,
    *,
    kernel_size: int = 7,
    expansion_ratio: int = 4,
    layer_scale: float = 1e-6,
    stochastic_depth_rate: float = 0.0,
) -> keras.KerasTensor:
    """A wide depthwise convolution, a LayerNorm, and a narrow-wide-narrow perceptron (Liu 2022, figure 4).

    Args:
        x: `<float32>[batch, height, width, channels]`; the result is of the same shape.
        kernel_size: Of the depthwise convolution.
        expansion_ratio: Width inside the perceptron, as a multiple of the channels.
        layer_scale: How the learnt scale of the branch starts; 0: there is none.
        stochastic_depth_rate: Share of the examples without the branch while training.
    """
    channels, initializer = x.shape[-1], keras.initializers.TruncatedNormal(stddev=0.02)
    y = norm(depthwise(x, kernel_size, use_bias=True), "layer")
    y = keras.layers.Dense(expansion_ratio * channels, kernel_initializer=initializer)(y)
    y = keras.layers.Dense(channels, kernel_initializer=initializer)(activate(y, "gelu"))
    if layer_scale:
        y = channel_scale(y, layer_scale)
    return keras.layers.Add()([x, skip(y, stochastic_depth_rate)])
