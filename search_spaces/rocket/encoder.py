"""Banks of random kernels as a frozen network: from a series to the shares of positive answers and the largest ones.

Convolutions with fixed weights, as matrix products. What is behind the end of a series changes no feature.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from records.data import DataSpec
from search_spaces.rocket.kernels import Bank
from search_spaces.sequences import UNSEEN

MOST_STEPS = 2048
"""Longer series are seen as the means of equal patches, so that a batch needs no gigabytes."""
MOST_VALUES = 2**16
"""Steps times channels; the same for series of many channels."""
RAMP = 0.02
"""An answer counts as positive in full from half of this many deviations above 0 on, and not at all below as many. With
a hard step, the last bit of a sum, which differs from engine to engine, would move a feature by a whole step of the
series. It changes no accuracy (decision 31)."""

SILENCE = 1e-3
"""Of a kernel's answers: below this root mean square they are not magnified, or a constant series would show the noise
of rounding."""


def build_encoder(banks: Sequence[Bank], spec: DataSpec) -> keras.Model:
    """`<float32>[batch, steps, channels + 1]` to `<float32>[batch, features]`.

    The share of positive answers (Dempster 2020, section 3.2) of each kernel and bias, and for banks `with_max` the
    largest answer. Where a series is too short for a kernel that is to lie inside it, all its steps are asked.

    Args:
        banks: At least one.
        spec: Of series; gives the number of channels, and with the number of steps the size of patches.
    """
    inputs = keras.Input((None, spec.input_shape[1]), dtype=spec.dtype, name="series")
    x, mask = _steps(inputs, patch_size(spec))
    parts: list[keras.KerasTensor] = []
    for i, bank in enumerate(banks):
        parts.extend(_features(x, mask, bank, f"kernels_{i}"))
    features = keras.layers.Concatenate(name="features")(parts) if len(parts) > 1 else parts[0]
    return keras.Model(inputs, features, name="rocket_encoder")


def patch_size(spec: DataSpec) -> int:
    """Steps of a series that become one."""
    steps, channels = spec.input_shape[0], spec.input_shape[1] - 1
    return max(-(-steps // MOST_STEPS), -(-steps * channels // MOST_VALUES))


def _steps(inputs: keras.KerasTensor, patch: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """`[batch, steps, channels]` and `[batch, steps, 1]`, both 0 behind the end."""
    mask = inputs[:, :, -1:]
    x = ops.multiply(inputs[:, :, :-1], mask)
    if patch > 1:
        # zeros at the end complete the last patch; its mean is that of its real steps
        pad, mean = keras.layers.ZeroPadding1D((0, patch - 1)), keras.layers.AveragePooling1D(patch)
        share = mean(pad(mask))
        x = ops.divide(keras.layers.AveragePooling1D(patch)(pad(x)), ops.maximum(share, 0.5 / patch))
        mask = ops.cast(ops.greater(share, 0.0), "float32")
    return x, mask


def _features(x: keras.KerasTensor, mask: keras.KerasTensor, bank: Bank, name: str) -> list[keras.KerasTensor]:
    length, _, num_kernels = bank.weights.shape
    spans, of_kernel = np.unique(bank.reach, return_inverse=True)
    is_of_span = np.eye(len(spans), dtype=np.float32)[:, of_kernel]
    asked = _asked_steps(mask, bank.dilation, spans.tolist())
    windows, not_asked = _windows(x, bank.dilation, length), ops.subtract(asked, 1.0)
    columns = ops.concatenate([windows, ops.ones_like(mask), not_asked], axis=-1)
    # every bias as a copy of the kernels: one matrix product is faster than one answer to which many are added
    num_plain = bank.biases.shape[1] - bank.num_relative
    weights = np.tile(bank.weights.reshape(-1, num_kernels), (1, num_plain)) / RAMP
    biases = bank.biases.T[:num_plain].reshape(1, -1) / RAMP + 0.5
    hidden = np.tile(is_of_span, (1, num_plain)) * -UNSEEN
    lifted = _fixed_dense(np.concatenate([weights, biases, hidden]), name)(columns)
    counts = [ops.sum(ops.clip(lifted, 0.0, 1.0), axis=1)]
    if bank.num_relative:
        plain = _fixed_dense(bank.weights.reshape(-1, num_kernels), f"{name}_plain")(windows)
        counts.append(_relative_counts(plain, mask, ops.matmul(not_asked, is_of_span * -UNSEEN), bank))
    num_asked = ops.matmul(ops.sum(asked, axis=1), np.tile(is_of_span, (1, bank.biases.shape[1])))
    shares = ops.divide(ops.concatenate(counts, axis=-1), ops.maximum(num_asked, 1.0))
    # where there is no step at all, the largest of none is 0
    largest = ops.multiply(ops.subtract(ops.max(lifted, axis=1), 0.5), ops.multiply(ops.max(mask, axis=1), RAMP))
    return [shares, largest] if bank.with_max else [shares]


def _relative_counts(
    answers: keras.KerasTensor, mask: keras.KerasTensor, hidden: keras.KerasTensor, bank: Bank
) -> keras.KerasTensor:
    """`[batch, relative biases * kernels]`: positive ones among the answers in units of their own root mean square.

    Args:
        answers: `<float32>[batch, steps, kernels]`.
        mask: `<float32>[batch, steps, 1]`.
        hidden: `<float32>[batch, steps, kernels]`: `UNSEEN` where a kernel is not asked, else 0.
        bank: Gives the biases.
    """
    num_steps = ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1.0)
    power = ops.divide(ops.sum(ops.multiply(mask, ops.square(answers)), axis=1, keepdims=True), num_steps)
    scale = ops.multiply(ops.sqrt(ops.maximum(power, SILENCE**2)), RAMP)
    relative = ops.add(ops.divide(answers, scale), hidden)
    biases = bank.biases.T[-bank.num_relative :].reshape(1, 1, -1) / np.float32(RAMP) + np.float32(0.5)
    lifted = ops.subtract(ops.concatenate([relative] * bank.num_relative, axis=-1), -biases)
    return ops.sum(ops.clip(lifted, 0.0, 1.0), axis=1)


def _windows(x: keras.KerasTensor, dilation: int, length: int) -> keras.KerasTensor:
    """`[batch, steps, length * channels]`: what a kernel sees at each step, zeros beyond the ends.

    A convolution is the product of this with its weights. Written so, a wide dilation needs no copies of the answers,
    which are many times as large as the series.
    """
    around = length // 2 * dilation
    padded = keras.layers.ZeroPadding1D(around)(x)
    shifts = [(i * dilation, i * dilation - 2 * around) for i in range(length)]
    return ops.concatenate([padded[:, start : stop or None] for start, stop in shifts], axis=-1)


def _asked_steps(mask: keras.KerasTensor, dilation: int, spans: list[int]) -> keras.KerasTensor:
    """`<float32>[batch, steps, spans]`: 1 for the steps at which a kernel of that reach is asked."""
    columns = []
    for span in spans:
        if span == 0:
            columns.append(mask)
            continue
        reach = span * dilation
        padded = keras.layers.ZeroPadding1D(reach)(mask)
        inside = ops.multiply(mask, ops.multiply(padded[:, : -2 * reach], padded[:, 2 * reach :]))
        is_long = ops.greater(ops.sum(inside, axis=1, keepdims=True), 0.0)
        columns.append(ops.where(is_long, inside, mask))
    return ops.concatenate(columns, axis=-1) if len(columns) > 1 else columns[0]


def _fixed_dense(weights: np.ndarray, name: str) -> keras.layers.Layer:
    layer = keras.layers.Dense(weights.shape[1], use_bias=False, trainable=False, name=name)
    layer.build((None, None, weights.shape[0]))
    layer.set_weights([weights.astype(np.float32)])
    return layer
