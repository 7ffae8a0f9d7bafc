"""A frozen network's features, computed once for a dataset, a backbone and a resolution, and kept."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipelines.batches import TrainingData
from pipelines.cores import num_cores
from pipelines.export import export_function
from pipelines.metrics import truth_of
from records.data import InputKind, Prepared, Split
from store.files import free_bytes
from store.home import Home

BATCH_SIZE = 32
WORTH_AN_EXPORT = 1000
"""Examples from which on ONNX Runtime, about twice as fast, makes up for the seconds of an export."""
SPARE_BYTES = 256 * 2**20
LENGTH_STEP = 16
"""Batches of texts have a multiple of so many tokens: each length that Keras meets is compiled anew."""


class TooSlow(Exception):
    """The features would not be ready in the time that the trial has, or do not fit on the disk."""


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
    encoder: keras.Model, key: str, prepared: Prepared, home: Home, max_seconds: float = float("inf")
) -> Features:
    """The features of `fitting_rows(prepared)`, from the cache where an earlier trial or run computed them.

    Args:
        encoder: `<uint8>[batch, ...]` to `<float32>[batch, ...]`. Feature maps are kept in half precision.
        key: Names the encoder; equal keys give equal features.
        prepared: The dataset.
        home: Where the cache lies.
        max_seconds: Given up early when the first batches say that it will take longer.

    Raises:
        TooSlow: It would take longer than `max_seconds`, or the disk has no room.
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
    partial = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}.part")
    try:
        partial.mkdir(parents=True)
        encode = _encode_function(encoder, prepared.inputs[rows[:1]], len(rows))
        writer = _Writer(partial / "features.npy", len(rows), max_seconds)
        for positions, trimmed in _batches(prepared, rows):
            writer.add(encode(trimmed), positions)
        seconds = writer.close()
        (partial / "meta.json").write_text(json.dumps({"seconds_per_example": seconds / max(1, len(rows))}), "utf-8")
        try:
            partial.replace(folder)
        except OSError:
            if not (folder / "features.npy").is_file():  # else another process was first: its features are equal
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _batches(prepared: Prepared, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions in `rows` and their inputs. Texts go by length, the longest first, without the padding that a whole
    batch shares: most are far shorter than the longest. The first batch tells early what all will cost at most."""
    if prepared.spec.kind is not InputKind.TEXT:
        for start in range(0, len(rows), BATCH_SIZE):
            part = rows[start : start + BATCH_SIZE]
            yield np.arange(start, start + len(part)), prepared.inputs[part]
        return
    lengths = np.concatenate(
        [(np.asarray(prepared.inputs[part]) > 0).sum(axis=1) for part in np.array_split(rows, len(rows) // 10_000 + 1)]
    )
    order = np.argsort(-lengths, kind="stable")
    for start in range(0, len(rows), BATCH_SIZE):
        positions = order[start : start + BATCH_SIZE]
        longest = -(-int(lengths[positions[0]]) // LENGTH_STEP) * LENGTH_STEP
        yield positions, prepared.inputs[rows[positions]][:, :longest]


def _encode_function(encoder: keras.Model, one: np.ndarray, count: int) -> Callable[[np.ndarray], np.ndarray]:
    """The fastest way to run the encoder on so many examples."""
    if count >= WORTH_AN_EXPORT:
        with tempfile.TemporaryDirectory(prefix="kerasmith-encoder-") as folder:
            exported = export_function(encoder, Path(folder) / "encoder.onnx", one, num_cores())
        if exported is not None:
            return exported
    return lambda batch: np.asarray(encoder.predict_on_batch(batch))


class _Writer:
    """Appends batches of features to an array file, and gives up when time or room will not do."""

    def __init__(self, path: Path, num_rows: int, max_seconds: float) -> None:
        self._path, self._num_rows, self._max_seconds = path, num_rows, max_seconds
        self._values: Any = None
        self._row, self._warm_row = 0, 0
        self._began = self._warm = time.perf_counter()

    def add(self, features: np.ndarray, positions: np.ndarray) -> None:
        """Writes one batch to its rows. Maps of fewer steps than the first batch's are filled up with zeros.

        Raises:
            TooSlow: The whole would take too long, or the disk has no room.
        """
        if self._values is None:
            self._values = self._create(features)
            self._warm, self._warm_row = time.perf_counter(), len(features)  # the first batch compiles
        if features.ndim == 3:
            self._values[positions, : features.shape[1]] = features
        else:
            self._values[positions] = features
        self._row += len(features)
        if self._row >= self._warm_row + 3 * BATCH_SIZE:
            self._check_time()

    def _create(self, features: np.ndarray) -> Any:
        """A vector takes 4 bytes a number; a map of thousands takes 2, which changes no answer that counts."""
        kind = np.float32 if features.ndim == 2 else np.float16
        shape = (self._num_rows, *features.shape[1:])
        needed = int(np.prod(shape)) * np.dtype(kind).itemsize
        if free_bytes(self._path.parent) < needed + SPARE_BYTES:
            raise TooSlow(f"The disk has no room for {needed / 1e6:.0f} MB of features.")
        return np.lib.format.open_memmap(self._path, mode="w+", dtype=kind, shape=shape)

    def _check_time(self) -> None:
        now = time.perf_counter()
        each = (now - self._warm) / (self._row - self._warm_row)
        expected = (self._warm - self._began) + each * self._num_rows
        if expected > self._max_seconds:
            raise TooSlow(
                f"Its features would take about {expected:.0f} s; {self._max_seconds:.0f} s were left for it."
            )

    def close(self) -> float:
        """Puts all on the disk. Returns the seconds that it took, without the first batch."""
        self._values.flush()
        return time.perf_counter() - self._warm
