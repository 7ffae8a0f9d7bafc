"""What a search space is, and how the values of a trial are read again without a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from records.data import DataSpec, InputKind
from records.task import Task
from records.trial import Recipe, Values


@dataclass(frozen=True, kw_only=True)
class Space:
    """A set of models that may be tried, with the way to train them.

    A space with an `encoder` is trained on that encoder's cached features: `build` then takes the spec of the
    features and makes the head, and `search_spaces.join` puts the two together for export.
    """

    name: str
    choices: Callable[[Any, DataSpec], dict[str, Any]]
    """`(hp, spec) -> values`. Declares and reads the hyperparameters; builds nothing."""
    build: Callable[[dict[str, Any], DataSpec, Task], keras.Model]
    """`(values, spec, task) -> network`, uncompiled, without augmentation."""
    recipe: Callable[[dict[str, Any]], Recipe]
    """`values -> Recipe`: how to train it."""
    encoder: Callable[[dict[str, Any], DataSpec], keras.Model] | None = None
    """`(values, spec) -> frozen network` from inputs to `<float32>[batch, features]`."""
    encoder_key: Callable[[dict[str, Any]], str] | None = None
    """Equal keys, equal features: names the cache of an encoder."""
    input_kinds: frozenset[InputKind] = frozenset(InputKind)
    fits: Callable[[DataSpec], bool] = lambda spec: True
    """Whether the space can be used for such data, beyond its kind."""
    on_request: bool = False
    """Searched only where `--space` names it: it has not been measured to win anything in a search of usual length, in
    which each further space takes trials from the others."""


class Replay:
    """Answers `choices` with the values of a finished trial, and with the defaults where it has none.

    >>> Replay({"cnn/filters": 64}).Int("cnn/filters", 16, 64, default=32)
    64
    >>> Replay({}).Int("cnn/filters", 16, 64, default=32)
    32
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.given = dict(values)
        self.values: Values = {}

    def _read(self, name: str, default: Any) -> Any:
        self.values[name] = self.given.get(name, default)
        return self.values[name]

    def Choice(self, name: str, values: Sequence[Any], default: Any = None, ordered: bool | None = None) -> Any:
        return self._read(name, values[0] if default is None else default)

    def Int(
        self,
        name: str,
        min_value: int,
        max_value: int,
        step: int | None = None,
        sampling: str = "linear",
        default: Any = None,
    ) -> Any:
        return self._read(name, min_value if default is None else default)

    def Float(
        self,
        name: str,
        min_value: float,
        max_value: float,
        step: float | None = None,
        sampling: str = "linear",
        default: Any = None,
    ) -> Any:
        return self._read(name, min_value if default is None else default)

    def Boolean(self, name: str, default: bool = False) -> Any:
        return self._read(name, default)

    def Fixed(self, name: str, value: Any) -> Any:
        return self._read(name, value)

    @contextmanager
    def conditional_scope(self, parent_name: str, parent_values: Any) -> Iterator[None]:
        yield


def read(space: Space, values: Values, spec: DataSpec) -> dict[str, Any]:
    """The values that `space.build` takes, from the hyperparameters that a trial's row holds."""
    return space.choices(Replay(values), spec)
