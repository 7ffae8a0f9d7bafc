"""Reads a source of series once: the values go to a file beside the others, and what they are like into columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pipelines.preparing.draft import Amount
from pipelines.preparing.facts import NOT_GIVEN, SPLITS, Facts, class_targets, group_rows, groups_of
from records.config import RunConfig
from records.data import Example, Source
from records.errors import ConfigError, DataError, InputError
from serving.codecs.series import read_series

LONGEST = 4096
"""Steps of a series that are used. More cost a network of two cores minutes for a few examples."""
NO_LIMIT = 2**40


@dataclass(frozen=True, kw_only=True)
class Read:
    """What was read, a row for each readable series. Usable as long as the file that holds the values is there."""

    facts: Facts
    channels: tuple[str, ...]
    values: np.ndarray
    """`<float64>[all steps, channels]`, a memory map: the first `LONGEST` steps of each series, one after the other."""
    starts: np.ndarray
    """`<int64>[examples + 1]`: where each series begins in `values`."""
    steps: np.ndarray
    """`<int64>[examples]`: that the series has, also those that are not used."""
    missing: np.ndarray
    """`<int64>[examples]`: missing values."""
    grouped: bool
    """Whether some examples belong together."""
    content: str
    """A hash of all of it."""

    def series(self, row: int) -> np.ndarray:
        """`<float64>[steps, channels]`, NaN where a value is missing."""
        return self.values[self.starts[row] : self.starts[row + 1]]


@dataclass(slots=True)
class _Columns:
    channels: tuple[str, ...] = ()
    ids: list[str] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    constant: list[bool] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    failures: list[tuple[str, int, str]] = field(default_factory=list)


@contextmanager
def read_all(source: Source, config: RunConfig, path: Path, amount: Amount) -> Iterator[Read]:
    """Reads every series and keeps the values in a file at `path`, which is gone afterwards.

    Raises:
        ConfigError: `config.group` or `config.task` is wrong.
        DataError: The series have different channels, or none can be read.
    """
    columns = _Columns(channels=source.channels)
    assert source.examples is not None
    try:
        with path.open("wb") as file:
            for done, example in enumerate(source.examples(), 1):
                _take(columns, example, file)
                amount(done, source.num_examples)
        yield _finish(columns, source, config, path)
    finally:
        path.unlink(missing_ok=True)


def _take(columns: _Columns, example: Example, file: BinaryIO) -> None:
    width = _width(example.raw)
    if width and not columns.channels:
        columns.channels = tuple(f"channel {number}" for number in range(1, width + 1))
    if width and width != len(columns.channels):
        raise DataError(
            f"The series have different channels: {example.id} has {width}, and the series before it have "
            f"{len(columns.channels)}. Expected the same in all of them."
        )
    try:
        values = read_series(example.raw, columns.channels, NO_LIMIT)
    except InputError as error:
        columns.failures.append((example.id, error.status, str(error)))
        return
    if isinstance(example.label, float) and not np.isfinite(example.label):
        columns.failures.append((example.id, 422, "The number to predict is missing."))
        return
    file.write(np.ascontiguousarray(values[:LONGEST]).data)
    columns.ids.append(example.id)
    columns.labels.append(example.label)
    columns.given.append(NOT_GIVEN if example.split is None else SPLITS.index(example.split))
    columns.groups.append(example.group)
    columns.steps.append(len(values))
    columns.missing.append(int(np.isnan(values).sum()))
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    columns.constant.append(bool(((low == high) | np.isnan(low)).all()))
    columns.digests.append(hashlib.blake2b(values.tobytes(), digest_size=16, key=str(values.shape).encode()).digest())


def _width(raw: Any) -> int:
    """Number of channels; 0: it holds nothing that tells."""
    if isinstance(raw, np.ndarray):
        return raw.shape[1] if raw.ndim == 2 else 1
    if isinstance(raw, list | tuple) and len(raw):
        return len(raw[0]) if isinstance(raw[0], list | tuple) else 1
    return 0


def _finish(columns: _Columns, source: Source, config: RunConfig, path: Path) -> Read:
    groups = groups_of(columns.ids, columns.groups, config.group)
    labels, targets = _targets(columns, source, config)
    facts = Facts(
        ids=columns.ids,
        labels=labels,
        targets=targets,
        given=np.array(columns.given, dtype=np.int8),
        groups=group_rows(groups),
        digests=np.frombuffer(b"".join(columns.digests), dtype=np.uint64).reshape(-1, 2),
        failures=columns.failures,
        noun="series",
        constant=np.array(columns.constant, dtype=bool),
    )
    steps = np.array(columns.steps, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(np.minimum(steps, LONGEST))]).astype(np.int64)
    shape = (int(starts[-1]), len(columns.channels))
    return Read(
        facts=facts,
        channels=columns.channels,
        values=np.memmap(path, dtype=np.float64, mode="r", shape=shape) if starts[-1] else np.empty(shape),
        starts=starts,
        steps=steps,
        missing=np.array(columns.missing, dtype=np.int64),
        grouped=any(group is not None for group in groups),
        content=_content(columns, facts, groups),
    )


def _targets(columns: _Columns, source: Source, config: RunConfig) -> tuple[list[str], np.ndarray]:
    """The classes and the positions in them, or no classes and `<float64>` numbers."""
    numeric = bool(columns.labels) and all(isinstance(label, float) for label in columns.labels)
    if config.task == "forecasting":
        raise ConfigError("Whole series have classes or numbers. Forecasting needs one table with a time column.")
    if config.task == "regression" or (numeric and config.task is None):
        try:
            return [], np.array([float(label) for label in columns.labels])
        except ValueError as error:
            raise ConfigError(f"`task` is regression, but not every label of {source.name} is a number.") from error
    return class_targets([str(label) for label in columns.labels], source.labels)


def _content(columns: _Columns, facts: Facts, groups: list[str | None]) -> str:
    digest = hashlib.sha256(facts.digests.tobytes())
    for row in zip(columns.ids, columns.labels, columns.given, groups, strict=True):
        digest.update(repr(row).encode(errors="surrogatepass"))
    digest.update(repr((columns.channels, columns.failures)).encode(errors="surrogatepass"))
    return digest.hexdigest()
