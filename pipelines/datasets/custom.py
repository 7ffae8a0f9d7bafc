"""A user's own source: a function in a file of theirs."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.datasets.splits import ALIASES, split_named
from records.config import RunConfig
from records.data import Example, InputKind, Source
from records.errors import ConfigError, DataError

FIELDS = ("image", "label", "split", "group", "id")
YIELDS = "Expected (image, label), (image, label, split), (image, label, split, group), or a mapping with these names"


def load(config: RunConfig) -> Source:
    """The source that `config.source` names as `file.py:function`.

    The function is called with `config.data` as a `Path` where it takes an argument, and yields `(image, label)`,
    `(image, label, split)`, `(image, label, split, group)`, or mappings with these names and `id`. An image is a path,
    encoded bytes, a uint8 array or a Pillow image.

    Raises:
        ConfigError: The file or the function is missing, or the file cannot be imported.
    """
    where = config.source or ""
    function = import_function(where, "source")
    return Source(
        name=Path(config.data).name or function.__name__,
        kind=InputKind.IMAGE,
        fingerprint=None,
        examples=lambda: _examples(function, where, Path(config.data)),
    )


def import_function(where: str, what: str) -> Callable[..., Any]:
    """The function that `file.py:name` points at.

    Args:
        where: `file.py:name`.
        what: The flag that asked for it, for the error.

    Raises:
        ConfigError: No such file or function, or the file cannot be imported.
    """
    file_name, _, name = where.rpartition(":")
    if not file_name or not name.isidentifier():
        raise ConfigError(f"`--{what}` must be file.py:function. Received: {where!r}.")
    path = Path(file_name).expanduser().resolve()
    if not path.is_file():
        raise ConfigError(f"There is no file {file_name}, which `--{what} {where}` names.")
    spec = importlib.util.spec_from_file_location(f"_kerasmith_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file_name} is no Python file. `--{what}` must be file.py:function.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and type hints in the file look themselves up here
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last, so that the file's neighbours hide nothing
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{file_name} cannot be imported: {type(error).__name__}: {error}.") from error
    function = getattr(module, name, None)
    if not callable(function):
        known = [key for key, value in vars(module).items() if inspect.isfunction(value) and not key.startswith("_")]
        raise ConfigError(f"{file_name} has no function {name!r}. It has: {', '.join(known) or 'none'}.")
    return function


def _examples(function: Callable[..., Any], where: str, data: Path) -> Iterator[Example]:
    ids: set[str] = set()
    items = _call(function, where, data)
    number = 0
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except Exception as error:
            raise DataError(f"{where} failed after {number} examples: {type(error).__name__}: {error}.") from error
        example = _example(item, number, where)
        if example.id in ids:
            if isinstance(item, Mapping) and item.get("id") is not None:
                raise DataError(f"{where} yielded two examples with the id {example.id!r}. Expected unique ids.")
            example = replace(example, id=f"{example.id}#{number}")  # one file may come twice
        ids.add(example.id)
        yield example
        number += 1


def _call(function: Callable[..., Any], where: str, data: Path) -> Iterator[Any]:
    try:
        takes_path = bool(inspect.signature(function).parameters)
        items = function(data) if takes_path else function()
    except Exception as error:
        raise DataError(f"{where} failed: {type(error).__name__}: {error}.") from error
    if isinstance(items, str | bytes | Mapping) or not hasattr(items, "__iter__"):
        raise DataError(f"{where} returned no examples. {YIELDS}. Received: {type(items).__name__}.")
    return iter(items)


def _example(item: Any, number: int, where: str) -> Example:
    if isinstance(item, Mapping):
        unknown = [str(key) for key in item if key not in FIELDS]
        if unknown or not {"image", "label"} <= item.keys():
            raise DataError(
                f"{where} yielded a mapping that is no example. {YIELDS}. Received: {', '.join(map(str, item))}."
            )
        values = dict(item)
    elif isinstance(item, tuple | list) and 2 <= len(item) <= 4:
        values = dict(zip(FIELDS, item, strict=False))
    else:
        came = f"{type(item).__name__} of {len(item)}" if isinstance(item, tuple | list) else type(item).__name__
        raise DataError(f"{where} yielded something that is no example. {YIELDS}. Received: {came}.")
    raw = _image(values["image"], number, where)
    split = values.get("split")
    named = split_named(str(split)) if split is not None else None
    if split is not None and named is None:
        raise DataError(
            f"{where} yielded an unknown split in example {number}. Expected one of {', '.join(ALIASES)}, or None. "
            f"Received: {split!r}."
        )
    group, name = values.get("group"), values.get("id")
    return Example(
        raw=raw,
        label=_label(values["label"], number, where),
        id=str(name) if name is not None else str(raw) if isinstance(raw, Path) else f"{number:06d}",
        split=named,
        group=str(group) if group is not None else None,
    )


def _image(image: Any, number: int, where: str) -> Any:
    if isinstance(image, str):
        return Path(image)
    if isinstance(image, Path | bytes | np.ndarray):
        return image
    if type(image).__module__.startswith("PIL."):
        return np.asarray(image.convert("RGB") if image.mode not in ("L", "RGB", "RGBA") else image)
    raise DataError(
        f"{where} yielded no image in example {number}. Expected a path, bytes, a uint8 array or a Pillow image. "
        f"Received: {type(image).__name__}."
    )


def _label(label: Any, number: int, where: str) -> str:
    if isinstance(label, np.generic):
        label = label.item()
    if not isinstance(label, str | int | bool) or label == "":
        raise DataError(
            f"{where} yielded no label in example {number}. Expected a class's name or number. "
            f"Received: {type(label).__name__} {label!r}."
        )
    return str(label)
