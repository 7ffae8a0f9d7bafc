"""The front and the back of sequence networks: from tokens, series and windows to vectors, and from these to one.

A step that is padding is 0 in `x` and in `mask` from the front to the pooling, so that more padding changes no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import keras
from keras import ops

from records.data import DataSpec, InputKind

POOLINGS = ("mean", "max", "mean_max", "last", "attention")
KINDS = frozenset({InputKind.TEXT, InputKind.SERIES, InputKind.FORECAST})
"""What the networks of sequences take."""
MOST_UPDATES = 1500
"""Steps of the optimizer after which a sequence network of our size has settled."""
LOCAL_STEPS = 5
"""Of a series, that the first layer sees at once."""
UNSEEN = -1e9
"""Added to an attention's logit, or put in the place of a value, where there is only padding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Front:
    """Where a sequence network begins."""

    inputs: keras.KerasTensor
    """The network's own input."""
    x: keras.KerasTensor
    """`<float32>[batch, steps, width]`, 0 where `mask` is."""
    mask: keras.KerasTensor
    """`<float32>[batch, steps, 1]`: 1 for a real step, 0 for padding."""


def front(spec: DataSpec, width: int, most_steps: int, dropout_rate: float = 0.0) -> Front:
    """The input and its first layer.

    Series and windows that are longer than `most_steps` are seen in patches of equal size (as in Nie et al. 2023), so
    that the network has at most so many steps to go through.

    Args:
        spec: Of texts, series or windows.
        width: Of the vectors.
        most_steps: That the network is to see.
        dropout_rate: Of the first layer's vectors.

    Raises:
        ValueError: Another kind of input.
    """
    if spec.kind is InputKind.TEXT:
        inputs = keras.Input((None,), dtype=spec.dtype, name="tokens")
        mask = ops.expand_dims(ops.cast(ops.greater(inputs, 0), "float32"), -1)
        x = keras.layers.Embedding(spec.text.vocabulary, width, name="token_vectors")(inputs)
    elif spec.kind is InputKind.SERIES:
        inputs = keras.Input((None, spec.input_shape[1]), dtype=spec.dtype, name="series")
        x, mask = _project(inputs[:, :, :-1], inputs[:, :, -1:], spec, width, most_steps)
    elif spec.kind is InputKind.FORECAST:
        inputs = keras.Input(spec.input_shape, dtype=spec.dtype, name="window")
        # the steps to forecast are as real as those that were observed; the level and the spread are for the head
        x, mask = _project(inputs[:, :, :-2], _window_mask(inputs, spec), spec, width, most_steps)
    else:
        raise ValueError(f"A sequence network takes text, series or forecast. Received: {spec.kind}.")
    if dropout_rate:
        x = keras.layers.Dropout(dropout_rate, name="front_dropout")(x)
    return Front(inputs=inputs, x=ops.multiply(x, mask), mask=mask)


def _window_mask(inputs: keras.KerasTensor, spec: DataSpec) -> keras.KerasTensor:
    layout = spec.forecast
    observed = inputs[:, : layout.history, -3:-2]
    return ops.concatenate([observed, ops.ones_like(inputs[:, layout.history :, -3:-2])], axis=1)


def _project(
    values: keras.KerasTensor, mask: keras.KerasTensor, spec: DataSpec, width: int, most_steps: int
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    values, patch = ops.multiply(values, mask), -(-spec.input_shape[0] // most_steps)
    if patch > 1:
        # zeros at the end complete the last patch; without them its steps would be dropped
        values = keras.layers.ZeroPadding1D((0, patch - 1))(values)
        mask = keras.layers.MaxPooling1D(patch)(keras.layers.ZeroPadding1D((0, patch - 1))(mask))
        return keras.layers.Conv1D(width, patch, strides=patch, name="projection")(values), mask
    # a single value says little; with its neighbours it is a slope, a peak or a bend
    return keras.layers.Conv1D(width, LOCAL_STEPS, padding="same", name="projection")(values), mask


def pool(x: keras.KerasTensor, mask: keras.KerasTensor, how: str) -> keras.KerasTensor:
    """One vector for each sequence, from its real steps; 0 where it has none.

    Args:
        x: `<float32>[batch, steps, width]`.
        mask: `<float32>[batch, steps, 1]`.
        how: One of `POOLINGS`. "attention" weighs the steps by their likeness to one learnt vector.

    Returns:
        `<float32>[batch, width]`, twice as wide for "mean_max".

    Raises:
        ValueError: An unknown `how`.
    """
    if how == "mean":
        return _mean(x, mask)
    if how == "max":
        return _max(x, mask)
    if how == "mean_max":
        return ops.concatenate([_mean(x, mask), _max(x, mask)], axis=-1)
    if how == "last":
        seen = ops.cumsum(mask, axis=1)
        is_last = ops.cast(ops.equal(seen, ops.sum(mask, axis=1, keepdims=True)), "float32")
        return ops.sum(ops.multiply(x, ops.multiply(is_last, mask)), axis=1)
    if how == "attention":
        logits = keras.layers.Dense(1, use_bias=False, name="pooling_query")(x)
        weights = ops.softmax(ops.add(logits, ops.multiply(ops.subtract(1.0, mask), UNSEEN)), axis=1)
        return ops.sum(ops.multiply(x, ops.multiply(weights, mask)), axis=1)
    raise ValueError(f"The pooling must be one of {', '.join(POOLINGS)}. Received: {how!r}.")


def _mean(x: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
    count = ops.maximum(ops.sum(mask, axis=1), 1.0)
    return ops.divide(ops.sum(ops.multiply(x, mask), axis=1), count)


def _max(x: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
    # the smaller one first: Keras takes a second one with a single long axis for a bias, whatever that axis is
    largest = ops.max(ops.add(ops.multiply(ops.subtract(1.0, mask), UNSEEN), x), axis=1)
    return ops.multiply(largest, ops.max(mask, axis=1))


class Effort(TypedDict):
    """What `recipes.choices` takes of it."""

    max_epochs: int
    patience: int
    batch_sizes: tuple[int, ...]


def effort(spec: DataSpec) -> Effort:
    """How long and in what batches to train: few examples need many passes in small batches, many examples few.

    The same number of steps suits 60 examples and 60,000 better than the same number of epochs.
    """
    batch_sizes = (16, 8, 32) if spec.num_train < 1000 else (64, 32, 128)
    epochs = round(MOST_UPDATES * batch_sizes[0] / max(1, spec.num_train))
    max_epochs = min(200, max(10, epochs))
    return {"max_epochs": max_epochs, "patience": max(5, max_epochs // 4), "batch_sizes": batch_sizes}
