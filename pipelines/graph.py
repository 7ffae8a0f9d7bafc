"""A network with its compiled steps."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import keras
import numpy as np

from pipelines.batches import TrainingData, loss_targets
from pipelines.optimizers import averages, make_optimizer
from pipelines.pace import Pace, Tried
from pipelines.steps import Batch, predict_function, train_function
from records.task import Task
from records.trial import Recipe
from search_spaces import heads

MEASURED_STEPS = 20


class Graph:
    """A network with its compiled steps. They take batches of any size, so that each is compiled once."""

    def __init__(self, model: keras.Model, recipe: Recipe, data: TrainingData, task: Task, pace: Pace) -> None:
        """Compiles nothing yet: the first call of a step does.

        Args:
            model: A network of a search space, not compiled.
            recipe: Gives the optimizer.
            data: Gives the shapes and dtypes of a batch.
            task: Gives the loss.
            pace: Whether XLA compiles it.
        """
        self.model, self.pace = model, pace
        self.view, from_logits = heads.training_view(model)
        self.optimizer = make_optimizer(recipe, last_layer(self.view))
        loss = heads.HEADS[task.name].loss(data.spec, from_logits)
        self.view.compile(self.optimizer, loss, jit_compile=pace.jit_compile)
        self.optimizer.build(self.view.trainable_variables)
        rows = data.train_rows[: recipe.batch_size]
        self._batch = np.zeros_like(data.inputs[rows]), np.zeros_like(loss_targets(data, rows, recipe))
        self._train = train_function(self.view, self._batch, pace.jit_compile, pace.policy)
        self._predict = predict_function(model, self._batch[0])
        self._predict_seconds, self._predictions_made = math.inf, 0
        self.used = False
        """Whether it was trained on: then its steps are compiled."""

    def train(self, batches: Sequence[Batch], rates: Sequence[float]) -> Any:
        """A step of the optimizer for each batch, at the learning rate of the same place. Returns the mean loss since
        `new_epoch`, a scalar that a device may still be computing."""
        self.used = True
        return self._train(batches, rates)

    def new_epoch(self) -> None:
        """The mean of the loss begins anew."""
        self.view.reset_metrics()

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """`<float32>[batch, ...]`: what the network says as it is now."""
        began = time.perf_counter()
        predictions = np.asarray(self._predict(inputs))
        self._predictions_made += 1
        self._predict_seconds = min(self._predict_seconds, (time.perf_counter() - began) / len(inputs))
        return predictions

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the network has the running averages of its weights, where the recipe keeps them: they are what is
        judged and kept. The statistics of batch normalisation are running averages already."""
        if not averages(self.optimizer):
            yield
            return
        trained = copies(self.view.trainable_variables)
        self.take_averages()
        try:
            yield
        finally:
            _assign(self.view.trainable_variables, trained)

    def take_averages(self) -> None:
        """For good, at the end of a training."""
        if kept := averages(self.optimizer):
            _assign(self.view.trainable_variables, copies(kept))

    def predict_seconds(self, inputs: np.ndarray) -> float:
        """Seconds of `predict` for one example of a batch, at their best so far; tried with `inputs` where only the
        call that compiled was timed."""
        if self._predictions_made < 2:
            self.predict(inputs)
        return self._predict_seconds

    def warm_up(self) -> None:
        """Compiles both steps on a batch of zeros. Spoils every variable: `load` or `restart` must follow."""
        if not self.used:
            self.train([self._batch], [0.0])
            self.predict(self._batch[0])

    def measure(self) -> Tried:
        """Times some steps on a batch of zeros. Spoils every variable.

        Raises:
            FloatingPointError: Half precision does not suffice even for them.
        """
        began = time.perf_counter()
        float(self.train([self._batch], [0.0]))
        compiled = time.perf_counter()
        for _ in range(MEASURED_STEPS):
            loss = self.train([self._batch], [0.0])
        last = float(loss)
        steps_seconds = time.perf_counter() - compiled
        if self.pace.policy and not math.isfinite(last):
            raise FloatingPointError(f"The loss became {last} with {self.pace.policy}.")
        return Tried(compile_seconds=compiled - began, step_seconds=steps_seconds / MEASURED_STEPS)

    def variables(self) -> list[np.ndarray]:
        """Copies of the network's variables: weights, running averages, and the states of its random generators."""
        return copies(self.model.variables)

    def optimizer_variables(self) -> list[np.ndarray]:
        """Copies of the optimizer's variables: the number of steps, the learning rate, and its averages."""
        return copies(self.optimizer.variables)

    def fits(self, variables: Sequence[np.ndarray], optimizer_variables: Sequence[np.ndarray]) -> bool:
        """Whether `load` would take them."""
        ours, theirs = (*self.model.variables, *self.optimizer.variables), (*variables, *optimizer_variables)
        return len(self.model.variables) == len(variables) and alike(ours, theirs)

    def load(self, variables: Sequence[np.ndarray], optimizer_variables: Sequence[np.ndarray]) -> None:
        """Goes back to what `variables` and `optimizer_variables` gave.

        Raises:
            ValueError: Another network's.
        """
        _assign(self.model.variables, variables)
        _assign(self.optimizer.variables, optimizer_variables)

    def restart(self, variables: Sequence[np.ndarray]) -> None:
        """Begins a training anew: the network as in `variables`, the optimizer as it was made.

        Raises:
            ValueError: Another network's.
        """
        _assign(self.model.variables, variables)
        for variable in self.optimizer.variables:  # counts and averages begin at 0; each step sets the learning rate
            variable.assign(np.zeros(variable.shape, variable.dtype))


@lru_cache(maxsize=1)
def has_accelerator() -> bool:
    """Whether Keras computes on anything but processors."""
    return any(not device.lower().startswith("cpu") for device in keras.distribution.list_devices())


def last_layer(network: keras.Model) -> str:
    """The name of the layer with weights that is nearest to the output; empty where none has any."""
    return next((layer.name for layer in reversed(network.layers) if layer.trainable_weights), "")


def copies(variables: Sequence[Any]) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def alike(ours: Sequence[Any], theirs: Sequence[np.ndarray]) -> bool:
    return len(ours) == len(theirs) and all(
        tuple(a.shape) == b.shape and a.dtype == b.dtype.name for a, b in zip(ours, theirs, strict=True)
    )


def _assign(variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    if not alike(variables, values):
        raise ValueError("These are the values of another network's variables.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
