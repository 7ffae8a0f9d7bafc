"""Convolutions, norms and gates in numpy, written from the papers' equations, for tests to compare with."""

import math
import re

import keras
import numpy as np

Array = np.ndarray


def conv(x: Array, kernel: Array, stride: int = 1, bias: Array | float = 0.0) -> Array:
    """`[batch, height, width, in]` and `[k, k, in, out]`; padded with zeros, the odd one at the end."""
    (height, width), k = x.shape[1:3], kernel.shape[0]
    rows, columns = -(-height // stride), -(-width // stride)
    down, right = (max(0, (n - 1) * stride + k - size) for n, size in ((rows, height), (columns, width)))
    x = np.pad(x, ((0, 0), (down // 2, down - down // 2), (right // 2, right - right // 2), (0, 0)))
    out = np.zeros((len(x), rows, columns, kernel.shape[3]))
    for i in range(rows):
        for j in range(columns):
            piece = x[:, i * stride : i * stride + k, j * stride : j * stride + k]
            out[:, i, j] = np.einsum("bhwc,hwco->bo", piece, kernel)
    return out + bias


def depthwise(x: Array, kernel: Array, stride: int = 1, bias: Array | float = 0.0) -> Array:
    """`kernel` is `[k, k, channels, 1]`."""
    channels = [conv(x[..., c : c + 1], kernel[:, :, c : c + 1], stride) for c in range(x.shape[-1])]
    return np.concatenate(channels, axis=-1) + bias


def batch_norm(x: Array, weights: list[Array]) -> Array:
    """Ioffe & Szegedy 2015, with the averages of training."""
    gamma, beta, mean, variance = weights
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta


def layer_norm(x: Array, weights: list[Array]) -> Array:
    """Ba 2016, over the channels."""
    gamma, beta = weights
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-6) + beta


def relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def silu(x: Array) -> Array:
    return x * sigmoid(x)


def gelu(x: Array) -> Array:
    """Hendrycks 2016: x times the normal distribution's share below x."""
    return x * 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


def layers(model: keras.Model, kind: type[keras.Layer]) -> list[list[Array]]:
    """The weights of each layer of this very class, in the order in which the layers were made."""
    found = [layer for layer in model.layers if type(layer) is kind]
    found.sort(key=lambda layer: int((re.findall(r"_(\d+)$", layer.name) or ["0"])[0]))
    return [[np.asarray(weight, np.float64) for weight in layer.weights] for layer in found]


def shake(model: keras.Model, seed: int = 0) -> None:
    """Nothing stays at its first value: scales, averages and biases included."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        positive = "variance" in weight.path or "gamma" in weight.path
        numbers = rng.uniform(0.5, 1.5, weight.shape) if positive else rng.normal(0.0, 0.3, weight.shape)
        weight.assign(numbers.astype(np.float32))
