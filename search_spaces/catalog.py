"""The table of search spaces, and how a run's spaces are chosen from it."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from records.config import RunConfig
from records.data import DataSpec, InputKind
from records.errors import ConfigError
from search_spaces import recipes
from search_spaces.backbones import BACKBONES, available, get_backbone
from search_spaces.cnn import CNN
from search_spaces.convolution1d import CONVOLUTION1D
from search_spaces.convolution_recurrent import CONVOLUTION_RECURRENT
from search_spaces.convolutional.convnext import CONVNEXT
from search_spaces.convolutional.mobilenet import MOBILENET
from search_spaces.convolutional.residual import RESIDUAL
from search_spaces.finetuned_backbone import finetuned_backbone
from search_spaces.finetuned_text import FINETUNED_TEXT
from search_spaces.floor import FLOOR
from search_spaces.forecasting.climate import CLIMATE_FORECAST
from search_spaces.forecasting.dense import DENSE_FORECAST
from search_spaces.frozen_backbone import frozen_backbone
from search_spaces.frozen_text import FROZEN_TEXT
from search_spaces.linear_forecast import LINEAR_FORECAST
from search_spaces.ngrams.beside_text import NGRAMS_BESIDE_TEXT
from search_spaces.ngrams.space import NGRAMS
from search_spaces.patch_forecast import PATCH_FORECAST
from search_spaces.pretrained import BackboneUnavailable
from search_spaces.recurrent import RECURRENT
from search_spaces.rocket.space import ROCKET
from search_spaces.space import Space
from search_spaces.tabular import MLP
from search_spaces.tabular_text import MLP_WITH_TEXT
from search_spaces.text_backbones import text_backbone_available
from search_spaces.transformer import TRANSFORMER
from search_spaces.vision_transformer import VISION_TRANSFORMER

BACKBONE_SPACES: dict[str, Callable[[tuple[str, ...]], Space]] = {
    "frozen_backbone": frozen_backbone,
    "finetuned_backbone": finetuned_backbone,
}
"""Spaces over pretrained backbones: made for those whose weights can be had."""
SPACES: dict[str, Space] = {
    space.name: space
    for space in (
        FLOOR,
        *(make(tuple(BACKBONES)) for make in BACKBONE_SPACES.values()),
        CNN,
        RESIDUAL,
        MOBILENET,
        CONVNEXT,
        NGRAMS,
        FROZEN_TEXT,
        NGRAMS_BESIDE_TEXT,
        FINETUNED_TEXT,
        MLP,
        MLP_WITH_TEXT,
        LINEAR_FORECAST,
        CLIMATE_FORECAST,
        DENSE_FORECAST,
        ROCKET,
        CONVOLUTION1D,
        CONVOLUTION_RECURRENT,
        RECURRENT,
        TRANSFORMER,
        VISION_TRANSFORMER,
        PATCH_FORECAST,
    )
}


def open_spaces(config: RunConfig, spec: DataSpec) -> tuple[dict[str, Space], list[str]]:
    """The spaces of a run, the floor always among them, and a sentence for each thing that was left out.

    Raises:
        ConfigError: An unknown space or backbone, a space that was asked for and does not fit the data, or a user's
            file that cannot be used.
    """
    usual = (name for name, space in SPACES.items() if not space.on_request and _fits(space, spec))
    names = config.spaces or tuple(usual)
    spaces: dict[str, Space] = {FLOOR.name: FLOOR}
    left_out: list[str] = []
    usable: list[str] = []
    if set(names) & BACKBONE_SPACES.keys():
        usable, left_out = usable_backbones(config)
    if spec.kind is InputKind.TEXT and not config.spaces and (reason := _why_no_text_backbone(spec)):
        left_out.append(reason)
    for name in names:
        if name in BACKBONE_SPACES and usable:
            spaces[name] = BACKBONE_SPACES[name](tuple(usable))
        elif name in BACKBONE_SPACES:
            left_out.append(f"The space {name} was left out: no backbone can be had.")
        else:
            space = check_name(name)
            spaces[space.name] = space
    if unfit := [name for name, space in spaces.items() if not _fits(space, spec)]:
        known = ", ".join(name for name, space in SPACES.items() if _fits(space, spec))
        raise ConfigError(f"The space {unfit[0]} cannot be used for {spec.kind} data like this. Known: {known}.")
    return spaces, left_out


def _fits(space: Space, spec: DataSpec) -> bool:
    return spec.kind in space.input_kinds and space.fits(spec)


def _why_no_text_backbone(spec: DataSpec) -> str | None:
    reason = text_backbone_available()
    if reason is not None:
        return f"{reason} Networks pretrained on text were left out, which are usually the best on few examples."
    if spec.text.tokenizer == "learnt":
        return "The pretrained network was left out: its vocabulary does not fit these texts."
    return None


def check_name(name: str) -> Space:
    """The space called `name`, or a user's own.

    Raises:
        ConfigError: There is none.
    """
    if name in SPACES:
        return SPACES[name]
    if ".py" in name:
        return load_space(name)
    raise ConfigError(f"There is no search space {name!r}. Known: {', '.join(SPACES)}; or file.py:name for your own.")


def usable_backbones(config: RunConfig) -> tuple[list[str], list[str]]:
    """Backbones whose weights can be had, and a sentence for each that cannot.

    Those that were asked for by name are loaded once: only that tells.
    """
    if not config.backbones:
        usable, missing = available()
        return usable, [reason for _, reason in missing]
    usable, reasons = [], []
    for ref in config.backbones:
        backbone = get_backbone(ref)
        try:
            backbone.load(backbone.default_size)
            usable.append(ref)
        except BackboneUnavailable as error:
            reasons.append(str(error))
    return usable, reasons


def load_space(ref: str) -> Space:
    """A user's own space: `file.py`, whose functions `choices` and `build` are meant, or `file.py:name`, an object or
    class with these two. A `recipe(values)` beside them says how to train; without it the usual recipe is searched.

    Raises:
        ConfigError: The file, the name or a function is missing, or the file raises when it is run.
    """
    file, _, attribute = ref.partition(":")
    path = Path(file)
    if not path.is_file():
        raise ConfigError(f"There is no file {file} for the space {ref!r}. Expected file.py:name.")
    module = _run_file(path, ref)
    owner: Any = getattr(module, attribute, None) if attribute else module
    if isinstance(owner, Space):
        return owner
    missing = [name for name in ("choices", "build") if not callable(getattr(owner, name, None))]
    if missing:
        raise ConfigError(
            f"The space {ref!r} has no {' and no '.join(missing)}. Expected choices(hp, spec) -> dict and "
            "build(values, spec, task) -> keras.Model."
        )
    return _own_space(attribute or path.stem, owner)


def _own_space(name: str, owner: Any) -> Space:
    if callable(getattr(owner, "recipe", None)):
        return Space(name=name, choices=owner.choices, build=owner.build, recipe=owner.recipe)

    def choices(hp: Any, spec: DataSpec) -> dict[str, Any]:
        usual = recipes.choices(
            hp,
            name,
            learning_rate=(1e-4, 1e-2, 1e-3),
            max_epochs=40,
            augment=True,
            smoothing=bool(spec.labels),
            patience=10,
            spec=spec,
        )
        return usual | owner.choices(hp, spec)

    return Space(name=name, choices=choices, build=owner.build, recipe=recipes.recipe)


def _run_file(path: Path, ref: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(f"kerasmith_user_{path.stem}", path)
    if found is None or found.loader is None:
        raise ConfigError(f"{path} is not a Python file. Expected file.py:name for the space {ref!r}.")
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except Exception as error:
        line = inspect.trace()[-1].lineno
        raise ConfigError(f"{path} cannot be run: {type(error).__name__}: {error} (line {line}).") from error
    return module
