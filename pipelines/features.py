"""A frozen backbone's features, computed once for a dataset, a backbone and a resolution, and kept."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipelines.batches import TrainingData
from records.data import Prepared, Split
from store.files import free_bytes
from store.home import Home

BATCH_SIZE = 64


class TooSlow(Exception):
    """The features would not be ready in the time that the trial has."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """Cached features of the training and validation examples."""

    values: Any
    """`<float32>[rows, features]`, a read-only memory map."""
    seconds_per_example: float
    """What computing them cost."""

    @property
    def num_features(self) -> int:
        return int(self.values.shape[1])


def fitting_rows(prepared: Prepared) -> np.ndarray:
    """Rows of `prepared` that may be fitted on or chosen by, training first. The test split is not among them."""
    return np.concatenate([prepared.indices[Split.TRAIN], prepared.indices[Split.VALIDATION]])


def feature_data(prepared: Prepared, features: Features) -> TrainingData:
    """The training data of a head: features in the place of inputs, in the order of `fitting_rows`."""
    num_train = len(prepared.indices[Split.TRAIN])
    rows = fitting_rows(prepared)
    return TrainingData(
        inputs=features.values,
        targets=np.asarray(prepared.targets)[rows],
        train_rows=np.arange(num_train),
        validation_rows=np.arange(num_train, len(rows)),
        num_classes=prepared.spec.num_classes,
    )


def cached_features(
    encoder: keras.Model, key: str, prepared: Prepared, home: Home, max_seconds: float = float("inf")
) -> Features:
    """The features of `fitting_rows(prepared)`, from the cache where an earlier trial or run computed them.

    Args:
        encoder: `<uint8>[batch, ...]` to `<float32>[batch, features]`.
        key: Names the encoder; equal keys give equal features.
        prepared: The dataset.
        home: Where the cache lies.
        max_seconds: Given up early when the first batches say that it will take longer.

    Raises:
        TooSlow: It would take longer than `max_seconds`.
    """
    folder = _folder(home, prepared, key)
    if not (folder / "features.npy").is_file():
        _compute(encoder, prepared, folder, max_seconds)
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    values = np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)
    return Features(values=values, seconds_per_example=meta["seconds_per_example"])


def _folder(home: Home, prepared: Prepared, key: str) -> Path:
    digest = hashlib.sha256(f"{prepared.fingerprint}|{key}".encode()).hexdigest()[:16]
    return home.features / f"{re.sub(r'[^a-z0-9]+', '-', key.lower())[:40].strip('-')}-{digest}"


def _compute(encoder: keras.Model, prepared: Prepared, folder: Path, max_seconds: float) -> None:
    """Writes beside the final place and renames: a killed process leaves no half cache."""
    rows = fitting_rows(prepared)
    shape = (len(rows), int(encoder.output.shape[-1]))
    if free_bytes(folder.parent) < 2 * 4 * shape[0] * shape[1]:
        raise TooSlow(f"The disk has no room for {4 * shape[0] * shape[1] / 1e6:.0f} MB of features.")
    partial = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}.part")
    partial.mkdir(parents=True)
    try:
        seconds = _encode_all(encoder, prepared.inputs, rows, partial / "features.npy", shape, max_seconds)
        (partial / "meta.json").write_text(json.dumps({"seconds_per_example": seconds / max(1, len(rows))}), "utf-8")
        try:
            partial.replace(folder)
        except OSError:
            if not (folder / "features.npy").is_file():  # else another process was first: its features are equal
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _encode_all(
    encoder: keras.Model, inputs: Any, rows: np.ndarray, path: Path, shape: tuple[int, int], max_seconds: float
) -> float:
    """Seconds that it took, without the first batch, which compiles."""
    values = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    began, compiled = time.perf_counter(), None
    for start in range(0, len(rows), BATCH_SIZE):
        batch = inputs[rows[start : start + BATCH_SIZE]]
        values[start : start + len(batch)] = np.asarray(encoder.predict_on_batch(batch))
        now = time.perf_counter()
        if compiled is None:
            compiled = now
        elif start >= 3 * BATCH_SIZE:
            expected = (compiled - began) + (now - compiled) / start * len(rows)
            if expected > max_seconds:
                raise TooSlow(f"Its features would take about {expected:.0f} s; {max_seconds:.0f} s were left for it.")
    values.flush()
    return time.perf_counter() - (compiled or began)
