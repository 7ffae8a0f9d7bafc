"""Reads a source once: each example is decoded, appended to one file, and described."""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from pipelines.preparing.decode import CHUNK, THUMBNAIL_SIDE, Decoded, decode_all
from pipelines.preparing.facts import NOT_GIVEN, SPLITS, Facts
from records.data import Example, Source, Split
from records.errors import ConfigError, DataError, InputError
from serving.codecs.catalog import Codec
from serving.codecs.image import Header, fit, read_header

SAMPLE = 1000
"""Examples whose headers decide the stored size."""
FAILURES_KEPT = 1000

Amount = Callable[[int, int | None], None]
"""Called with the number of examples done, and of all where that is known."""


def choose_codec(source: Source, cap: int) -> tuple[Codec, Iterator[Example]]:
    """Fits a codec to the headers of examples that are not for testing.

    Of examples that are files, a sample is taken evenly from all of them; of others, from the first.

    Returns:
        The codec, and all of the source's examples from the first one on.

    Raises:
        DataError: The source is empty, or none of the sample can be read.
    """
    examples = source.examples()
    first: list[Example] = []
    for example in examples:
        first.append(example)
        if not isinstance(example.raw, Path) and len(first) >= SAMPLE:
            break
    if not first:
        raise DataError(f"{source.name} holds no examples. Expected at least two classes with three images each.")
    usable = [example for example in first if example.split is not Split.TEST] or first
    headers: list[Header] = []
    failure = ""
    for example in usable[:: max(1, len(usable) // SAMPLE)]:
        try:
            headers.append(read_header(example.raw))
        except InputError as error:
            failure = failure or f"{example.id}: {error}"
    if not headers:
        raise DataError(f"None of {source.name}'s images can be read. The first, {failure}")
    return fit(headers, cap), chain(first, examples)


@dataclass(slots=True)
class _Columns:
    ids: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    digests: list[np.ndarray] = field(default_factory=list)
    thumbnails: list[np.ndarray] = field(default_factory=list)
    constant: list[np.ndarray] = field(default_factory=list)
    failures: list[tuple[str, int, str]] = field(default_factory=list)


def read_all(
    source: Source, examples: Iterator[Example], codec: Codec, group: str | None, path: Path, amount: Amount
) -> tuple[Facts, str]:
    """Decodes every example and writes the arrays one after the other to `path`.

    Returns:
        What was read, and a hash of all of it.

    Raises:
        ConfigError: `group` is no regular expression with a group, or matches nothing.
    """
    pattern = compile_group(group)
    columns = _Columns()
    waiting: deque[list[Example]] = deque()

    def raws() -> Iterator[list[object]]:
        while chunk := [example for _, example in zip(range(CHUNK), examples, strict=False)]:
            waiting.append(chunk)
            yield [example.raw for example in chunk]

    done = 0
    with path.open("wb") as file:
        for decoded in decode_all(codec, raws()):
            chunk = waiting.popleft()
            file.write(decoded.arrays.data)
            _take(columns, chunk, decoded, pattern)
            done += len(chunk)
            amount(done, source.num_examples)
        file.flush()
        os.fsync(file.fileno())
    if pattern and columns.ids and not any(columns.groups):
        raise ConfigError(f"`group` {group!r} matches no example's id. Received ids such as {columns.ids[0]!r}.")
    facts = _facts(columns, source.labels)
    return facts, _content(columns, facts)


def compile_group(group: str | None) -> re.Pattern[str] | None:
    """The regular expression of `--group`.

    Raises:
        ConfigError: It is none, or has no group.
    """
    if group is None:
        return None
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise ConfigError(f"`group` is no regular expression ({error}). Received: {group!r}.") from error
    if pattern.groups != 1:
        raise ConfigError(f"`group` must have one group in parentheses, such as '(.*)_'. Received: {group!r}.")
    return pattern


def _take(columns: _Columns, chunk: list[Example], decoded: Decoded, pattern: re.Pattern[str] | None) -> None:
    for position, example in enumerate(chunk):
        failed = decoded.errors.get(position)
        if failed is not None:
            columns.failures.append((example.id, failed[0], failed[1] if len(columns.failures) < FAILURES_KEPT else ""))
            continue
        match = pattern.search(example.id) if pattern else None
        columns.ids.append(example.id)
        columns.labels.append(example.label)
        columns.given.append(NOT_GIVEN if example.split is None else SPLITS.index(example.split))
        columns.groups.append(match[1] if match else example.group)
    columns.digests.append(decoded.digests)
    columns.thumbnails.append(decoded.thumbnails)
    flat = decoded.arrays.reshape(len(decoded.arrays), int(np.prod(decoded.arrays.shape[1:])))
    columns.constant.append(flat.max(axis=1, initial=0) == flat.min(axis=1, initial=255))


def _facts(columns: _Columns, known: tuple[str, ...] | None) -> Facts:
    present = set(columns.labels)
    labels = [label for label in known or () if label in present]
    labels += sorted(present.difference(labels), key=_natural)
    position = {label: index for index, label in enumerate(labels)}
    first_of_group: dict[str, int] = {}
    groups = [
        row if group is None else first_of_group.setdefault(group, row) for row, group in enumerate(columns.groups)
    ]
    return Facts(
        ids=columns.ids,
        labels=labels,
        targets=np.array([position[label] for label in columns.labels], dtype=np.int64),
        given=np.array(columns.given, dtype=np.int8),
        groups=np.array(groups, dtype=np.int64),
        digests=np.concatenate([np.empty((0, 2), np.uint64), *columns.digests]),
        thumbnails=np.concatenate([np.empty((0, THUMBNAIL_SIDE**2), np.uint8), *columns.thumbnails]),
        constant=np.concatenate([np.empty(0, bool), *columns.constant]),
        failures=columns.failures,
    )


def _natural(label: str) -> tuple[bool, int, str]:
    """Numbers by value, before words."""
    number = label.isascii() and label.isdigit()
    return not number, int(label) if number else 0, label


def _content(columns: _Columns, facts: Facts) -> str:
    digest = hashlib.sha256(facts.digests.tobytes())
    for row in zip(columns.ids, columns.labels, columns.given, columns.groups, strict=True):
        digest.update(repr(row).encode(errors="surrogatepass"))
    digest.update(repr(columns.failures).encode(errors="surrogatepass"))
    return digest.hexdigest()
