"""Recurrent networks: they read a sequence step by step (LSTM: Hochreiter 1997; GRU: Cho 2014)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes, sequences
from search_spaces.space import Space

MOST_STEPS = 128
"""A step waits for the one before it, so each costs time that no core can share."""
CELLS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    text = spec.kind is InputKind.TEXT
    return {
        # a GRU has three quarters of an LSTM's weights and is rarely worse (Chung 2014)
        "cell": hp.Choice("recurrent/cell", ["gru", "lstm"], default="gru"),
        # 16 is enough for a few channels; 128 takes two cores a second for a batch of long texts
        "width": hp.Int("recurrent/width", 16, 128, step=2, sampling="log", default=64),
        "num_layers": hp.Int("recurrent/num_layers", 1, 2, default=1),
        # a class may be told by what comes later (Schuster 1997); a forecast reads forwards alone
        "bidirectional": hp.Boolean("recurrent/bidirectional", default=spec.kind is not InputKind.FORECAST),
        # the last state must hold everything; a maximum finds one telling step (Conneau 2017)
        "pooling": hp.Choice(
            "recurrent/pooling",
            list(sequences.POOLINGS),
            default="last" if spec.kind is InputKind.FORECAST else "mean_max",
        ),
        "dropout_rate": hp.Float("recurrent/dropout_rate", 0.0, 0.6, default=0.4 if text else 0.2),
        **recipes.choices(
            hp,
            "recurrent",
            smoothing=bool(spec.labels),
            learning_rate=(3e-4, 1e-2, 2e-3),
            **sequences.effort(spec),
            optimizers=("adamw",),
        ),
    }


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """One or two recurrent layers over the real steps, then pooling. Uncompiled.

    Takes tokens `<int32>[batch, steps]`, or `<float32>[batch, steps, features]`; see `records.spec`.

    Raises:
        ValueError: An unknown cell or pooling, or another kind of input.
    """
    if values["cell"] not in CELLS:
        raise ValueError(f"`recurrent/cell` must be one of {', '.join(CELLS)}. Received: {values['cell']!r}.")
    front = sequences.front(spec, values["width"], MOST_STEPS, values["dropout_rate"])
    x, real = front.x, ops.cast(ops.squeeze(front.mask, axis=-1), "bool")
    for _ in range(values["num_layers"]):
        layer = CELLS[values["cell"]](values["width"], return_sequences=True)
        if values["bidirectional"]:
            layer = keras.layers.Bidirectional(layer)
        # behind the end the last state is repeated
        x = ops.multiply(layer(x, mask=real), front.mask)
    x = sequences.pool(x, front.mask, values["pooling"])
    return keras.Model(
        front.inputs, heads.build(task, spec, x, values["dropout_rate"], inputs=front.inputs), name="recurrent"
    )


RECURRENT = Space(name="recurrent", choices=choices, build=build, recipe=recipes.recipe, input_kinds=sequences.KINDS)
