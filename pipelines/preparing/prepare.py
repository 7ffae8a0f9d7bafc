"""Decodes or encodes a dataset once, so that every trial and every later run reads arrays."""

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

from filelock import FileLock, Timeout

from pipelines.folds import is_cross_validated
from pipelines.preparing.draft import Amount, Draft
from pipelines.preparing.facts import TRAIN, VALIDATION, compile_group
from pipelines.preparing.kinds import check_task, preparer
from pipelines.preparing.prepared_files import FORMAT, INPUTS, load_prepared, save
from records.config import RunConfig
from records.data import Finding, Prepared, Severity, Source
from records.errors import StoreError
from store.files import sync_folder, writing
from store.home import Home

__all__ = ["load_prepared", "prepare"]

ASKED = (
    *("kind", "task", "target", "text", "time", "series_id", "split", "keep", "ignore", "known"),
    *("horizon", "history", "season", "quantiles", "max_tokens", "image_size", "seed", "group"),
    *("validation_fraction", "test_fraction", "keep_near_duplicates"),
)
"""Fields of the request that change what is prepared."""


def prepare(source: Source, config: RunConfig, home: Home, progress: Amount | None = None) -> Prepared:
    """The dataset as memory-mapped arrays with its splits; what an earlier run prepared is used again.

    Args:
        source: What to read.
        config: What to predict from what, sizes, split fractions, group, seed.
        home: Where prepared datasets are kept.
        progress: Called with the number of examples done, and of all where that is known.

    Raises:
        ConfigError: `config.group`, or a column that is named, is wrong.
        DataError: There is nothing to learn from.
        StoreError: The disk is full.
    """
    started = time.monotonic()
    compile_group(config.group)
    check_task(source.kind, config.task)
    known = _fingerprint(source, config) if source.fingerprint is not None else None
    ready = _reuse(home.prepared / known) if known else None
    if ready is None:
        with _alone(home.prepared, known or f"reading-{_fingerprint(source, config)}") as partial:
            ready = _reuse(home.prepared / known) if known else None  # another process may have been faster
            if ready is None:
                ready = _make(source, config, partial, known, progress or (lambda done, total: None))
    return replace(ready, seconds=time.monotonic() - started)


def _fingerprint(source: Source, config: RunConfig, content: str | None = None) -> str:
    asked = {
        "format": FORMAT,
        "source": content or source.fingerprint,
        "kind": source.kind,
        "labels": source.labels,
        **{name: getattr(config, name) for name in ASKED},
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
    draft = preparer(source.kind)(source, config, partial / INPUTS, amount)
    fingerprint = known or _fingerprint(source, config, draft.content)
    folder = partial.parent / fingerprint
    if known is None and (ready := _reuse(folder)) is not None:
        return ready
    draft = replace(draft, findings=(*draft.findings, *source.findings, *_few(draft)))
    save(draft, partial, fingerprint, source.understood)
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


def _few(draft: Draft) -> list[Finding]:
    """How trials will be judged where a validation split alone says too little."""
    count = int(((draft.codes == TRAIN) | (draft.codes == VALIDATION)).sum())
    if not is_cross_validated(draft.spec.kind, count):
        return []
    what = f"There are only {count} examples to learn from and to choose by."
    done = "Each trial is judged by cross-validation: on every one of them, trained without it."
    return [Finding(code="cross_validation", severity=Severity.INFO, what=what, done=done, count=count)]
