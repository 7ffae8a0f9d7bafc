"""The compiled steps on JAX: pure functions of all variables, which are written back after each call.

The only file that names JAX. A step is compiled for one size of batch, and compiling takes longer than hundreds of
steps of a small network: so there is one size for each kind of step, and what is smaller is filled up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import keras
import numpy as np

from pipelines.precision import computing_in

PREDICTED_TOGETHER = 32
"""Predictions are compiled for a multiple of so many examples."""

State = tuple[list[Any], list[Any], list[Any], list[Any]]
"""Values of the trainable variables, the others (averages, random states), the optimizer's, and the metrics'."""


class TrainSteps:
    """Takes steps of training, one call of the device each; it is not waited for."""

    def __init__(self, view: keras.Model, num_examples: int, policy: str | None) -> None:
        """
        Args:
            view: Compiled by Keras, with an optimizer that is built.
            num_examples: Of a batch. A smaller one, the last of a pass, is filled up with its own examples from the
                first one on: where its size divides the full one, the mean over it is the same.
            policy: Of the layers while they are trained; `None`: their own.
        """
        self._view, self._num_examples = view, num_examples
        step = _step_function(view, policy)
        # the old values are not needed: the new ones may take their place in memory
        self._step = jax.jit(step, donate_argnums=0)

    def __call__(self, batches: Sequence[tuple[np.ndarray, ...]], rates: Sequence[float]) -> Any:
        """The mean loss since the metrics were reset, which the device may still be computing."""
        variables = _variables(self._view)
        state: State = tuple([variable.value for variable in group] for group in variables)  # type: ignore[assignment]
        loss = None
        try:
            for batch, rate in zip(batches, rates, strict=True):
                filled = tuple(fill_up(array, self._num_examples) for array in batch)
                loss, state = self._step(state, np.float32(rate), filled)
        finally:  # the first step has taken the memory of what the variables held
            for group, values in zip(variables, state, strict=True):
                for variable, value in zip(group, values, strict=True):
                    variable.assign(value)
        return loss


class PredictSteps:
    """Predicts any number of examples. What is compiled is for the largest number so far."""

    def __init__(self, model: keras.Model) -> None:
        self._model, self._num_examples = model, 0

        def predict(trainable: list[Any], others: list[Any], inputs: Any) -> Any:
            return model.stateless_call(trainable, others, inputs, training=False)[0]

        self._predict = jax.jit(predict)

    def __call__(self, inputs: np.ndarray) -> Any:
        """`<float32>[batch, ...]`."""
        self._num_examples = max(self._num_examples, -(-len(inputs) // PREDICTED_TOGETHER) * PREDICTED_TOGETHER)
        trainable, others = ([v.value for v in group] for group in _variables(self._model)[:2])
        return self._predict(trainable, others, fill_up(inputs, self._num_examples))[: len(inputs)]


def full_precision() -> AbstractContextManager[object]:
    """Inside, products of matrices are not rounded below single precision."""
    return jax.default_matmul_precision("highest")


def fill_up(array: np.ndarray, length: int) -> np.ndarray:
    """`[length, ...]`: the rows again from the first one on, as often as it takes; longer arrays as they are."""
    if len(array) >= length:
        return array
    filled: np.ndarray = array[np.arange(length) % len(array)]
    return filled


def _variables(view: keras.Model) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    optimizer = getattr(view, "optimizer", None)
    of_optimizer = optimizer.variables if optimizer is not None else []
    return view.trainable_variables, view.non_trainable_variables, of_optimizer, view.metrics_variables


def _step_function(view: keras.Model, policy: str | None) -> Callable[[State, Any, Any], tuple[Any, State]]:
    """`(state, rate, batch) -> loss, state`. Keras' own step, at a learning rate of its own."""
    optimizer = view.optimizer

    def step(state: State, rate: Any, batch: Any) -> tuple[Any, State]:
        trainable, others, of_optimizer, of_metrics = state
        with keras.StatelessScope(list(zip(optimizer.variables, of_optimizer, strict=True))) as scope:
            optimizer.learning_rate = rate
            at_rate = [scope.get_current_value(variable) for variable in optimizer.variables]
        with computing_in(policy, view):
            logs, state = view.train_step((trainable, others, at_rate, of_metrics), batch)
        return logs["loss"].astype("float32"), state

    return step
