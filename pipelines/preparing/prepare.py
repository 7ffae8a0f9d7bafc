"""Decodes a dataset once, so that every trial and every later run reads arrays."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from pipelines.preparing.facts import TRAIN, Facts
from pipelines.preparing.inspect import inspect
from pipelines.preparing.prepared_files import FORMAT, INPUTS, indices, load_prepared, save
from pipelines.preparing.reading import Amount, choose_codec, compile_group, read_all
from pipelines.preparing.split import split
from records.config import RunConfig
from records.data import DataSpec, Prepared, Source
from records.errors import StoreError
from serving.codecs.catalog import Codec
from store.files import free_bytes, sync_folder, writing
from store.home import Home

__all__ = ["load_prepared", "prepare"]

LARGEST_SIDE = 160
"""Pixels, where `--image-size` says nothing: what the backbones of a CPU budget ask for."""
SPARE_BYTES = 64 * 2**20
"""Free space that is to remain."""


def prepare(source: Source, config: RunConfig, home: Home, progress: Amount | None = None) -> Prepared:
    """The dataset as memory-mapped arrays with its splits; what an earlier run prepared is used again.

    Args:
        source: What to read.
        config: Image size, split fractions, group, seed.
        home: Where prepared datasets are kept.
        progress: Called with the number of examples done, and of all where that is known.

    Raises:
        ConfigError: `config.group` is wrong.
        DataError: There is nothing to learn from.
        StoreError: The disk is full.
    """
    started = time.monotonic()
    compile_group(config.group)
    known = _fingerprint(source, config) if source.fingerprint is not None else None
    ready = _reuse(home.prepared / known) if known else None
    if ready is None:
        with _alone(home.prepared, known or f"reading-{_fingerprint(source, config)}") as partial:
            ready = _reuse(home.prepared / known) if known else None  # another process may have been faster
            if ready is None:
                ready = _make(source, config, partial, known, progress or (lambda done, total: None))
    return replace(ready, understood=source.understood, seconds=time.monotonic() - started)


def _fingerprint(source: Source, config: RunConfig, content: str | None = None) -> str:
    asked = {
        "format": FORMAT,
        "source": content or source.fingerprint,
        "kind": source.kind,
        "labels": source.labels,
        "cap": config.image_size or LARGEST_SIDE,
        "seed": config.seed,
        "fractions": [config.validation_fraction, config.test_fraction],
        "group": config.group,
        "keep_near_duplicates": config.keep_near_duplicates,
        **({} if content or source.fingerprint else {"data": config.data, "code": config.source}),
    }
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:32]


def _reuse(folder: Path) -> Prepared | None:
    try:
        return replace(load_prepared(folder), reused=True) if folder.is_dir() else None
    except StoreError:
        return None  # a damaged one is made again


@contextmanager
def _alone(root: Path, key: str) -> Iterator[Path]:
    """An empty folder to write in, while no other process prepares the same; gone afterwards unless it was renamed.

    The lock is the system's, so a killed process frees it, and what it left half written is known to be nobody's.
    """
    with writing(root), FileLock(root / f"{key}.lock"):
        partial = root / f"{key}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        for left in root.glob("*.partial"):
            _remove_if_dead(left)
        partial.mkdir()
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _remove_if_dead(partial: Path) -> None:
    with contextlib.suppress(Timeout), FileLock(partial.with_suffix(".lock"), timeout=0):
        shutil.rmtree(partial, ignore_errors=True)


def _make(source: Source, config: RunConfig, partial: Path, known: str | None, amount: Amount) -> Prepared:
    codec, examples = choose_codec(source, config.image_size or LARGEST_SIDE)
    _check_space(source, codec, partial)
    facts, content = read_all(source, examples, codec, config.group, partial / INPUTS, amount)
    fingerprint = known or _fingerprint(source, config, content)
    folder = partial.parent / fingerprint
    if known is None and (ready := _reuse(folder)) is not None:
        return ready
    save(*_describe(source, config, codec, facts, partial, fingerprint))
    sync_folder(partial)
    if folder.exists():  # damaged
        shutil.rmtree(folder)
    try:
        partial.rename(folder)
    except OSError:  # another process read the same content from another source in the meantime
        if _reuse(folder) is None:
            raise
    sync_folder(folder.parent)
    return load_prepared(folder)


def _describe(
    source: Source, config: RunConfig, codec: Codec, facts: Facts, partial: Path, fingerprint: str
) -> tuple[Prepared, np.ndarray]:
    shape = (len(facts.ids), *codec.input_shape)
    inputs = (
        np.memmap(partial / INPUTS, dtype=codec.dtype, mode="r", shape=shape) if len(facts.ids) else np.empty(shape)
    )
    inspected = inspect(facts, inputs, config.keep_near_duplicates)
    codes, told = split(facts, inspected, config)
    counts = np.bincount(facts.targets[codes == TRAIN], minlength=len(facts.labels))
    used = np.flatnonzero(counts)
    prepared = Prepared(
        fingerprint=fingerprint,
        folder=partial,
        spec=DataSpec(
            kind=source.kind,
            input_shape=codec.input_shape,
            dtype=codec.dtype,
            labels=tuple(facts.labels[int(label)] for label in used),
            label_counts=tuple(int(count) for count in counts[used]),
        ),
        codec=codec.to_json(),
        inputs=inputs,
        targets=(np.cumsum(counts > 0) - 1)[facts.targets],
        ids=tuple(facts.ids),
        indices=indices(codes),
        findings=(inspected.findings[0], told, *inspected.findings[1:]),
        understood=source.understood,
    )
    return prepared, codes


def _check_space(source: Source, codec: Codec, folder: Path) -> None:
    needed = (source.num_examples or 0) * int(np.prod(codec.input_shape)) + SPARE_BYTES
    free = free_bytes(folder)
    if free < needed:
        raise StoreError(
            f"The disk is too full to prepare {source.name}: its images take {needed / 1e9:.2f} GB decoded, and "
            f"{free / 1e9:.2f} GB are free. Free some space, choose a smaller --image-size, or another KERASMITH_HOME."
        )
