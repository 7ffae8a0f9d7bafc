"""A head that compares: each class has a direction, and an example belongs to the class whose direction is nearest.

Snell et al. 2017, "Prototypical networks", https://arxiv.org/abs/1703.05175: a class is the mean of its few examples.
Here the directions are weights, compared by the cosine as in "Baseline++" of Chen et al. 2019
(https://arxiv.org/abs/1904.04232), so that they are learnt like any other head. They start at nothing: the gradient of
the first step is then, for each class, the mean of its examples less the mean of all, which is its prototype, and the
steps after it move on from there.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import keras

from records.data import DataSpec
from search_spaces import heads

DENSE, PROTOTYPES = "dense", "prototypes"
SCALE = 10.0
"""Cosines lie between -1 and 1, which is too near for a softmax; the training begins here and learns the rest."""
RATE = 5.0
"""Times a head's usual learning rate. Directions have length 1: at 1e-3 a few dozen steps of AdamW do not get there
(0.648 on clothes, 8 of each class; at 3e-3 to 1e-2 0.664)."""


def choose_head(hp: Any, family: str, spec: DataSpec) -> dict[str, Any]:
    """Declares the head of a space on frozen features, and reads it: "head" and "hidden_units".

    Args:
        hp: KerasTuner's `HyperParameters`, or a `Replay`.
        family: First part of the names, "frozen_backbone" for instance.
        spec: Of the data. Without one label for each example there is nothing to compare with.
    """
    head = DENSE
    if spec.task == "classification":
        # of 8 examples a class prototypes make more; of many a dense layer
        head = hp.Choice(f"{family}/head", [DENSE, PROTOTYPES], default=DENSE)
    with hp.conditional_scope(f"{family}/head", [DENSE]) if spec.task == "classification" else nullcontext():
        # 0 is a linear head, which few examples cannot overfit
        hidden_units = hp.Choice(f"{family}/hidden_units", [0, 128, 512], default=0)
    return {"head": head, "hidden_units": hidden_units if head == DENSE else 0}


def with_head_rate(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a space on frozen features, with the learning rate that its head needs."""
    return values | {"learning_rate": values["learning_rate"] * (RATE if values["head"] == PROTOTYPES else 1.0)}


def build_prototypes(spec: DataSpec, features: keras.KerasTensor, dropout_rate: float) -> keras.KerasTensor:
    """`<float32>[batch, features]` to probabilities `<float32>[batch, classes]`.

    Args:
        spec: Of the data; it has labels.
        features: Centred: what all examples have in common says nothing about their class.
        dropout_rate: Between 0 and 1; of the features.
    """
    x = keras.layers.Identity(name=heads.EMBEDDING)(features)
    if dropout_rate:
        x = keras.layers.Dropout(dropout_rate, name="head_dropout")(x)
    x = keras.layers.UnitNormalization(name="unit_length")(x)
    cosines = keras.layers.Dense(
        spec.num_classes,
        use_bias=False,
        kernel_initializer="zeros",
        kernel_constraint=keras.constraints.UnitNorm(axis=0),
        name="prototypes",
    )
    x = keras.layers.Rescaling(SCALE, name="first_scale")(cosines(x))
    # one weight for all classes, which no layer of Keras' has by itself: the classes become examples of one number
    x = keras.layers.Reshape((spec.num_classes, 1), name="one_by_one")(x)
    x = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="inverse_temperature")(x)
    return heads.probabilities(keras.layers.Reshape((spec.num_classes,), name=heads.LOGITS)(x))
