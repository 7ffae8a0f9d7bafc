"""Running an encoder over a dataset, into an array file that a killed process leaves usable."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipelines.cores import num_threads
from pipelines.export import export_function
from pipelines.steps import predict_batch
from records.data import InputKind, Prepared
from store.files import free_bytes, write_atomically

BATCH_SIZE = 32
WORTH_AN_EXPORT = 1000
"""Examples from which on ONNX Runtime, about twice as fast, makes up for the seconds of an export."""
SPARE_BYTES = 256 * 2**20
LENGTH_STEP = 16
"""Batches of texts have a multiple of so many tokens: each length that Keras meets is compiled anew."""
KEEP_EVERY_SECONDS = 5.0
"""What was computed is put on the disk so often; a killed process loses no more."""
VALUES, DONE = "features.npy", "done.json"


class TooSlow(Exception):
    """The features would not be ready in the time that the trial has, or do not fit on the disk."""

    def __init__(self, reason: str, seconds_per_example: float | None = None) -> None:
        """
        Args:
            reason: A sentence.
            seconds_per_example: That were measured until it was given up.
        """
        super().__init__(reason)
        self.seconds_per_example = seconds_per_example


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """How far an encoder came."""

    rows: int
    """That have their features. They are the first in the order of `_batches`."""
    seconds: float
    """That these took, in all processes together, without compiling."""


_NOTHING = Encoded(rows=0, seconds=0.0)


def encode(encoder: keras.Model, prepared: Prepared, rows: np.ndarray, folder: Path, max_seconds: float) -> Encoded:
    """Computes the features of `rows` into `folder`, from where an earlier process came to.

    Args:
        encoder: `<uint8>[batch, ...]` to `<float32>[batch, ...]`. Feature maps are kept in half precision.
        prepared: The dataset.
        rows: `<int64>[examples]` of its inputs.
        folder: Exists, and is used by nobody else.
        max_seconds: Given up early when the first batches say that it will take longer.

    Raises:
        TooSlow: It would take longer than `max_seconds`, or the disk has no room.
    """
    before = known(folder, len(rows))
    writer = _Writer(folder, len(rows), before, max_seconds)
    run = _encode_function(encoder, prepared.inputs[rows[:1]], len(rows) - before.rows)
    for positions, inputs in _batches(prepared, rows, before.rows):
        writer.add(run(inputs), positions)
    return writer.close()


def known(folder: Path, num_rows: int) -> Encoded:
    """How far earlier processes came in `folder`; nothing, where that cannot be told."""
    try:
        told = json.loads((folder / DONE).read_text("utf-8"))
        found = Encoded(rows=int(told["rows"]), seconds=float(told["seconds"]))
        values = np.load(folder / VALUES, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return _NOTHING
    whole = len(values) == num_rows and 0 < found.rows <= num_rows and 0.0 <= found.seconds < float("inf")
    return found if whole else _NOTHING


def size_of_example(prepared: Prepared) -> float:
    """What the time of an encoder grows with from one dataset to another: tokens for texts. The size of an image is
    part of the encoder's key."""
    if prepared.spec.kind is not InputKind.TEXT:
        return 1.0
    some = prepared.inputs[:: max(1, len(prepared.inputs) // 1000)]
    return max(1.0, float((np.asarray(some) > 0).sum(axis=1).mean()))


def _batches(prepared: Prepared, rows: np.ndarray, done: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions in `rows` and their inputs, without the first `done`. Texts go by length, the longest first, without
    the padding that a whole batch shares: most are far shorter than the longest. The first batch tells early what all
    will cost at most."""
    if prepared.spec.kind is not InputKind.TEXT:
        for start in range(done, len(rows), BATCH_SIZE):
            part = rows[start : start + BATCH_SIZE]
            yield np.arange(start, start + len(part)), prepared.inputs[part]
        return
    lengths = np.concatenate(
        [(np.asarray(prepared.inputs[part]) > 0).sum(axis=1) for part in np.array_split(rows, len(rows) // 10_000 + 1)]
    )
    order = np.argsort(-lengths, kind="stable")
    for start in range(done, len(rows), BATCH_SIZE):
        positions = order[start : start + BATCH_SIZE]
        longest = -(-int(lengths[positions[0]]) // LENGTH_STEP) * LENGTH_STEP
        yield positions, prepared.inputs[rows[positions]][:, :longest]


def _encode_function(encoder: keras.Model, one: np.ndarray, count: int) -> Callable[[np.ndarray], np.ndarray]:
    """The fastest way to run the encoder on so many examples."""
    if count >= WORTH_AN_EXPORT:
        with tempfile.TemporaryDirectory(prefix="kerasmith-encoder-") as folder:
            exported = export_function(encoder, Path(folder) / "encoder.onnx", one, num_threads())
        if exported is not None:
            return exported
    return lambda batch: predict_batch(encoder, batch, min(count, BATCH_SIZE))


class _Writer:
    """Appends batches of features to an array file, and gives up when time or room will not do."""

    def __init__(self, folder: Path, num_rows: int, before: Encoded, max_seconds: float) -> None:
        self._folder, self._num_rows, self._before, self._max_seconds = folder, num_rows, before, max_seconds
        self._values: Any = None
        self._row, self._warm_row = before.rows, before.rows
        self._began = self._warm = self._kept = time.perf_counter()

    def add(self, features: np.ndarray, positions: np.ndarray) -> None:
        """Writes one batch to its rows. Maps of fewer steps than the first batch's are filled up with zeros.

        Raises:
            TooSlow: The whole would take too long, or the disk has no room.
        """
        if self._values is None:
            self._values = self._open(features)
            self._warm, self._warm_row = time.perf_counter(), self._row + len(features)  # the first batch compiles
        if features.ndim == 3:
            self._values[positions, : features.shape[1]] = features
        else:
            self._values[positions] = features
        self._row += len(features)
        if time.perf_counter() - self._kept >= KEEP_EVERY_SECONDS:
            self._keep()
        if self._row >= self._warm_row + 3 * BATCH_SIZE:
            self._check_time()

    def _open(self, features: np.ndarray) -> Any:
        """A vector takes 4 bytes a number; a map of thousands takes 2, which changes no answer that counts."""
        path = self._folder / VALUES
        if self._before.rows:
            return np.load(path, mmap_mode="r+", allow_pickle=False)
        kind = np.float32 if features.ndim == 2 else np.float16
        shape = (self._num_rows, *features.shape[1:])
        needed = int(np.prod(shape)) * np.dtype(kind).itemsize
        path.unlink(missing_ok=True)  # an unfinished one gives its room back first
        if free_bytes(self._folder) < needed + SPARE_BYTES:
            raise TooSlow(f"The disk has no room for {needed / 1e6:.0f} MB of features.")
        return np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)

    def _encoded(self) -> Encoded:
        """As far as it is; the first batch's time is taken to be that of the others."""
        now, timed = time.perf_counter(), self._row - self._warm_row
        each = (now - self._warm) / timed if timed else self._before.seconds / max(1, self._before.rows)
        return Encoded(rows=self._row, seconds=self._before.seconds + each * (self._row - self._before.rows))

    def _keep(self) -> None:
        """Puts on the disk what was computed, and then that it was."""
        self._values.flush()
        encoded = self._encoded()
        write_atomically(self._folder / DONE, json.dumps({"rows": encoded.rows, "seconds": encoded.seconds}).encode())
        self._kept = time.perf_counter()

    def _check_time(self) -> None:
        now = time.perf_counter()
        each = (now - self._warm) / (self._row - self._warm_row)
        expected = now - self._began + each * (self._num_rows - self._row)
        if expected > self._max_seconds:
            raise TooSlow(too_slow(expected, self._max_seconds), each)

    def close(self) -> Encoded:
        """Puts all on the disk."""
        if self._values is not None:
            self._keep()
        return self._encoded()


def too_slow(expected: float, left: float) -> str:
    """A sentence for people."""
    return f"Its features would take about {expected:.0f} s; {left:.0f} s were left for it."
