"""A user's own source: a function in a file of theirs."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.datasets.splits import ALIASES, split_named
from records.config import RunConfig
from records.data import Example, InputKind, Source
from records.errors import ConfigError, DataError

INPUTS: dict[InputKind, str] = {InputKind.IMAGE: "image", InputKind.TEXT: "text", InputKind.SERIES: "series"}
"""What an example's input is called."""
OTHERS = ("label", "split", "group", "id")


def load(config: RunConfig) -> Source:
    """The source that `config.source` names as `file.py:function`.

    The function is called with `config.data` as a `Path` where it takes an argument, and yields `(image, label)`,
    `(image, label, split)`, `(image, label, split, group)`, or mappings with these names and `id`. An image is a path,
    encoded bytes, a uint8 array or a Pillow image. Mappings may have `text` or `series` in the place of `image`; tuples
    hold these where `config.kind` says so. A series is an array or a list `[steps]` or `[steps, channels]`.

    The first example is read at once where `config.kind` does not say what comes: it tells.

    Raises:
        ConfigError: The file or the function is missing, or the file cannot be imported, or such a kind cannot be read.
        DataError: The function fails before its first example.
    """
    where = config.source or ""
    reader = _Reader(import_function(where, "source"), where, Path(config.data), config.task == "regression")
    if config.kind is not None and config.kind not in INPUTS:
        raise ConfigError(
            f"A function of one's own yields {', '.join(INPUTS)}. Received: --kind {config.kind}. Write tables to a "
            "file, and name that file as the data."
        )
    reader.kind = InputKind(config.kind) if config.kind else reader.first_kind()
    return Source(
        name=Path(config.data).name or where.rpartition(":")[2],
        kind=reader.kind,
        fingerprint=None,
        examples=reader.read,
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


class _Reader:
    """Calls a user's function and makes examples of what it yields."""

    def __init__(self, function: Callable[..., Any], where: str, data: Path, numbers: bool) -> None:
        self.function, self.where, self.data = function, where, data
        self.numbers = numbers
        """Whether labels are numbers to be predicted."""
        self.kind = InputKind.IMAGE
        self.begun: Iterator[Any] | None = None
        """What the first reading goes on with, so that a slow function is called once."""

    def first_kind(self) -> InputKind:
        """What the first example is; a plain tuple is taken for an image."""
        items = self._call()
        first = list(islice(self._guarded(items), 1))
        self.begun = chain(first, items)
        if first and isinstance(first[0], Mapping):
            return next((kind for kind, name in INPUTS.items() if name in first[0]), InputKind.IMAGE)
        return InputKind.IMAGE

    def read(self) -> Iterator[Example]:
        """All examples, from the first one on."""
        items, self.begun = self.begun or self._call(), None
        ids: set[str] = set()
        for number, item in enumerate(self._guarded(items)):
            example = self._example(item, number)
            if example.id in ids:
                if isinstance(item, Mapping) and item.get("id") is not None:
                    raise DataError(
                        f"{self.where} yielded two examples with the id {example.id!r}. Expected unique ids."
                    )
                example = replace(example, id=f"{example.id}#{number}")  # one file may come twice
            ids.add(example.id)
            yield example

    def _call(self) -> Iterator[Any]:
        try:
            takes_path = bool(inspect.signature(self.function).parameters)
            items = self.function(self.data) if takes_path else self.function()
        except Exception as error:
            raise DataError(f"{self.where} failed: {type(error).__name__}: {error}.") from error
        if isinstance(items, str | bytes | Mapping) or not hasattr(items, "__iter__"):
            raise DataError(f"{self.where} returned no examples. {self._expected()}. Received: {type(items).__name__}.")
        return iter(items)

    def _guarded(self, items: Iterator[Any]) -> Iterator[Any]:
        number = 0
        while True:
            try:
                item = next(items)
            except StopIteration:
                return
            except Exception as error:
                raise DataError(
                    f"{self.where} failed after {number} examples: {type(error).__name__}: {error}."
                ) from error
            yield item
            number += 1

    def _expected(self) -> str:
        name = INPUTS[self.kind]
        tuples = ", ".join(f"({', '.join((name, *OTHERS[:count]))})" for count in (1, 2, 3))
        return f"Expected {tuples}, or a mapping with these names"

    def _example(self, item: Any, number: int) -> Example:
        values = self._values(item)
        raw = READ[self.kind](values[INPUTS[self.kind]], number, self.where)
        split = values.get("split")
        named = split_named(str(split)) if split is not None else None
        if split is not None and named is None:
            raise DataError(
                f"{self.where} yielded an unknown split in example {number}. Expected one of {', '.join(ALIASES)}, or "
                f"None. Received: {split!r}."
            )
        group, name = values.get("group"), values.get("id")
        label = (_number if self.numbers else _class)(values["label"], number, self.where)
        return Example(
            raw=raw,
            label=label,
            id=str(name) if name is not None else str(raw) if isinstance(raw, Path) else f"{number:06d}",
            split=named,
            group=str(group) if group is not None else None,
        )

    def _values(self, item: Any) -> dict[str, Any]:
        name = INPUTS[self.kind]
        if isinstance(item, Mapping):
            if not {name, "label"} <= item.keys() or any(key not in (name, *OTHERS) for key in item):
                raise DataError(
                    f"{self.where} yielded a mapping that is no example. {self._expected()}. "
                    f"Received: {', '.join(map(str, item))}."
                )
            return dict(item)
        if isinstance(item, tuple | list) and 2 <= len(item) <= 4:
            return dict(zip((name, *OTHERS), item, strict=False))
        came = f"{type(item).__name__} of {len(item)}" if isinstance(item, tuple | list) else type(item).__name__
        raise DataError(f"{self.where} yielded something that is no example. {self._expected()}. Received: {came}.")


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


def _text(text: Any, number: int, where: str) -> Any:
    if text is None or isinstance(text, str | bytes):  # None: left out when the texts are looked at
        return text
    raise DataError(f"{where} yielded no text in example {number}. Expected a string. Received: {type(text).__name__}.")


def _series(series: Any, number: int, where: str) -> Any:
    if isinstance(series, np.ndarray | list | tuple):
        return series
    raise DataError(
        f"{where} yielded no series in example {number}. Expected an array or a list of numbers. "
        f"Received: {type(series).__name__}."
    )


READ: dict[InputKind, Callable[[Any, int, str], Any]] = {
    InputKind.IMAGE: _image,
    InputKind.TEXT: _text,
    InputKind.SERIES: _series,
}


def _class(label: Any, number: int, where: str) -> str:
    if isinstance(label, np.generic):
        label = label.item()
    if not isinstance(label, str | int | bool) or label == "":
        raise DataError(
            f"{where} yielded no label in example {number}. Expected a class's name or number; numbers to be predicted "
            f"need --task regression. Received: {type(label).__name__} {label!r}."
        )
    return str(label)


def _number(label: Any, number: int, where: str) -> float:
    if isinstance(label, np.generic):
        label = label.item()
    if not isinstance(label, int | float) or isinstance(label, bool):
        raise DataError(
            f"{where} yielded no number to predict in example {number}. Expected an integer or a float. "
            f"Received: {type(label).__name__} {label!r}."
        )
    return float(label)
