"""Random convolutions and a linear head: hard to beat on small archives of series, and trained in seconds."""

from __future__ import annotations

import math
from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.task import Task
from search_spaces import heads, recipes
from search_spaces.rocket import kernels
from search_spaces.rocket.encoder import build_encoder, patch_size
from search_spaces.space import Space

NAME = "rocket"
SEED = 0
"""Of the kernels; part of the encoder's key. Another one changes what is drawn, not what can be expected of it."""
VERSION = 1
"""Of the features; another number computes cached ones anew."""
MOST_EXAMPLES = 200_000
"""That a training sees, repeated ones included: 3000 batches of 64, after which a linear head has settled."""
DRAW = {"rocket": kernels.rocket, "minirocket": kernels.minirocket}


def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
    """Declares the hyperparameters and reads their values. Builds nothing."""
    max_epochs = min(200, max(20, round(MOST_EXAMPLES / max(1, spec.num_train))))
    return {
        # ROCKET's kernels need no data; MiniRocket's biases do, and are guessed here (decision 31)
        "variant": hp.Choice("rocket/variant", list(DRAW), default="rocket"),
        # the papers' 10,000 were worth no example more in cross-validation, and take two and a half times as long
        "num_features": hp.Choice("rocket/num_features", [1000, 2000, 4000, 10000], default=4000),
        "seed": SEED,
        "steps": spec.input_shape[0],
        "channels": spec.input_shape[1] - 1,
        "dropout_rate": hp.Float("rocket/dropout_rate", 0.0, 0.8, default=0.5),
        **recipes.choices(
            hp,
            NAME,
            smoothing=bool(spec.labels),
            learning_rate=(1e-3, 3e-2, 1e-2),
            max_epochs=max_epochs,
            patience=max(10, max_epochs // 4),
            batch_sizes=(64, 32, 128),
            optimizers=("adamw",),
            spec=spec,
            cached=True,
        ),
    }


def encoder(values: dict[str, Any], spec: DataSpec) -> keras.Model:
    """From series to features; see `search_spaces.rocket.encoder`.

    Raises:
        ValueError: An unknown variant.
    """
    if values["variant"] not in DRAW:
        raise ValueError(f"`rocket/variant` must be one of {', '.join(DRAW)}. Received: {values['variant']!r}.")
    steps = -(-values["steps"] // patch_size(spec))
    banks = DRAW[values["variant"]](values["num_features"], steps, values["channels"], values["seed"])
    return build_encoder(banks, spec)


def encoder_key(values: dict[str, Any]) -> str:
    """Names the kernels; with the size of a series, since the time that they take grows with it."""
    name = f"{values['variant']}-{values['num_features']}-seed{values['seed']}-v{VERSION}"
    return f"{name}@{values['steps']}x{values['channels']}"


def build(values: dict[str, Any], spec: DataSpec, task: Task) -> keras.Model:
    """A linear head on `<float32>[batch, features]`, which starts at 0. Uncompiled.

    The papers fit a ridge classifier to standardised features. Here weight decay, dropout and an early end stand in
    for its penalty, in the one training loop.
    """
    inputs = keras.Input(spec.input_shape, dtype="float32", name="features")
    # shares of positive answers vary little and around different means: without it the step sizes fit none of them
    x = keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False, name="feature_norm")(inputs)
    # an answer is a sum over thousands: with features of length 1 a step changes it by as much however many there are
    x = keras.layers.Rescaling(1 / math.sqrt(spec.input_shape[0]), name="feature_scale")(x)
    return keras.Model(inputs, heads.build(task, spec, x, values["dropout_rate"], zero_weights=True), name="head")


ROCKET = Space(
    name=NAME,
    choices=choices,
    build=build,
    recipe=recipes.recipe,
    encoder=encoder,
    encoder_key=encoder_key,
    input_kinds=frozenset({InputKind.SERIES}),
)
