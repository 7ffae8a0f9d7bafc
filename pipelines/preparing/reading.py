"""Reads a source once: each example is decoded, appended to one file, and described."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from pipelines.preparing.decode import CHUNK, THUMBNAIL_SIDE, Decoded, decode_all
from pipelines.preparing.draft import Amount
from pipelines.preparing.facts import NOT_GIVEN, SPLITS, Facts, class_targets, group_rows, groups_of
from records.data import Example, Source, Split
from records.errors import DataError, InputError
from serving.codecs.catalog import Codec
from serving.codecs.image import Header, ImageCodec, fit, read_header

SAMPLE = 1000
"""Examples whose headers decide the stored size."""
FAILURES_KEPT = 1000


def choose_codec(source: Source, cap: int) -> tuple[ImageCodec, Iterator[Example]]:
    """Fits a codec to the headers of examples that are not for testing.

    Of examples that are files, a sample is taken evenly from all of them; of others, from the first.

    Returns:
        The codec, and all of the source's examples from the first one on.

    Raises:
        DataError: The source is empty, or none of the sample can be read.
    """
    assert source.examples is not None
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
            _take(columns, chunk, decoded)
            done += len(chunk)
            amount(done, source.num_examples)
        file.flush()
        os.fsync(file.fileno())
    facts = _facts(columns, source.labels, group)
    return facts, _content(columns, facts)


def _take(columns: _Columns, chunk: list[Example], decoded: Decoded) -> None:
    for position, example in enumerate(chunk):
        failed = decoded.errors.get(position)
        if failed is not None:
            columns.failures.append((example.id, failed[0], failed[1] if len(columns.failures) < FAILURES_KEPT else ""))
            continue
        columns.ids.append(example.id)
        columns.labels.append(str(example.label))
        columns.given.append(NOT_GIVEN if example.split is None else SPLITS.index(example.split))
        columns.groups.append(example.group)
    columns.digests.append(decoded.digests)
    columns.thumbnails.append(decoded.thumbnails)
    flat = decoded.arrays.reshape(len(decoded.arrays), int(np.prod(decoded.arrays.shape[1:])))
    columns.constant.append(flat.max(axis=1, initial=0) == flat.min(axis=1, initial=255))


def _facts(columns: _Columns, known: tuple[str, ...] | None, group: str | None) -> Facts:
    labels, targets = class_targets(columns.labels, known)
    return Facts(
        ids=columns.ids,
        labels=labels,
        targets=targets,
        given=np.array(columns.given, dtype=np.int8),
        groups=group_rows(groups_of(columns.ids, columns.groups, group)),
        digests=np.concatenate([np.empty((0, 2), np.uint64), *columns.digests]),
        thumbnails=np.concatenate([np.empty((0, THUMBNAIL_SIDE**2), np.uint8), *columns.thumbnails]),
        constant=np.concatenate([np.empty(0, bool), *columns.constant]),
        failures=columns.failures,
    )


def _content(columns: _Columns, facts: Facts) -> str:
    digest = hashlib.sha256(facts.digests.tobytes())
    for row in zip(columns.ids, columns.labels, columns.given, columns.groups, strict=True):
        digest.update(repr(row).encode(errors="surrogatepass"))
    digest.update(repr(columns.failures).encode(errors="surrogatepass"))
    return digest.hexdigest()
