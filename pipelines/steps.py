"""The compiled steps of a network: several of training in one call, and one of prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from pipelines.precision import computing_in

Batch = tuple[np.ndarray, np.ndarray]
"""Inputs and targets."""
Train = Callable[[Sequence[Batch], Sequence[float]], Any]
"""Takes a step for each batch, at the learning rate of the same place. Returns the mean loss since the metrics were
reset, a scalar that a device may still be computing."""

CALL_SECONDS = 0.05
MOST_STEPS = 32
"""From 8 on more change little."""
MOST_BYTES = 2**25
"""Of the inputs of one call."""


class StepsPerCall:
    """How many steps are to share the next call: so many as take a moment together, so that the clock is still obeyed.

    What is learnt does not depend on it.
    """

    def __init__(self) -> None:
        self.steps = 1
        self._count = self._first = 0
        self._first_seconds = 0.0

    def taken(self, batches: Sequence[Batch], seconds: float) -> None:
        """Learns from a call. The first one compiles and tells nothing.

        Args:
            batches: Of the steps that were taken.
            seconds: Of the training so far.
        """
        if self._count == 0:
            self._count = self._first = len(batches)
            self._first_seconds = seconds
            return
        self._count += len(batches)
        each = (seconds - self._first_seconds) / (self._count - self._first)
        fit = MOST_BYTES // max(1, sum(array.nbytes for array in batches[0]))
        self.steps = int(max(1, min(CALL_SECONDS / max(each, 1e-9), fit, MOST_STEPS)))


def train_function(view: keras.Model, batch: Batch, jit_compile: bool, policy: str | None = None) -> Train:
    """The steps of training. Nothing is compiled before the first call.

    A call costs a fraction of a millisecond, as much as a whole step of a small network: so several steps may share
    one. They are the same steps: the loop around them is part of the graph, however many rounds it makes.

    Args:
        view: Compiled by Keras, with an optimizer that is built.
        batch: Gives shapes and dtypes; the number of examples stays open. Keras itself traces its step for the size
            of the first batch, and again for the smaller last one; which of the two a later batch meets depends on
            what came before. With the size left open there is one graph, whatever came before.
            JAX compiles for one size, that of this batch, and fills smaller ones up.
        jit_compile: With XLA. JAX always does.
        policy: Of the layers while they are trained, for half precision; `None`: their own.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        from pipelines.jax_steps import TrainSteps

        return TrainSteps(view, len(batch[1]), policy)
    if backend != "tensorflow":
        return _one_by_one(view)
    together = _together(view, batch, jit_compile, policy)

    def train(batches: Sequence[Batch], rates: Sequence[float]) -> Any:
        loss = None
        for start, stop in _equal_sizes(batches):
            part = batches[start:stop]
            inputs, targets = (_joined([one[i] for one in part]) for i in (0, 1))
            loss = together(inputs, targets, np.asarray(rates[start:stop], np.float32))
        return loss

    return train


def predict_function(model: keras.Model, inputs: np.ndarray) -> Callable[[np.ndarray], Any]:
    """A step of prediction, for any number of inputs like those given."""
    backend = keras.backend.backend()
    if backend == "jax":
        from pipelines.jax_steps import PredictSteps

        return PredictSteps(model)
    if backend != "tensorflow":
        return model.predict_on_batch
    import tensorflow as tf

    spec = tf.TensorSpec((None, *inputs.shape[1:]), inputs.dtype)
    return tf.function(lambda x: model(x, training=False), input_signature=[spec], autograph=False)


def predict_batch(model: keras.Model, inputs: np.ndarray, num_examples: int) -> np.ndarray:
    """`<float32>[batch, ...]`: what Keras' own `predict_on_batch` gives.

    Args:
        model: Its compiled prediction is kept by Keras.
        inputs: `[batch, ...]`.
        num_examples: Of the other batches. Where each size is compiled anew, a smaller batch is filled up to it.
    """
    if keras.backend.backend() != "jax":
        return np.asarray(model.predict_on_batch(inputs))
    from pipelines.jax_steps import fill_up

    return np.asarray(model.predict_on_batch(fill_up(inputs, num_examples)))[: len(inputs)]


def tensor_float_32(allowed: bool) -> bool:
    """Whether graphics cards may round the factors of products to ten bits; gives what was allowed before."""
    import tensorflow as tf

    before = bool(tf.config.experimental.tensor_float_32_execution_enabled())
    tf.config.experimental.enable_tensor_float_32_execution(allowed)
    return before


def _together(view: keras.Model, batch: Batch, jit_compile: bool, policy: str | None) -> Callable[..., Any]:
    """`(inputs [steps, batch, ...], targets [steps, batch, ...], rates <float32>[steps]) -> loss`."""
    import tensorflow as tf

    inputs, targets = (tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in batch)
    signature = [tf.TensorSpec((None, *spec.shape), spec.dtype) for spec in (inputs, targets)]

    def one_step(x: Any, y: Any) -> Any:
        with computing_in(policy, view):
            return tf.cast(view.train_step((x, y))["loss"], tf.float32)

    step = tf.function(
        one_step,
        input_signature=[inputs, targets],
        jit_compile=jit_compile or None,
        autograph=False,
    )

    def train(all_inputs: Any, all_targets: Any, rates: Any) -> Any:
        def one(i: Any, _: Any) -> Any:
            view.optimizer.learning_rate = rates[i]
            return i + 1, step(all_inputs[i], all_targets[i])

        count = tf.shape(rates)[0]
        # one after the other: each step reads the weights that the last one wrote
        return tf.while_loop(lambda i, _: i < count, one, (tf.constant(0), tf.constant(0.0)), parallel_iterations=1)[1]

    return tf.function(train, input_signature=[*signature, tf.TensorSpec((None,), tf.float32)], autograph=False)


def _one_by_one(view: keras.Model) -> Train:
    def train(batches: Sequence[Batch], rates: Sequence[float]) -> Any:
        loss = None
        for (inputs, targets), rate in zip(batches, rates, strict=True):
            view.optimizer.learning_rate = rate
            loss = view.train_on_batch(inputs, targets)
        return loss

    return train


def _equal_sizes(batches: Sequence[Batch]) -> Iterator[tuple[int, int]]:
    """Where runs of equally many examples start and stop: the last batch of a pass may be smaller."""
    start = 0
    for stop in range(1, len(batches) + 1):
        if stop == len(batches) or len(batches[stop][1]) != len(batches[start][1]):
            yield start, stop
            start = stop


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
