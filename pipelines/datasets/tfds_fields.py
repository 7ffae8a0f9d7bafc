"""Which features of a TFDS dataset are the input and its class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from records.config import RunConfig
from records.data import InputKind, Understood
from records.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """Names of the features that are used."""

    kind: InputKind
    """IMAGE or TEXT."""
    raw: str
    label: str
    names: tuple[str, ...]
    """Of the classes."""
    understood: tuple[Understood, ...] = ()


def find_fields(info: Any, asked: str, config: RunConfig) -> Fields:
    """The dataset's own pair of input and class, else its only ones, or what the request names.

    Args:
        info: A dataset's `DatasetInfo`.
        asked: Its name, for errors.
        config: `kind`, `text` and `target` say otherwise.

    Raises:
        ConfigError: The request names a feature that is not there.
        DataError: There are neither images nor texts, or no class, or the images hold no colours.
    """
    import tensorflow_datasets as tfds

    features = dict(info.features) if isinstance(info.features, tfds.features.FeaturesDict) else {}
    kinds = {InputKind.IMAGE: tfds.features.Image, InputKind.TEXT: tfds.features.Text}
    inputs = {kind: [key for key, one in features.items() if isinstance(one, cls)] for kind, cls in kinds.items()}
    classes = [key for key, one in features.items() if isinstance(one, tfds.features.ClassLabel)]
    pair = tuple(info.supervised_keys or ())
    own: tuple[Any, Any] = (pair[0], pair[1]) if len(pair) == 2 else (None, None)
    wanted = [InputKind(config.kind)] if config.kind else [InputKind.IMAGE, InputKind.TEXT]
    found = [(kind, _input(inputs.get(kind, []), kind, own[0], config)) for kind in wanted]
    kind, raw = next(((kind, key) for kind, key in found if key is not None), (InputKind.IMAGE, None))
    if raw is None or not classes:
        listed = ", ".join(f"{key}: {type(value).__name__}" for key, value in sorted(features.items()))
        raise DataError(
            f"tfds:{asked} has no image and no text with a class. Expected an Image or a Text, and a ClassLabel. "
            f"Received: {listed or 'none'}."
        )
    if kind is InputKind.IMAGE:
        _check_colours(features[raw], asked)
    label, understood = _label({key: features[key].num_classes for key in classes}, own[1], asked, config)
    return Fields(kind=kind, raw=raw, label=label, names=tuple(features[label].names), understood=understood)


def _input(keys: Sequence[str], kind: InputKind, own: Any, config: RunConfig) -> str | None:
    if kind is InputKind.TEXT and config.text is not None:
        if config.text not in keys:
            raise ConfigError(f"There is no text {config.text!r}. Known: {', '.join(keys) or 'none'}.")
        return config.text
    usual = [key for key in (own, str(kind)) if key in keys]
    return usual[0] if usual else keys[0] if len(keys) == 1 else None


def _label(classes: dict[str, int], own: Any, asked: str, config: RunConfig) -> tuple[str, tuple[Understood, ...]]:
    """The class to predict: of several, the one with the fewest values."""
    if config.target is not None:
        if config.target not in classes:
            raise ConfigError(f"tfds:{asked} has no class {config.target!r}. Known: {', '.join(classes)}.")
        return config.target, ()
    usual = [key for key in (own, "label") if key in classes]
    if usual or len(classes) == 1:
        return (usual or list(classes))[0], ()
    label = min(classes, key=lambda key: (classes[key], key))
    told = ", ".join(f"{key} with {number} values" for key, number in sorted(classes.items()))
    what = f"Of the classes of tfds:{asked} ({told}), {label} is predicted."
    return label, (Understood(what=what, override="--target"),)


def _check_colours(image: Any, asked: str) -> None:
    dtype = str(np.dtype(image.np_dtype))
    if dtype != "uint8":
        raise DataError(
            f"The images of tfds:{asked} have other values than colours. Expected uint8. "
            f"Received: {dtype}. Convert them in a function of your own and use --source."
        )
