"""Hashed n-grams and a linear layer: the strong and simple way to class texts, ready in seconds.

After fastText (Joulin et al. 2017, "Bag of tricks for efficient text classification"). The tokens are pieces of words,
so their n-grams stand for words, for phrases, and for the letters of a word that is rare.
"""

from __future__ import annotations

from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes, sequences
from search_spaces.ngrams import network
from search_spaces.space import Space

NAME = "ngrams"
MOST_UPDATES = 600
"""Steps of the optimizer after which vectors of n-grams are learnt by heart and no better."""
FEWEST_EPOCHS = 5


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    return {
        **network.choices(hp, NAME),
        "dropout_rate": hp.Float(f"{NAME}/dropout_rate", 0.0, 0.7, default=0.3),
        **recipes.choices(
            hp,
            NAME,
            smoothing=bool(spec.labels),
            learning_rate=(1e-3, 3e-2, 5e-3),
            **effort(spec),
            optimizers=("adamw",),
            spec=spec,
        ),
    }


def effort(spec: DataSpec) -> sequences.Effort:
    """As `sequences.effort`, for far fewer steps: the loss is nearly linear in what is learnt."""
    usual = sequences.effort(spec)
    epochs = round(MOST_UPDATES * usual["batch_sizes"][0] / max(1, spec.num_train))
    max_epochs = min(usual["max_epochs"], max(FEWEST_EPOCHS, epochs))
    return {**usual, "max_epochs": max_epochs, "patience": max_epochs}


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """Vectors of the n-grams, pooled, and the head. Uncompiled.

    Takes tokens `<int32>[batch, steps]`, 0 after the last.

    Raises:
        ValueError: A value is unknown or out of range.
    """
    tokens = keras.Input((None,), dtype=spec.dtype, name="tokens")
    x = network.pooled_ngrams(tokens, spec.text.vocabulary, values)
    return keras.Model(tokens, heads.build(task, spec, x, values["dropout_rate"]), name=NAME)


NGRAMS = Space(name=NAME, choices=choices, build=build, recipe=recipes.recipe, input_kinds=frozenset({InputKind.TEXT}))
