"""Transformers of one's own: every step looks at every other (Vaswani 2017), in any generation of the block."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes, sequences
from search_spaces.attention import presets
from search_spaces.attention.block import encode
from search_spaces.attention.feed_forward import gelu as gelu  # its name here is older than the package
from search_spaces.space import Space

MOST_STEPS = 256
"""Attention costs the square of the steps."""


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    text = spec.kind is InputKind.TEXT
    return {
        # without pretraining, width adds overfitting sooner than it adds skill
        "width": hp.Choice("transformer/width", [32, 64, 128], default=64),
        "num_blocks": hp.Int("transformer/num_blocks", 1, 4, default=2),
        "num_heads": hp.Choice("transformer/num_heads", [2, 4, 8], default=4),
        **presets.choices(hp, "transformer", "xiong_2020", positions="sinusoidal", causal=True),
        # 4 in most papers; half of it is as good for the few examples of one's own
        "expansion_ratio": hp.Choice("transformer/expansion_ratio", [2, 4], default=2),
        "pooling": hp.Choice("transformer/pooling", list(sequences.POOLINGS), default="mean_max"),
        "dropout_rate": hp.Float("transformer/dropout_rate", 0.0, 0.5, default=0.3 if text else 0.1),
        # for deep networks; of few blocks it takes much away
        "stochastic_depth_rate": hp.Choice("transformer/stochastic_depth_rate", [0.0, 0.1, 0.2], default=0.0),
        **recipes.choices(
            hp,
            "transformer",
            spec=spec,
            smoothing=bool(spec.labels),
            learning_rate=(1e-4, 5e-3, 1e-3),
            **sequences.effort(spec),
            optimizers=("adamw",),
        ),
    }


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """Blocks of attention and a feed-forward layer, then pooling. Uncompiled.

    Takes tokens `<int32>[batch, steps]`, or `<float32>[batch, steps, features]`; see `records.spec`.

    Raises:
        ValueError: An unknown choice, or another kind of input.
    """
    front = sequences.front(spec, values["width"], MOST_STEPS)
    most = spec.input_shape[0] if spec.kind is InputKind.TEXT else min(MOST_STEPS, spec.input_shape[0])
    x = encode(front.x, presets.block_of(values), values["num_blocks"], most_steps=most, mask=front.mask)
    x = sequences.pool(ops.multiply(x, front.mask), front.mask, values["pooling"])
    return keras.Model(
        front.inputs, heads.build(task, spec, x, values["dropout_rate"], inputs=front.inputs), name="transformer"
    )


TRANSFORMER = Space(
    name="transformer", choices=choices, build=build, recipe=recipes.recipe, input_kinds=sequences.KINDS
)
