"""Reads a source of texts once into columns."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.preparing.draft import Amount
from pipelines.preparing.facts import NOT_GIVEN, SHOWN, SPLITS, Facts, class_targets, group_rows, groups_of
from records.config import RunConfig
from records.data import Example, Finding, Severity, Source
from records.errors import ConfigError, DataError, InputError
from serving.codecs.text import decode

TOLD_EVERY = 1000
"""Examples between two words on how far reading is."""


@dataclass(frozen=True, kw_only=True)
class Read:
    """What was read, a row for each text that can be used."""

    texts: list[str]
    facts: Facts
    grouped: bool
    """Whether some examples belong together."""
    findings: tuple[Finding, ...]
    """About what was left out before anything else was looked at."""
    content: str
    """A hash of all of it."""


@dataclass(slots=True)
class _Columns:
    texts: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    given: list[int] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    failures: list[tuple[str, int, str]] = field(default_factory=list)


def read_all(source: Source, config: RunConfig, amount: Amount) -> Read:
    """Reads every text into memory.

    Raises:
        ConfigError: `config.group` or `config.task` is wrong.
        DataError: There is no text at all.
    """
    assert source.examples is not None
    columns, content, done = _Columns(), hashlib.sha256(), 0
    for done, example in enumerate(source.examples(), 1):
        _take(columns, example, content)
        if done % TOLD_EVERY == 0:
            amount(done, source.num_examples)
    amount(done, source.num_examples)
    if not columns.texts:
        raise DataError(_nothing(source.name, columns))
    groups = groups_of(columns.ids, columns.groups, config.group)
    labels, targets = _targets(columns.labels, source, config)
    facts = Facts(
        ids=columns.ids,
        labels=labels,
        targets=targets,
        given=np.array(columns.given, dtype=np.int8),
        groups=group_rows(groups),
        digests=np.frombuffer(b"".join(columns.digests), dtype=np.uint64).reshape(-1, 2),
        failures=columns.failures,
        noun="texts",
    )
    return Read(
        texts=columns.texts,
        facts=facts,
        grouped=any(group is not None for group in groups),
        findings=(
            *_left_out("empty_texts", columns.empty, "texts are missing or empty"),
            *_left_out("missing_targets", columns.unlabelled, "texts have no number to predict"),
        ),
        content=content.hexdigest(),
    )


def _take(columns: _Columns, example: Example, content: Any) -> None:
    told = (example.raw, example.label, example.id, example.split, example.group)
    content.update(repr(told).encode(errors="surrogatepass"))
    raw = example.raw
    if raw is None or (isinstance(raw, float) and math.isnan(raw)):
        columns.empty.append(example.id)
        return
    try:
        text = decode(raw)
    except InputError as error:
        columns.failures.append((example.id, error.status, str(error)))
        return
    if not (words := text.split()):
        columns.empty.append(example.id)
        return
    if isinstance(example.label, float) and not math.isfinite(example.label):
        columns.unlabelled.append(example.id)
        return
    columns.texts.append(text)
    columns.ids.append(example.id)
    columns.labels.append(example.label)
    columns.given.append(NOT_GIVEN if example.split is None else SPLITS.index(example.split))
    columns.groups.append(example.group)
    # copies that differ in blanks or capitals are copies
    same = " ".join(words).casefold().encode(errors="surrogatepass")
    columns.digests.append(hashlib.blake2b(same, digest_size=16).digest())


def _targets(given: Sequence[Any], source: Source, config: RunConfig) -> tuple[list[str], np.ndarray]:
    """The classes and the positions in them, or no classes and `<float64>` numbers."""
    if config.task == "forecasting":
        raise ConfigError("Texts have classes or numbers. Forecasting needs one table with a time column.")
    if config.task == "regression" or (config.task is None and all(isinstance(label, float) for label in given)):
        try:
            return [], np.array([float(label) for label in given])
        except ValueError as error:
            raise ConfigError(f"`task` is regression, but not every label of {source.name} is a number.") from error
    return class_targets([str(label) for label in given], source.labels)


def _left_out(code: str, ids: Sequence[str], words: str) -> list[Finding]:
    if not ids:
        return []
    what, done = f"{len(ids)} {words}.", "They were left out."
    shown = tuple(ids[:SHOWN])
    return [Finding(code=code, severity=Severity.WARNING, what=what, done=done, examples=shown, count=len(ids))]


def _nothing(name: str, columns: _Columns) -> str:
    if columns.failures:
        first, _, message = columns.failures[0]
        return f"None of {name}'s texts can be read. The first, {first}: {message}"
    if columns.empty or columns.unlabelled:
        return (
            f"{name} holds no text with an answer: {len(columns.empty)} are empty and {len(columns.unlabelled)} have "
            "no number to predict. Expected texts with a class or a number each."
        )
    return f"{name} holds no texts. Expected at least two classes with three texts each."
