"""The hyperparameters of training: what is offered for which data, and what they become."""

import dataclasses
from typing import Any

import keras_tuner
import pytest

from records.data import DataSpec
from records.trial import Recipe
from search_spaces import recipes
from search_spaces.space import Replay
from tests.search_spaces.specs import SPECS

USUAL = {"optimizer", "learning_rate", "weight_decay", "batch_size", "label_smoothing"}
COURSE = {"schedule", "ema"}


def offered(**how: Any) -> set[str]:
    hp = keras_tuner.HyperParameters()
    recipes.choices(hp, "own", learning_rate=(1e-4, 1e-2, 1e-3), max_epochs=9, **how)
    assert all(parameter.name.startswith("own/") for parameter in hp.space)
    return {parameter.name.removeprefix("own/") for parameter in hp.space}


def even(kind: str) -> DataSpec:
    return dataclasses.replace(SPECS[kind], label_counts=(29, 10, 12, 11, 20))


@pytest.mark.parametrize(
    ("kind", "how", "names"),
    [
        ("image", {"augment": True}, COURSE | {"flip", "crop_fraction", "mixing", "rand_augment"}),
        ("image", {"augment": True, "cached": True}, {"flip", "crop_fraction", "mixing"}),
        ("image", {}, COURSE),
        ("text", {"augment": True}, COURSE | {"token_dropout", "clip_norm"}),
        ("text", {"cached": True, "sparse": True}, {"l1_decay"}),
        ("series", {}, COURSE | {"series_changes", "clip_norm"}),
        ("table", {}, COURSE),
    ],
)
def test_what_suits_the_data_is_offered(kind: str, how: dict[str, Any], names: set[str]) -> None:
    assert offered(spec=even(kind), **how) == USUAL | names
    assert offered(spec=SPECS[kind], **how) == USUAL | names | {"balance"}  # 7 examples of one class, 1 of another


def test_without_a_spec_nothing_new_is_offered() -> None:
    assert offered() == USUAL
    assert offered(spec=SPECS["regression"], augment=True) == USUAL - {"label_smoothing"} | COURSE
    assert offered(augment=True, smoothing=False) == USUAL - {"label_smoothing"} | {"flip", "crop_fraction"}


def test_the_defaults_train_as_before() -> None:
    replay = Replay({})
    values = recipes.choices(
        replay, "own", learning_rate=(1e-4, 1e-2, 1e-3), max_epochs=9, augment=True, spec=SPECS["image"]
    )
    assert recipes.recipe(values) == Recipe(
        weight_decay=1e-2, max_epochs=9, patience=9, label_smoothing=0.05, crop_fraction=0.0625
    )


@pytest.mark.parametrize("kind", ["image", "text", "series", "forecast"])
def test_every_choice_becomes_a_recipe(kind: str) -> None:
    hp = keras_tuner.HyperParameters()
    how: dict[str, Any] = {
        "learning_rate": (1e-4, 1e-2, 1e-3),
        "max_epochs": 9,
        "augment": True,
        "sparse": True,
        "optimizers": tuple(recipes.RATE_FACTORS),
        "spec": SPECS[kind],
    }
    usual = recipes.recipe(recipes.choices(hp, "own", **how))
    for parameter in hp.space:
        for value in getattr(parameter, "values", []):
            found = recipes.recipe(recipes.choices(Replay({parameter.name: value}), "own", **how))
            assert (found == usual) == (value == parameter.default), parameter.name


def test_a_step_takes_as_much_from_a_weight_whichever_the_optimizer() -> None:
    how: dict[str, Any] = {"learning_rate": (1e-4, 1e-2, 1e-3), "max_epochs": 9, "sparse": True}
    for name, factor in recipes.RATE_FACTORS.items():
        values = recipes.choices(
            Replay({"own/optimizer": name, "own/l1_decay": 0.1}), "own", optimizers=tuple(recipes.RATE_FACTORS), **how
        )
        made = recipes.recipe(values)
        assert made.learning_rate == pytest.approx(1e-3 * factor)
        assert made.learning_rate * made.weight_decay == pytest.approx(1e-3 * 1e-2)
        assert made.learning_rate * made.l1_decay == pytest.approx(1e-3 * 0.1)


def test_values_of_a_space_that_knows_none_of_this_are_read() -> None:
    values = {
        "optimizer": "sgd",
        "learning_rate": 1e-3,
        "weight_decay": 1e-2,
        "batch_size": 8,
        "max_epochs": 3,
        "patience": 3,
        "label_smoothing": 0.0,
        "flip": False,
        "crop_fraction": 0.0,
    }
    found = recipes.recipe(values)
    assert found.learning_rate == pytest.approx(1e-2) and found.schedule == "cosine" and not found.ema_decay
