"""Recurrent networks: they read a sequence step by step (LSTM: Hochreiter 1997; GRU: Cho 2014)."""

from __future__ import annotations

from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes, sequences
from search_spaces.sequence_blocks import CELLS, convolve, recur
from search_spaces.space import Space

MOST_STEPS = 128
"""A step waits for the one before it, so each costs time that no core can share."""
KERNEL, STRIDE = 5, 2
"""Of each convolution before the recurrence."""


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    text = spec.kind is InputKind.TEXT
    return {
        # a GRU has three quarters of an LSTM's weights and is rarely worse (Chung 2014)
        "cell": hp.Choice("recurrent/cell", ["gru", "lstm"], default="gru"),
        # 16 is enough for a few channels; 128 takes two cores a second for a batch of long texts
        "width": hp.Int("recurrent/width", 16, 128, step=2, sampling="log", default=64),
        "num_layers": hp.Int("recurrent/num_layers", 1, 3, default=1),
        # a class may be told by what comes later (Schuster 1997); a forecast reads forwards alone
        "bidirectional": hp.Boolean("recurrent/bidirectional", default=spec.kind is not InputKind.FORECAST),
        # both are for stacks: a short cut for the gradient (Wu 2016), inputs of one size for each layer (Ba 2016)
        "residual": hp.Boolean("recurrent/residual", default=False),
        "layer_norm": hp.Boolean("recurrent/layer_norm", default=False),
        # each halves the steps, so that a series of 512 is read whole in 128; no use for a sentence of a few words
        "num_convolutions": hp.Int("recurrent/num_convolutions", 0, 2, default=0),
        # the last state must hold everything; a maximum finds one telling step (Conneau 2017)
        "pooling": hp.Choice(
            "recurrent/pooling",
            list(sequences.POOLINGS),
            default="last" if spec.kind is InputKind.FORECAST else "mean_max",
        ),
        "dropout_rate": hp.Float("recurrent/dropout_rate", 0.0, 0.6, default=0.4 if text else 0.2),
        # drops a channel from a whole sequence, so that no other step can tell what is missing (Gal 2016)
        "input_dropout_rate": hp.Float("recurrent/input_dropout_rate", 0.0, 0.5, default=0.0),
        **recipes.choices(
            hp,
            "recurrent",
            smoothing=bool(spec.labels),
            learning_rate=(3e-4, 1e-2, 2e-3),
            **sequences.effort(spec),
            optimizers=("adamw",),
            spec=spec,
        ),
    }


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """Where asked for, convolutions that halve the steps; one to three recurrent layers over the real steps; pooling.
    Uncompiled.

    Takes tokens `<int32>[batch, steps]`, or `<float32>[batch, steps, features]`; see `records.spec`.

    Raises:
        ValueError: An unknown cell or pooling, or another kind of input.
    """
    if values["cell"] not in CELLS:
        raise ValueError(f"`recurrent/cell` must be one of {', '.join(CELLS)}. Received: {values['cell']!r}.")
    most_steps = MOST_STEPS * STRIDE ** values["num_convolutions"]
    front = sequences.front(spec, values["width"], most_steps, values["dropout_rate"])
    x, mask = front.x, front.mask
    for _ in range(values["num_convolutions"]):
        x, mask = convolve(x, mask, values["width"], KERNEL, STRIDE, "layer")
    x = recur(
        x,
        mask,
        cell=values["cell"],
        width=values["width"],
        num_layers=values["num_layers"],
        bidirectional=values["bidirectional"],
        layer_norm=values["layer_norm"],
        residual=values["residual"],
        input_dropout_rate=values["input_dropout_rate"],
    )
    x = sequences.pool(x, mask, values["pooling"])
    return keras.Model(
        front.inputs, heads.build(task, spec, x, values["dropout_rate"], inputs=front.inputs), name="recurrent"
    )


RECURRENT = Space(name="recurrent", choices=choices, build=build, recipe=recipes.recipe, input_kinds=sequences.KINDS)
