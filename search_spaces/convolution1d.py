"""Convolutions over the steps, several widths side by side, with short cuts around them.

After FCN and ResNet for series (Wang 2017), InceptionTime (Fawaz 2020), and text convolutions (Kim 2014).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes, sequences
from search_spaces.sequence_blocks import NORMS, normalise
from search_spaces.space import Space

MOST_STEPS = 512
KERNELS = {"3": (3,), "5": (5,), "3+5": (3, 5), "3+5+9": (3, 5, 9)}


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    text = spec.kind is InputKind.TEXT
    return {
        "width": hp.Int("convolution1d/width", 32, 128, step=2, sampling="log", default=64),
        "num_blocks": hp.Int("convolution1d/num_blocks", 1, 4, default=1 if text else 3),
        # several at once: nobody knows at which scale the telling shape lives (Szegedy 2015)
        "kernels": hp.Choice("convolution1d/kernels", list(KERNELS), default="3+5+9" if not text else "3+5"),
        # each block sees twice as far as the one before it (van den Oord 2016)
        "dilate": hp.Boolean("convolution1d/dilate", default=not text),
        "norm": hp.Choice("convolution1d/norm", list(NORMS), default="none" if text else "batch"),
        "pooling": hp.Choice("convolution1d/pooling", list(sequences.POOLINGS), default="max" if text else "mean_max"),
        "dropout_rate": hp.Float("convolution1d/dropout_rate", 0.0, 0.6, default=0.5 if text else 0.2),
        **recipes.choices(
            hp,
            "convolution1d",
            smoothing=bool(spec.labels),
            learning_rate=(3e-4, 1e-2, 2e-3),
            **sequences.effort(spec),
            optimizers=("adamw",),
            spec=spec,
        ),
    }


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """Residual blocks of convolutions that keep every step, then pooling. Uncompiled.

    Takes tokens `<int32>[batch, steps]`, or `<float32>[batch, steps, features]`; see `records.spec`.

    Raises:
        ValueError: An unknown choice, or another kind of input.
    """
    for name, known in (("kernels", tuple(KERNELS)), ("norm", NORMS)):
        if values[name] not in known:
            raise ValueError(f"`convolution1d/{name}` must be one of {', '.join(known)}. Received: {values[name]!r}.")
    front = sequences.front(spec, values["width"], MOST_STEPS, values["dropout_rate"] / 2)
    x = front.x
    for i in range(values["num_blocks"]):
        x = _block(x, front.mask, 2**i if values["dilate"] else 1, values)
    x = sequences.pool(x, front.mask, values["pooling"])
    return keras.Model(
        front.inputs, heads.build(task, spec, x, values["dropout_rate"], inputs=front.inputs), name="convolution1d"
    )


def _block(x: keras.KerasTensor, mask: keras.KerasTensor, dilation: int, values: dict[str, Any]) -> keras.KerasTensor:
    kernels, width = KERNELS[values["kernels"]], values["width"]
    parts = [
        # the widths add up to that of the short cut
        keras.layers.Conv1D(
            width // len(kernels) + (i < width % len(kernels)), kernel, padding="same", dilation_rate=dilation
        )(x)
        for i, kernel in enumerate(kernels)
    ]
    y = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    y = ops.relu(normalise(y, mask, values["norm"]))
    y = keras.layers.Conv1D(width, 3, padding="same", dilation_rate=dilation)(ops.multiply(y, mask))
    y = normalise(y, mask, values["norm"])
    # a bias and a norm fill the padding, from where the next convolution would bring it back
    return ops.multiply(ops.relu(ops.add(x, y)), mask)


CONVOLUTION1D = Space(
    name="convolution1d", choices=choices, build=build, recipe=recipes.recipe, input_kinds=sequences.KINDS
)
