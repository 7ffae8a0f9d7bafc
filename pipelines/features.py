"""A frozen network's features, computed once for a dataset, a backbone and a resolution, and kept."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from filelock import FileLock, Timeout

from pipelines.batches import TrainingData
from pipelines.cores import num_threads
from pipelines.encoding import DONE, VALUES, TooSlow, encode, known, size_of_example, too_slow
from pipelines.measured import Measured
from pipelines.metrics import truth_of
from records.data import Prepared, Split
from store.files import writing
from store.home import Home

__all__ = ["Features", "TooSlow", "are_ready", "cached_features", "feature_data", "fitting_rows", "refuse_if_hopeless"]

META = "meta.json"
HOPELESS = 1.2
"""What would take so many times as long as there is, by an earlier measurement, is not even begun."""
POLL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Features:
    """Cached features of the training and validation examples."""

    values: Any
    """`<float16 or float32>[rows, ...]`, a read-only memory map."""
    seconds_per_example: float
    """What computing them cost."""


def fitting_rows(prepared: Prepared) -> np.ndarray:
    """Rows of `prepared` that may be fitted on or chosen by, training first. The test split is not among them."""
    return np.concatenate([prepared.indices[Split.TRAIN], prepared.indices[Split.VALIDATION]])


def feature_data(prepared: Prepared, features: Features) -> TrainingData:
    """The training data of a head: features in the place of inputs, in the order of `fitting_rows`."""
    num_train = len(prepared.indices[Split.TRAIN])
    rows = fitting_rows(prepared)
    return TrainingData(
        inputs=features.values,
        truth=truth_of(prepared, rows),
        spec=prepared.spec,
        train_rows=np.arange(num_train),
        validation_rows=np.arange(num_train, len(rows)),
        scales=None if prepared.scales is None else prepared.scales[rows],
    )


def cached_features(
    encoder: keras.Model, key: str, prepared: Prepared, home: Home, max_seconds: float = math.inf
) -> Features:
    """The features of `fitting_rows(prepared)`, from the cache where an earlier trial or run computed them.

    Of several processes that want the same one computes them, and the others wait. What a killed one had computed is
    taken up by the next.

    Args:
        encoder: `<uint8>[batch, ...]` to `<float32>[batch, ...]`. Feature maps are kept in half precision.
        key: Names the encoder; equal keys give equal features.
        prepared: The dataset.
        home: Where the cache lies.
        max_seconds: Given up early when the first batches say that it will take longer.

    Raises:
        TooSlow: It would take longer than `max_seconds`, another process took longer, or the disk has no room.
        StoreError: The cache cannot be written.
    """
    folder = _folder(home, prepared, key)
    if not _is_ready(folder):
        with _alone(folder, max_seconds) as left:
            if not _is_ready(folder):
                _compute(encoder, key, prepared, home, left)
    meta = json.loads((folder / META).read_text("utf-8"))
    values = np.load(folder / VALUES, mmap_mode="r", allow_pickle=False)
    return Features(values=values, seconds_per_example=meta["seconds_per_example"])


def are_ready(key: str, prepared: Prepared, home: Home) -> bool:
    """Whether the features of the encoder that `key` names were computed already."""
    return _is_ready(_folder(home, prepared, key))


def refuse_if_hopeless(key: str, prepared: Prepared, home: Home, max_seconds: float) -> None:
    """Says before an encoder is loaded that its features cannot be ready in time, where this machine ran it before.

    Args:
        key: As for `cached_features`.
        prepared: The dataset, which may be another than the one that the encoder was measured on.
        home: Where the cache lies.
        max_seconds: That they may take.

    Raises:
        TooSlow: They would take far longer.
    """
    folder, figures = _folder(home, prepared, key), Measured(home).get(_speed_key(key))
    if figures is None or _is_ready(folder):
        return
    num_rows = len(fitting_rows(prepared))
    left = num_rows - known(_partial(folder), num_rows).rows
    # more threads than then are at best faster in proportion; with fewer it is at least as slow
    each = figures["seconds"] * min(1.0, figures["threads"] / num_threads())
    expected = left * each * size_of_example(prepared) / figures["size"]
    if expected > HOPELESS * max_seconds:
        raise TooSlow(too_slow(expected, max_seconds))


def _speed_key(key: str) -> str:
    return f"encoder {key}"


def _folder(home: Home, prepared: Prepared, key: str) -> Path:
    digest = hashlib.sha256(f"{prepared.fingerprint}|{key}".encode()).hexdigest()[:16]
    return home.features / f"{re.sub(r'[^a-z0-9]+', '-', key.lower())[:40].strip('-')}-{digest}"


def _partial(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.part")


def _is_ready(folder: Path) -> bool:
    return (folder / VALUES).is_file() and (folder / META).is_file()


@contextmanager
def _alone(folder: Path, max_seconds: float) -> Iterator[float]:
    """While no other process works on `folder`; gives the seconds that are left. The system frees the lock of a process
    that is killed.

    Raises:
        TooSlow: Another one works on it for longer than `max_seconds`.
    """
    began = time.perf_counter()
    with writing(folder):
        lock = FileLock(folder.with_name(f"{folder.name}.lock"))
        try:
            lock.acquire(timeout=max_seconds if math.isfinite(max_seconds) else -1, poll_interval=POLL_SECONDS)
        except Timeout:
            raise TooSlow(
                f"Another worker computes the features that it needs, and was not done within {max_seconds:.0f} s."
            ) from None
        try:
            yield max(0.0, max_seconds - (time.perf_counter() - began))
        finally:
            lock.release()


def _compute(encoder: keras.Model, key: str, prepared: Prepared, home: Home, max_seconds: float) -> None:
    """Writes beside the final place and renames: a killed process leaves no half cache, but what it had computed."""
    folder, rows = _folder(home, prepared, key), fitting_rows(prepared)
    partial = _partial(folder)
    partial.mkdir(exist_ok=True)
    try:
        encoded = encode(encoder, prepared, rows, partial, max_seconds)
        each = encoded.seconds / max(1, encoded.rows)
        (partial / META).write_text(json.dumps({"seconds_per_example": each}), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # not a whole one, or it would have been used
        partial.replace(folder)
        (folder / DONE).unlink(missing_ok=True)
    except TooSlow as error:
        if error.seconds_per_example is not None:
            _learn(key, error.seconds_per_example, prepared, home)
        raise
    finally:
        if not (partial / DONE).is_file():  # nothing that would be worth going on from
            shutil.rmtree(partial, ignore_errors=True)
    _learn(key, each, prepared, home)


def _learn(key: str, seconds: float, prepared: Prepared, home: Home) -> None:
    figures = {"seconds": seconds, "size": size_of_example(prepared), "threads": num_threads()}
    Measured(home).put(_speed_key(key), figures)
