"""The floor of tables: linear in the numbers, and one number for each category and answer."""

from __future__ import annotations

import keras
import numpy as np

from records.data import DataSpec
from records.spec import ColumnKind
from records.task import Task
from search_spaces import heads


def build_floor(spec: DataSpec, task: Task) -> keras.Model:
    """Multinomial logistic or linear regression. Columns of texts are not read.

    Takes `<float32>[batch, width]`. An embedding of a category that is as long as the answer is what a linear layer
    makes of its one-hot code, without the thousands of zeros.
    """
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="row")
    outputs = max(1, spec.num_classes)
    places = [p for s in spec.table.of_kind(ColumnKind.NUMBER, ColumnKind.DATE) for p in range(s.start, s.stop)]
    parts = [keras.ops.take(inputs, places, axis=1)] if places else []
    slots = spec.table.of_kind(ColumnKind.CATEGORY)
    if slots:
        sizes = np.array([slot.size for slot in slots], np.int32)
        offsets = np.cumsum(sizes, dtype=np.int32) - sizes
        codes = keras.ops.cast(keras.ops.take(inputs, [slot.start for slot in slots], axis=1), "int32")
        codes = keras.ops.minimum(keras.ops.maximum(codes, 0), sizes - 1) + offsets
        table = keras.layers.Embedding(int(sizes.sum()), outputs, embeddings_initializer="zeros", name="categories")
        parts.append(keras.ops.sum(table(codes), axis=1))
    if not parts:  # nothing but texts
        parts.append(inputs[:, :1] * 0.0)
    features = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    return keras.Model(inputs, _answer(features, outputs if slots else 0, spec), name="floor")


def _answer(features: keras.KerasTensor, num_scores: int, spec: DataSpec) -> keras.KerasTensor:
    """Linear; at first the training split's shares or mean.

    Args:
        features: `<float32>[batch, numbers + num_scores]`; the last are scores of the categories, one for each answer.
        num_scores: They are added as they are, so that their table learns although it starts at 0.
        spec: Of the data.
    """
    bias = heads.log_shares(spec) if spec.labels else [0.0]
    kernel = np.zeros((features.shape[-1], len(bias)))
    if num_scores:
        kernel[-num_scores:] = np.eye(num_scores)
    logits = keras.layers.Dense(
        len(bias),
        kernel_initializer=keras.initializers.Constant(kernel.tolist()),
        bias_initializer=keras.initializers.Constant(bias),
        name=heads.LOGITS,
    )(keras.layers.Identity(name=heads.EMBEDDING)(features))
    return heads.probabilities(logits) if spec.labels else heads.number(logits, spec)
