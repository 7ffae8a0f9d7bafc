"""What texts and series must be beaten by: models that are linear in the words, and in the course of each channel."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads

NUM_BINS = 8
"""Parts of equal length whose means a series is judged by."""


def build_floor(spec: DataSpec, task: Task) -> keras.Model:
    """Linear in the number of each word, or in the means of eight parts of each channel.

    Before its first step it always gives the share of each class, or the mean of the target.

    Raises:
        ValueError: Another kind of input than text and series.
    """
    if spec.kind is InputKind.TEXT:
        inputs = keras.Input((None,), dtype=spec.dtype, name="tokens")
        features = _bag_of_tokens(inputs, spec)
    elif spec.kind is InputKind.SERIES:
        inputs = keras.Input((None, spec.input_shape[1]), dtype=spec.dtype, name="series")
        features = _means_of_parts(inputs, spec)
    else:
        raise ValueError(f"This floor is for text and series. Received: {spec.kind}.")
    return keras.Model(inputs, heads.build_linear(task, spec, features), name="floor")


def _bag_of_tokens(inputs: keras.KerasTensor, spec: DataSpec) -> keras.KerasTensor:
    """`<float32>[batch, width]`: a learnt vector for each token, added up (Joulin 2017)."""
    mask = ops.expand_dims(ops.cast(ops.greater(inputs, 0), "float32"), -1)
    # as wide as the answer, the vectors followed by a linear layer can be any weights of a linear model
    vectors = keras.layers.Embedding(spec.text.vocabulary, max(16, spec.num_classes), name="token_vectors")(inputs)
    count = ops.maximum(ops.sum(mask, axis=1), 1.0)
    # between a sum, in which long texts shout, and a mean, in which the telling word of a long text drowns
    return ops.divide(ops.sum(ops.multiply(vectors, mask), axis=1), ops.sqrt(count))


def _means_of_parts(inputs: keras.KerasTensor, spec: DataSpec) -> keras.KerasTensor:
    """`<float32>[batch, bins * channels]`: a step that lies in two parts counts in each as much as it lies there."""
    values, mask = inputs[:, :, :-1], inputs[:, :, -1:]
    length = ops.maximum(ops.sum(mask, axis=1, keepdims=True), 1.0)
    end = ops.cumsum(mask, axis=1)  # a step reaches from its number to the next
    bin_start = np.arange(NUM_BINS, dtype=np.float32)[None, None, :] / NUM_BINS
    bin_end = bin_start + np.float32(1 / NUM_BINS)
    overlap = ops.subtract(
        ops.minimum(end, ops.multiply(length, bin_end)),
        ops.maximum(ops.subtract(end, 1.0), ops.multiply(length, bin_start)),
    )
    share = ops.divide(ops.multiply(ops.relu(overlap), mask), ops.divide(length, float(NUM_BINS)))
    means = ops.matmul(ops.transpose(share, (0, 2, 1)), values)
    return keras.layers.Reshape((NUM_BINS * (spec.input_shape[1] - 1),))(means)
