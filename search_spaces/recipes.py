"""The hyperparameters of training, shared by the spaces; each gives its own ranges under its own names."""

from __future__ import annotations

from typing import Any

from records.trial import Recipe


def choices(
    hp: Any,
    family: str,
    *,
    learning_rate: tuple[float, float, float],
    max_epochs: int,
    augment: bool = False,
    smoothing: bool = True,
    batch_sizes: tuple[int, ...] = (32, 64, 128),
    optimizers: tuple[str, ...] = ("adamw", "sgd"),
    patience: int | None = None,
) -> dict[str, Any]:
    """Declares how to train and reads the values.

    Args:
        hp: KerasTuner's `HyperParameters`, or a `Replay`.
        family: First part of the names, "cnn" for instance.
        learning_rate: Lowest, highest and default peak of AdamW; SGD's is ten times that.
        max_epochs: Upper bound; not searched, since the time decides.
        augment: Whether flips and shifts are offered, which need raw images.
        smoothing: Whether smoothed labels are offered, which need classes.
        batch_sizes: The sizes to choose from; the first is the default.
        optimizers: The optimizers to choose from; the first is the default.
        patience: Epochs without a better score; `None`: the whole schedule is run, which pays where it is short.
    """
    low, high, default = learning_rate
    values = {
        # AdamW forgives a wrong rate; SGD with momentum often generalises better on images (Wilson 2017)
        "optimizer": hp.Choice(f"{family}/optimizer", list(optimizers), default=optimizers[0]),
        "learning_rate": hp.Float(f"{family}/learning_rate", low, high, sampling="log", default=default),
        # 0.5 is strong for a few hundred steps, 1e-4 is next to none
        "weight_decay": hp.Float(f"{family}/weight_decay", 1e-4, 0.5, sampling="log", default=1e-2),
        "batch_size": hp.Choice(f"{family}/batch_size", list(batch_sizes), default=batch_sizes[0]),
        "label_smoothing": 0.0,
        "max_epochs": max_epochs,
        "patience": max_epochs if patience is None else patience,
        "flip": False,
        "crop_fraction": 0.0,
    }
    if smoothing:
        # 0.1 is the usual amount (Szegedy 2016); more costs log-loss
        values["label_smoothing"] = hp.Choice(f"{family}/label_smoothing", [0.0, 0.05, 0.1], default=0.05)
    if augment:
        # digits and signs must not be mirrored, photographs may be: so it is searched
        values["flip"] = hp.Boolean(f"{family}/flip", default=False)
        # 0.125 is the 4 of 32 pixels of He 2016
        values["crop_fraction"] = hp.Choice(f"{family}/crop_fraction", [0.0, 0.0625, 0.125], default=0.0625)
    return values


def recipe(values: dict[str, Any]) -> Recipe:
    """The recipe that `values` of `choices` describe."""
    sgd = values["optimizer"] == "sgd"
    return Recipe(
        optimizer=values["optimizer"],
        learning_rate=values["learning_rate"] * (10.0 if sgd else 1.0),
        weight_decay=values["weight_decay"] * (0.1 if sgd else 1.0),
        batch_size=values["batch_size"],
        max_epochs=values["max_epochs"],
        patience=values["patience"],
        label_smoothing=values["label_smoothing"],
        flip=values["flip"],
        crop_fraction=values["crop_fraction"],
    )
