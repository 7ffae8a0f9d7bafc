"""What the two KerasTuner peers share: arrays, a split for validation, the search, and the last fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from benchmarks.peers.answer import Answer, Asked, commonest
from benchmarks.peers.arrays import Arrays, make_arrays, split
from benchmarks.peers.clock import NO_TIME, StopAt
from benchmarks.peers.spaces import Space, batch_size

PACKAGES = ("keras-tuner", "keras", "tensorflow-cpu")
PATIENCE = 6
"""Epochs without a better validation accuracy."""


def solve(asked: Asked, make_tuner: Callable[[Space, Asked], Any], most_epochs: int) -> Answer:
    """Searches until the last fit has to begin, and fits the best configuration to all training examples.

    Args:
        asked: Dataset, clock and seed.
        make_tuner: Of the space.
        most_epochs: Of one trial, where the tuner does not say.
    """
    keras.utils.set_random_seed(asked.seed)
    facts = {"backbones": str(asked.backbones)}
    arrays = make_arrays(asked.kind, asked.train, asked.test, len(asked.labels), facts)
    training, validation = split(arrays.targets, asked.seed)
    tuner = make_tuner(Space(asked.kind, arrays), asked)
    tuner.watch(asked.clock)
    tuner.search(
        arrays.rows(training),
        arrays.targets[training],
        validation_data=(arrays.rows(validation), arrays.targets[validation]),
        epochs=most_epochs,
        callbacks=[keras.callbacks.EarlyStopping("val_accuracy", patience=PATIENCE, mode="max")],
        verbose=0,
    )
    if tuner.best() is None:
        return commonest(asked, len(tuner.reached))
    model, notes = last_fit(tuner, arrays, asked)
    return Answer(
        probabilities=lambda: model.predict(arrays.test, batch_size=256, verbose=0),
        trials=len(tuner.reached),
        curve=tuner.curve,
        notes=notes,
    )


def last_fit(tuner: Any, arrays: Arrays, asked: Asked) -> tuple[keras.Model, list[str]]:
    """The best configuration, trained on everything for as many epochs as were best; where the clock does not allow
    all of them, the weights that the search has kept."""
    if not tuner.last_fit_is_possible():
        return tuner.get_best_models()[0], [NO_TIME]
    best, stop = tuner.best(), StopAt(asked.clock)
    model = tuner.hypermodel.build(tuner.get_best_hyperparameters()[0])
    rows = np.random.default_rng(asked.seed).permutation(len(arrays.targets))
    model.fit(
        arrays.rows(rows),
        arrays.targets[rows],
        batch_size=batch_size(len(rows)),
        epochs=best.best_epochs,
        callbacks=[stop],
        verbose=0,
    )
    if stop.cut:
        return tuner.get_best_models()[0], [NO_TIME]
    return model, []
