"""Prepares series: they are read once, the scale of each channel is taken from the training split, then all are
encoded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.preparing.draft import Amount, Draft
from pipelines.preparing.facts import SHOWN, TRAIN, VALIDATION, Facts, classes_of, number_scale
from pipelines.preparing.inspect import inspect
from pipelines.preparing.series_reading import LONGEST, Read, read_all
from pipelines.preparing.split import split
from records.config import RunConfig
from records.data import DataSpec, Finding, Severity, Source
from records.errors import StoreError
from records.spec import SeriesLayout
from serving.codecs.series import MOST_STEPS_READ, SeriesCodec
from store.files import free_bytes

SPARE_BYTES = 64 * 2**20
"""Free space that is to remain."""
FLAT = 1e-9
"""A channel that varies by a smaller part of its size than this is constant."""


def prepare_series(source: Source, config: RunConfig, path: Path, amount: Amount) -> Draft:
    """Reads, inspects, splits and encodes series of one or several channels, of classes or of numbers.

    Raises:
        ConfigError: `config.group` is wrong.
        DataError: There is nothing to learn from, or the series have different channels.
        StoreError: The disk has no room.
    """
    with read_all(source, config, path.with_name(f"{path.name}.read"), amount) as read:
        facts = read.facts
        inspected = inspect(facts)
        codes, told = split(facts, inspected, config)
        codec, constant = fit(read, np.flatnonzero(codes == TRAIN))
        _encode(read, codec, path)
        spec, targets = _spec(source, config, codec, facts, codes)
        sample, row = _sample(read, codes)
        return Draft(
            spec=spec,
            codec=codec,
            codes=codes,
            targets=targets,
            ids=facts.ids,
            findings=(inspected.findings[0], told, *inspected.findings[1:], *_findings(read, codec, codes, constant)),
            content=read.content,
            sample=sample,
            sample_row=row,
            clusters=facts.groups if read.grouped else None,
        )


def fit(read: Read, rows: np.ndarray) -> tuple[SeriesCodec, list[str]]:
    """The codec for series such as these: as long as the longest of them, each channel with mean 0 and deviation 1.

    Args:
        read: What was read.
        rows: `<int64>[training examples]`.

    Returns:
        The codec, and the channels that hold one value throughout.
    """
    width = len(read.channels)
    count, total, square = np.zeros(width), np.zeros(width), np.zeros(width)
    for row in rows:
        values = read.series(int(row))
        count += np.isfinite(values).sum(axis=0)
        total += np.nansum(values, axis=0)
    means = total / np.maximum(count, 1)
    for row in rows:
        square += np.nansum((read.series(int(row)) - means) ** 2, axis=0)
    stds = np.sqrt(square / np.maximum(count, 1))
    constant = stds <= FLAT * np.maximum(np.abs(means), FLAT)
    codec = SeriesCodec(
        channels=read.channels,
        means=tuple(float(mean) for mean in means),
        stds=tuple(float(std) for std in np.where(constant, 1.0, stds)),
        max_steps=int(min(LONGEST, read.steps[rows].max())),
        max_steps_read=int(max(MOST_STEPS_READ, read.steps.max())),
    )
    return codec, [name for name, flat in zip(read.channels, constant, strict=True) if flat]


def _encode(read: Read, codec: SeriesCodec, path: Path) -> None:
    """Writes every series; those that are left out too, so that rows stay rows."""
    needed = len(read.steps) * int(np.prod(codec.input_shape)) * 4 + SPARE_BYTES
    free = free_bytes(path.parent)
    if free < needed:
        raise StoreError(
            f"The disk is too full to prepare these series: they take {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB "
            "are free. Free some space, or choose another KERASMITH_HOME."
        )
    with path.open("wb") as file:
        for row in range(len(read.steps)):
            file.write(codec.encode(read.series(row)).data)


def _spec(
    source: Source, config: RunConfig, codec: SeriesCodec, facts: Facts, codes: np.ndarray
) -> tuple[DataSpec, np.ndarray]:
    """What the network must fit, and `Prepared.targets`."""
    known: dict[str, Any] = {
        "kind": source.kind,
        "input_shape": codec.input_shape,
        "dtype": codec.dtype,
        "target": config.target or "",
        "layout": SeriesLayout(channels=codec.channels),
    }
    if facts.of_classes:
        labels, label_counts, targets = classes_of(facts, codes)
        return DataSpec(labels=labels, label_counts=label_counts, **known), targets
    mean, std = number_scale(facts.targets, codes)
    num_train = int((codes == TRAIN).sum())
    spec = DataSpec(task="regression", target_mean=mean, target_std=std, num_train=num_train, **known)
    return spec, facts.targets.astype(np.float32)


def _findings(read: Read, codec: SeriesCodec, codes: np.ndarray, constant: Sequence[str]) -> list[Finding]:
    """What is cut off, what is missing, and channels that say nothing."""
    used, ids = codes >= TRAIN, read.facts.ids
    long = [ids[int(row)] for row in np.flatnonzero(used & (read.steps > codec.max_steps))]
    holed = np.flatnonzero(used & (read.missing > 0))
    reason = "the most that are used" if codec.max_steps == LONGEST else "as many as the longest training series has"
    found = [
        _finding("long_series", Severity.WARNING, long,
                 f"{len(long)} series have more than {codec.max_steps} steps.",
                 f"Their first {codec.max_steps} steps are used: {reason}."),
        _finding("missing_values", Severity.INFO, [ids[int(row)] for row in holed],
                 f"{len(holed)} series have missing values, {read.missing[holed].sum()} in all.",
                 "Each is put on the line between its neighbours."),
        _finding("constant_channels", Severity.WARNING, constant,
                 f"{len(constant)} channels hold one value in all training series.",
                 "They were left in; they tell nothing."),
    ]  # fmt: skip
    return [finding for finding in found if finding.count]


def _finding(code: str, severity: Severity, examples: Sequence[str], what: str, done: str) -> Finding:
    return Finding(
        code=code, severity=severity, what=what, done=done, examples=tuple(examples[:SHOWN]), count=len(examples)
    )


def _sample(read: Read, codes: np.ndarray) -> tuple[dict[str, Any], int]:
    """The shortest validation series as a request has it, and its row."""
    rows = np.flatnonzero(codes == VALIDATION)
    row = int(rows[read.steps[rows].argmin()])
    values = [[None if np.isnan(value) else value for value in step] for step in read.series(row).tolist()]
    return {"series": [step[0] for step in values] if len(read.channels) == 1 else values}, row
