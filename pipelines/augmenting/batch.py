"""What is changed in a batch before it is trained on: a pure function of the batch, the recipe and random numbers.

Outside the network, so that what is exported holds no randomness, and in numpy, so that it is the same on every
backend.
"""

from __future__ import annotations

import numpy as np

from pipelines.augmenting.images import mirror, shift
from pipelines.augmenting.mixing import mix
from pipelines.augmenting.rand_augment import rand_augment
from pipelines.augmenting.series import distort
from pipelines.augmenting.texts import drop_tokens
from records.spec import DataSpec, InputKind
from records.trial import Recipe


def augments(recipe: Recipe) -> bool:
    """Whether `augmented` changes anything."""
    return any((*_of_images(recipe), recipe.token_dropout, *_of_series(recipe)))


def augmented(
    inputs: np.ndarray, targets: np.ndarray, recipe: Recipe, spec: DataSpec, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The batch as it is trained on.

    Args:
        inputs: `[batch, ...]`, a copy of the arrays' rows, which may be changed in place.
        targets: `<float32>[batch, ...]` as the loss takes them; examples that are mixed have their answers mixed.
        recipe: Says how much of what.
        spec: Of the data; `inputs` may be features that were computed of it.
        rng: Of this batch alone.

    Raises:
        ValueError: The recipe asks for what cannot be done to such inputs.
    """
    if any(_of_images(recipe)):
        _check(inputs.ndim == 4, "flip, crop_fraction, rand_augment, mixup_alpha and cutmix_alpha", "images", inputs)
        if recipe.flip:
            inputs = mirror(inputs, rng)
        if recipe.crop_fraction:
            inputs = shift(inputs, recipe.crop_fraction, rng)
        if recipe.rand_augment:
            _check(inputs.dtype == np.uint8, "rand_augment", "images of 8 bits", inputs)
            inputs = rand_augment(inputs, recipe.rand_augment, rng)
        if recipe.mixup_alpha or recipe.cutmix_alpha:
            inputs, targets = mix(inputs, targets, recipe.mixup_alpha, recipe.cutmix_alpha, rng)
    if recipe.token_dropout:
        tokens = spec.kind is InputKind.TEXT and inputs.ndim == 2 and np.issubdtype(inputs.dtype, np.integer)
        _check(tokens, "token_dropout", "tokens", inputs)
        inputs = drop_tokens(inputs, recipe.token_dropout, rng)
    if any(_of_series(recipe)):
        series = spec.kind is InputKind.SERIES and inputs.shape[2:] == spec.input_shape[1:]
        _check(series, "jitter, scaling and window_warp", "series", inputs)
        inputs = distort(inputs, recipe.jitter, recipe.scaling, recipe.window_warp, rng)
    return inputs, targets


def _of_images(recipe: Recipe) -> tuple[float, ...]:
    return (recipe.flip, recipe.crop_fraction, recipe.rand_augment, recipe.mixup_alpha, recipe.cutmix_alpha)


def _of_series(recipe: Recipe) -> tuple[float, ...]:
    return (recipe.jitter, recipe.scaling, recipe.window_warp)


def _check(fits: bool, fields: str, wanted: str, inputs: np.ndarray) -> None:
    if not fits:
        raise ValueError(
            f"The recipe's {fields} need {wanted}. Received: inputs of {inputs.dtype} in the shape {inputs.shape}."
        )
