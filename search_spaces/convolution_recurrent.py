"""Hybrids: convolutions find shapes of a few steps, a recurrent layer or attention relates them.

DeepConvLSTM (Ordonez 2016) puts the one on the other, LSTM-FCN (Karim 2018) side by side; C-LSTM for text (Zhou 2015).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes, sequences
from search_spaces.sequence_blocks import CELLS, NORMS, convolve, recur
from search_spaces.space import Space

NAME = "convolution_recurrent"
MOST_STEPS = 128
"""For the recurrent layer or the attention, after the convolutions' strides."""
MIXERS = ("recurrent", "attention", "both")
ARRANGEMENTS = ("serial", "parallel")


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    text = spec.kind is InputKind.TEXT
    values: dict[str, Any] = {
        "width": hp.Int(f"{NAME}/width", 32, 128, step=2, sampling="log", default=64),
        # Ordonez had four on 24 steps; in a text the first already sees a phrase
        "num_blocks": hp.Int(f"{NAME}/num_blocks", 1, 3, default=1 if text else 2),
        "kernel": hp.Choice(f"{NAME}/kernel", [3, 5, 9], default=3 if text else 5),
        # each block then halves the steps that are read one by one
        "stride": hp.Choice(f"{NAME}/stride", [1, 2], default=1 if text else 2),
        "norm": hp.Choice(f"{NAME}/norm", list(NORMS), default="layer" if text else "batch"),
        "arrangement": hp.Choice(f"{NAME}/arrangement", list(ARRANGEMENTS), default="serial"),
        "mixer": hp.Choice(f"{NAME}/mixer", list(MIXERS), default="recurrent"),
        "cell": "gru",
        "bidirectional": True,
        "num_heads": 4,
        "pooling": hp.Choice(f"{NAME}/pooling", list(sequences.POOLINGS), default="mean_max"),
        "dropout_rate": hp.Float(f"{NAME}/dropout_rate", 0.0, 0.6, default=0.4 if text else 0.3),
    }
    with hp.conditional_scope(f"{NAME}/mixer", ["recurrent", "both"]):
        values["cell"] = hp.Choice(f"{NAME}/cell", ["gru", "lstm"], default="gru")
        values["bidirectional"] = hp.Boolean(f"{NAME}/bidirectional", default=True)
    with hp.conditional_scope(f"{NAME}/mixer", ["attention", "both"]):
        values["num_heads"] = hp.Choice(f"{NAME}/num_heads", [2, 4, 8], default=4)
    return values | recipes.choices(
        hp,
        NAME,
        smoothing=bool(spec.labels),
        learning_rate=(3e-4, 1e-2, 2e-3),
        **sequences.effort(spec),
        optimizers=("adamw",),
        spec=spec,
    )


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """Convolutions, and after or beside them a recurrent layer, attention or one on the other; pooling. Uncompiled.

    Takes tokens `<int32>[batch, steps]`, or series `<float32>[batch, steps, channels + 1]`; see `records.spec`.

    Raises:
        ValueError: An unknown choice, or another kind of input.
    """
    known = {"norm": NORMS, "mixer": MIXERS, "arrangement": ARRANGEMENTS, "cell": tuple(CELLS)}
    for name, names in known.items():
        if values[name] not in names:
            raise ValueError(f"`{NAME}/{name}` must be one of {', '.join(names)}. Received: {values[name]!r}.")
    is_serial = values["arrangement"] == "serial"
    shrink = values["stride"] ** values["num_blocks"] if is_serial else 1
    front = sequences.front(spec, values["width"], MOST_STEPS * shrink, values["dropout_rate"] / 2)
    x, mask = front.x, front.mask
    for _ in range(values["num_blocks"]):
        x, mask = convolve(x, mask, values["width"], values["kernel"], values["stride"], values["norm"])
    if is_serial:
        x = sequences.pool(_mix(x, mask, values), mask, values["pooling"])
    else:
        beside = sequences.pool(_mix(front.x, front.mask, values), front.mask, values["pooling"])
        x = ops.concatenate([sequences.pool(x, mask, "mean_max"), beside], axis=-1)
    return keras.Model(front.inputs, heads.build(task, spec, x, values["dropout_rate"]), name=NAME)


def _mix(x: keras.KerasTensor, mask: keras.KerasTensor, values: dict[str, Any]) -> keras.KerasTensor:
    """`[batch, steps, channels]`, where each step knows of the others."""
    if values["mixer"] != "attention":
        x = recur(
            x, mask, cell=values["cell"], width=values["width"], bidirectional=values["bidirectional"], num_layers=1
        )
    if values["mixer"] == "recurrent":
        return x
    # every step looks at the real ones; which come before it the convolutions or the recurrent layer have noted
    real = ops.cast(ops.transpose(mask, (0, 2, 1)), "bool")
    y = keras.layers.LayerNormalization()(x)
    size = values["width"] // values["num_heads"]
    attention = keras.layers.MultiHeadAttention(values["num_heads"], size, dropout=values["dropout_rate"] / 2)
    return ops.multiply(ops.add(x, attention(y, y, attention_mask=real)), mask)


CONVOLUTION_RECURRENT = Space(
    name=NAME,
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    input_kinds=frozenset({InputKind.TEXT, InputKind.SERIES}),
    on_request=True,
)
