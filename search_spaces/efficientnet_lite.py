"""EfficientNet-Lite0 in stock Keras layers, with the weights of the package that carries them.

Lite leaves out what small processors dislike in EfficientNet: squeeze-and-excitation, and swish in favour of ReLU6.
Tan, Le, "EfficientNet", https://arxiv.org/abs/1905.11946.
"""

from __future__ import annotations

import re

import keras
import numpy as np

# (kernel size, stride, expansion, filters, blocks)
STAGES = ((3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4))
LAST_STAGE = (3, 1, 6, 320, 1)
NUM_FEATURES = 1280

# Ends of layer names here -> ends of names in the state dict.
_SOURCES = {
    "stem_conv": "_conv_stem",
    "stem_bn": "_bn0",
    "expand_conv": "_expand_conv",
    "expand_bn": "_bn0",
    "dw_conv": "_depthwise_conv",
    "dw_bn": "_bn1",
    "project_conv": "_project_conv",
    "project_bn": "_bn2",
    "top_conv": "_conv_head",
    "top_bn": "_bn1",
}


def efficientnet_lite0(state: dict[str, np.ndarray]) -> keras.Model:
    """The network without its classifier.

    Takes `<float32>[batch, height, width, 3]`, RGB as `(pixel - 127) / 128`, of any size;
    gives `<float32>[batch, ceil(height / 32), ceil(width / 32), 1280]`.

    Args:
        state: The published weights by their PyTorch names, as `read_state_dict` gives them.

    Raises:
        KeyError: A weight is missing.
        ValueError: A weight has another shape.
    """
    inputs = keras.Input((None, None, 3))
    x = _conv(inputs, 32, 3, 2, "stem")
    number = 0
    for kernel_size, stride, expansion, filters, num_blocks in (*STAGES, LAST_STAGE):
        for i in range(num_blocks):
            x = _block(x, kernel_size, stride if i == 0 else 1, expansion, filters, f"block{number}")
            number += 1
    x = _conv(x, NUM_FEATURES, 1, 1, "top")
    model = keras.Model(inputs, x, name="efficientnet_lite0")
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(_weights(layer, state))
    return model


def _block(
    x: keras.KerasTensor, kernel_size: int, stride: int, expansion: int, filters: int, name: str
) -> keras.KerasTensor:
    """Widens, filters each channel by itself, and narrows again, around a shortcut where the shapes allow one."""
    shortcut = x
    if expansion > 1:
        x = _conv(x, expansion * x.shape[-1], 1, 1, f"{name}_expand")
    depthwise = keras.layers.DepthwiseConv2D(
        kernel_size, strides=stride, padding="same", use_bias=False, name=f"{name}_dw_conv"
    )
    x = _norm(depthwise(x), f"{name}_dw")
    x = keras.layers.ReLU(6.0, name=f"{name}_dw_relu")(x)
    x = keras.layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _norm(x, f"{name}_project")
    if stride == 1 and filters == shortcut.shape[-1]:
        x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def _conv(x: keras.KerasTensor, filters: int, kernel_size: int, stride: int, name: str) -> keras.KerasTensor:
    # "same" pads more at the bottom and right when a stride leaves a choice: the weights were trained so, and
    # padding symmetrically, as PyTorch would, costs 4 to 6 points on ImageNet.
    conv = keras.layers.Conv2D(
        filters, kernel_size, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(_norm(conv(x), name))


def _norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)


def _weights(layer: keras.Layer, state: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The weights of one layer, in the order of its variables and with Keras' order of axes."""
    block, end = re.fullmatch(r"(?:block(\d+)_)?(\w+)", layer.name).groups()  # type: ignore[union-attr]
    prefix = (f"_blocks.{block}." if block else "") + _SOURCES[end]
    if end.endswith("_bn"):
        return [state[f"{prefix}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    kernel = state[f"{prefix}.weight"]  # [filters, channels, height, width]
    axes = (2, 3, 0, 1) if end == "dw_conv" else (2, 3, 1, 0)
    return [kernel.transpose(axes)]
