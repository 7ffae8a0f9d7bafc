"""The hyperparameters of training, shared by the spaces; each gives its own ranges under its own names."""

from __future__ import annotations

from typing import Any

from records.spec import DataSpec, InputKind
from records.trial import Recipe

IMBALANCE = 3.0
"""How many times as large as the smallest class the largest must be, for balanced draws to be worth a trial."""
RATE_FACTORS = {"adamw": 1.0, "sgd": 10.0, "lion": 1 / 3, "muon": 1.0}
"""Peak of each optimizer where AdamW's is 1. SGD's steps are gradients, which are small. Lion's have the size 1 in
every weight, and so want a rate 3 to 10 times smaller (Chen 2023, section 5); short trainings the largest of these: in
285 steps on digits a fifth reached 0.932, AdamW 0.962. Keras' Muon scales its steps to the size of AdamW's (Liu 2025,
section 2.2)."""
SERIES_CHANGES: dict[str, dict[str, Any]] = {
    "none": {},
    # the amounts of Um (2017); they leave a shape as it is
    "noise": {"jitter": 0.05, "scaling": 0.1},
    # and of Le Guennec (2016): what counts may come faster or slower
    "warp": {"scaling": 0.1, "window_warp": 0.1},
}
"""What may be done to a series, by the value of `series_changes`."""
MIXING: dict[str, dict[str, Any]] = {
    "none": {},
    # 0.2 for photographs and short trainings (Zhang 2018, section 3.1); 1 wants hundreds of passes
    "mixup": {"mixup_alpha": 0.2},
    # Yun 2019, section 4.1
    "cutmix": {"cutmix_alpha": 1.0},
}
"""How images are mixed, by the value of `mixing`."""
EMA_DECAY = 0.998
"""An average over the last 500 steps; over a tenth of them where there were fewer."""
ONE_CYCLE_WARMUP = 0.3
"""Of all steps; fast.ai's form of Smith (2018)."""
_OWN_FIELDS = ("schedule", "clip_norm", "balance", "rand_augment", "token_dropout")
"""Of the recipe, that are declared under their own names."""


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
    spec: DataSpec | None = None,
    cached: bool = False,
    sparse: bool = False,
) -> dict[str, Any]:
    """Declares how to train and reads the values.

    Args:
        hp: KerasTuner's `HyperParameters`, or a `Replay`.
        family: First part of the names, "cnn" for instance.
        learning_rate: Lowest, highest and default peak of AdamW; the other optimizers' are `RATE_FACTORS` of that.
        max_epochs: Upper bound; not searched, since the time decides.
        augment: Whether flips and shifts are offered, which need raw images or maps of their features; nothing where
            `spec` is of other data.
        smoothing: Whether smoothed labels are offered, which need classes; nothing where `spec` has none.
        batch_sizes: The sizes to choose from; the first is the default.
        optimizers: The optimizers to choose from; the first is the default. "lion" is for large batches. "muon" is for
            networks whose weights are mostly matrices: dense layers, gates of recurrent ones. Convolutions it would
            train as AdamW does.
        patience: Epochs without a better score; `None`: the whole schedule is run, which pays where it is short.
        spec: Of the data. With it, what suits such data is offered as well; `None`: nothing beyond the arguments above.
        cached: Whether the network is trained on features that were computed once, which cannot be augmented any more
            as raw inputs can.
        sparse: Whether a decay to exactly 0 is offered, which suits linear heads on thousands of features.
    """
    low, high, default = learning_rate
    augment = augment and (spec is None or spec.kind is InputKind.IMAGE)
    smoothing = smoothing and (spec is None or bool(spec.labels))
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
    if sparse:
        # AdamW moves a weight by at most about its rate in a step: a hundredth and a tenth of that pull it back
        values["l1_decay"] = hp.Choice(f"{family}/l1_decay", [0.0, 0.01, 0.1], default=0.0)
    if spec is not None:
        # a head on computed features settles in any case
        values |= {} if cached else _course(hp, family)
        values |= balance(hp, family, spec) | _changes(hp, family, spec, augment, cached)
    return values


def image_choices(hp: Any, family: str, spec: DataSpec) -> dict[str, Any]:
    """`choices` for a convolutional network of one's own on raw images, whatever its blocks."""
    return choices(hp, family, learning_rate=(3e-4, 1e-2, 2e-3), max_epochs=40, augment=True, patience=10, spec=spec)


def _course(hp: Any, family: str) -> dict[str, Any]:
    """How the rate and the weights move."""
    return {
        # a long rise forgives a peak that is too high at first (Smith 2018)
        "schedule": hp.Choice(f"{family}/schedule", ["cosine", "one_cycle"], default="cosine"),
        # what the last steps jump around is often better than any of them (Izmailov 2018, Morales-Brotons 2024)
        "ema": hp.Boolean(f"{family}/ema", default=False),
    }


def balance(hp: Any, family: str, spec: DataSpec) -> dict[str, Any]:
    """Whether rare classes are shown more often; offered where classes differ much in size, and of use nowhere else.

    >>> balance(None, "cnn", DataSpec(kind=InputKind.IMAGE, input_shape=(8, 8, 1), dtype="uint8", label_counts=(7, 6)))
    {}
    """
    seen = [count for count in spec.label_counts if count]
    if not seen or max(seen) < IMBALANCE * min(seen):
        return {}
    # off, half way (Mahajan 2018), and all classes alike: right where each class counts the same, and wrong where
    # each example does
    return {"balance": hp.Choice(f"{family}/balance", [0.0, 0.5, 1.0], default=0.0)}


def _changes(hp: Any, family: str, spec: DataSpec, augment: bool, cached: bool) -> dict[str, Any]:
    """What may be done to the inputs, by their kind. Rows and windows are left alone: half a category is none, and a
    window that was distorted has another future."""
    values: dict[str, Any] = {}
    if augment:
        values["mixing"] = hp.Choice(f"{family}/mixing", list(MIXING), default="none")
        if not cached:
            # small networks and short trainings want little (Cubuk 2020, figure 1)
            values["rand_augment"] = hp.Choice(f"{family}/rand_augment", [0.0, 0.3, 0.6], default=0.0)
    if spec.kind is InputKind.TEXT and not cached:
        # 0.3 was best for averages of word vectors (Iyyer 2015, figure 5); in short sentences each word counts
        values["token_dropout"] = hp.Choice(f"{family}/token_dropout", [0.0, 0.1, 0.2], default=0.0)
    if spec.kind is InputKind.SERIES and not cached:
        values["series_changes"] = hp.Choice(f"{family}/series_changes", list(SERIES_CHANGES), default="none")
    if spec.kind in (InputKind.TEXT, InputKind.SERIES, InputKind.FORECAST) and not cached:
        # a step through many steps may have a gradient that is far too large (Pascanu 2013)
        values["clip_norm"] = hp.Choice(f"{family}/clip_norm", [0.0, 1.0], default=0.0)
    return values


def recipe(values: dict[str, Any]) -> Recipe:
    """The recipe that `values` of `choices` describe; what was not offered is off."""
    factor = RATE_FACTORS[values["optimizer"]]
    one_cycle = values.get("schedule") == "one_cycle"
    return Recipe(
        optimizer=values["optimizer"],
        learning_rate=values["learning_rate"] * factor,
        # the rate times the decay is what a weight loses in each step: equal for all of them
        weight_decay=values["weight_decay"] / factor,
        l1_decay=values.get("l1_decay", 0.0) / factor,
        batch_size=values["batch_size"],
        max_epochs=values["max_epochs"],
        patience=values["patience"],
        label_smoothing=values["label_smoothing"],
        flip=values["flip"],
        crop_fraction=values["crop_fraction"],
        warmup_fraction=ONE_CYCLE_WARMUP if one_cycle else Recipe().warmup_fraction,
        ema_decay=EMA_DECAY if values.get("ema") else 0.0,
        **{name: values[name] for name in _OWN_FIELDS if name in values},
        **MIXING[values.get("mixing", "none")],
        **SERIES_CHANGES[values.get("series_changes", "none")],
    )
