"""Augmented batches: a function of seed, pass and place alone; and what cannot be done is refused."""

import dataclasses
from itertools import islice
from typing import Any

import numpy as np
import pytest

from pipelines.augmenting.batch import augmented, augments
from pipelines.batches import TrainingData, training_batches
from pipelines.metrics import Truth
from records.trial import Recipe
from tests.search_spaces.specs import SPECS, inputs_for

COUNT = 40
CHANGES: dict[str, dict[str, float]] = {
    "image": {"flip": True, "crop_fraction": 0.1, "rand_augment": 0.5, "mixup_alpha": 0.4, "cutmix_alpha": 1.0},
    "text": {"token_dropout": 0.3},
    "series": {"jitter": 0.1, "scaling": 0.1, "window_warp": 0.3},
}


def data_of(kind: str) -> TrainingData:
    spec = SPECS[kind]
    classes = np.repeat(np.arange(5), (20, 10, 5, 3, 2))
    rows = np.arange(COUNT)
    return TrainingData(
        inputs=inputs_for(spec, COUNT),
        truth=Truth(targets=classes),
        spec=spec,
        train_rows=rows,
        validation_rows=rows[:0],
    )


@pytest.mark.parametrize("kind", CHANGES)
def test_batches_begin_in_the_middle_as_without_a_break(kind: str) -> None:
    data = data_of(kind)
    before = data.inputs.copy()
    recipe = Recipe(batch_size=7, seed=4, balance=0.5, **CHANGES[kind])  # type: ignore[arg-type]
    assert augments(recipe)
    whole = list(islice(training_batches(data, recipe), 15))  # a pass has 6
    for start in (0, 3, 8):
        for one, other in zip(training_batches(data, recipe, start), whole[start:], strict=False):
            for ours, theirs in zip(one, other, strict=True):
                np.testing.assert_array_equal(ours, theirs)
    plain = list(islice(training_batches(data, dataclasses.replace(Recipe(), batch_size=7, seed=4, balance=0.5)), 15))
    for (inputs, targets), (old, answers) in zip(whole, plain, strict=True):
        assert inputs.dtype == old.dtype and inputs.shape == old.shape and targets.dtype == answers.dtype
        np.testing.assert_allclose(targets.sum(axis=1), 1.0, atol=1e-5)
    assert any(not np.array_equal(a[0], b[0]) for a, b in zip(whole, plain, strict=True))
    np.testing.assert_array_equal(data.inputs, before)


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("table", {"flip": True}, "need images"),
        ("series", {"mixup_alpha": 0.2}, "need images"),
        ("series", {"token_dropout": 0.1}, "need tokens"),
        ("table", {"jitter": 0.1}, "need series"),
        ("forecast", {"window_warp": 0.1}, "need series"),
    ],
)
def test_what_does_not_fit_the_inputs_is_refused(kind: str, change: dict[str, Any], message: str) -> None:
    inputs = inputs_for(SPECS[kind], 3)
    with pytest.raises(ValueError, match=rf"{message}\. Received: inputs of float32 in the shape \(3, "):
        augmented(inputs, np.eye(3, dtype=np.float32), Recipe(**change), SPECS[kind], np.random.default_rng(0))


def test_maps_of_features_have_no_tones() -> None:
    maps = np.zeros((3, 4, 4, 8), np.float16)
    with pytest.raises(ValueError, match="need images of 8 bits"):
        augmented(maps, np.eye(3), Recipe(rand_augment=0.5), SPECS["image"], np.random.default_rng(0))
    mixed, _ = augmented(maps, np.eye(3), Recipe(mixup_alpha=0.5), SPECS["image"], np.random.default_rng(0))
    assert mixed.dtype == np.float16


def test_a_recipe_without_changes_makes_none() -> None:
    assert not augments(Recipe(label_smoothing=0.1, balance=0.5))
