"""Where a trial stands, written so that a killed one goes on: exactly as it would have gone on without the break."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import math
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pipelines.graph import Graph
from pipelines.history import History, Progress
from records.data import Prepared, Split
from records.errors import StoreError
from records.trial import EpochReport, TrialSpec
from store.files import writing

CHECKPOINT = "checkpoint.npz"
CHECKPOINT_SECONDS = 20.0
"""At least so long between two checkpoints."""
WRITES_APART = 20.0
"""And at least so many times what writing the last one took: a large network on a slow disk has fewer."""
FORMAT_VERSION = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Where a trial stands. One that is not cross-validated has one training."""

    at: Progress | None = None
    """The training at hand; `None`: the next one has not begun."""
    first: History | None = None
    """What the training on the given split gave, once it is done."""
    first_weights: tuple[np.ndarray, ...] = ()
    """The best ones of that training."""
    predictions: tuple[np.ndarray, ...] = ()
    """`<float32>[validation, ...]` of the further folds that are done, in their order."""
    training_seconds: float = math.inf
    """That each training of it may take."""
    seconds: float = 0.0
    """Of the trial so far."""

    @property
    def trainings_done(self) -> int:
        return (self.first is not None) + len(self.predictions)


class Keeper:
    """Writes the checkpoints of one trial, when the last one is old enough."""

    def __init__(self, folder: Path, digest: str, every_seconds: float = CHECKPOINT_SECONDS) -> None:
        self.finished = Checkpoint()
        """The trainings of this trial that are done; `at` is not used."""
        self.resumed_at_step = 0
        self._path, self._digest, self._every_seconds = folder / CHECKPOINT, digest, every_seconds
        self._began = self._written = time.perf_counter()
        self._earlier_seconds = 0.0

    @property
    def seconds(self) -> float:
        """Of the trial so far, in this process and in those before it."""
        return self._earlier_seconds + time.perf_counter() - self._began

    def resume(self, graph: Graph) -> Progress | None:
        """Takes up what the folder holds of this trial. Returns where its training at hand stands, if there is one.

        Args:
            graph: Of the trial; what was kept must fit it.
        """
        checkpoint = read(self._path, self._digest)
        if checkpoint is None:
            return None
        at = checkpoint.at
        if at is not None and not graph.fits(at.variables, at.optimizer_variables):
            _log.warning("%s is of another network: the trial begins anew.", self._path)
            return None
        self._earlier_seconds = checkpoint.seconds
        self.finished = dataclasses.replace(checkpoint, at=None)
        ended = checkpoint.first.steps if checkpoint.first is not None else 0
        self.resumed_at_step = at.step if at is not None else ended
        return at

    def keep(self, progress: Callable[[], Progress] | None) -> None:
        """Writes a checkpoint where it is time. A disk that is full is no reason to stop training.

        Args:
            progress: Tells where the training at hand stands; `None` between two trainings.
        """
        if time.perf_counter() - self._written < self._every_seconds:
            return
        began = time.perf_counter()
        checkpoint = dataclasses.replace(self.finished, at=progress() if progress else None, seconds=self.seconds)
        try:
            write(self._path, checkpoint, self._digest)
        except StoreError as error:
            _log.warning("No checkpoint was written, the trial goes on: %s", error)
        self._written = time.perf_counter()
        self._every_seconds = max(self._every_seconds, WRITES_APART * (self._written - began))


def trial_digest(trial: TrialSpec, prepared: Prepared) -> str:
    """Changes when a checkpoint of the one trial is of no use to the other."""
    rows = [len(prepared.indices[split]) for split in (Split.TRAIN, Split.VALIDATION)]
    told = [trial.space, trial.values, trial.seed, trial.batch_divisor, prepared.fingerprint, rows]
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=repr).encode()).hexdigest()


def write(path: Path, checkpoint: Checkpoint, digest: str) -> None:
    """Writes the whole of it, or leaves what was there.

    Raises:
        StoreError: The disk is full, or the folder cannot be written.
    """
    arrays, numbers = _taken_apart(checkpoint)
    told = json.dumps({"format_version": FORMAT_VERSION, "digest": digest, **numbers}).encode()
    named: dict[str, Any] = {"numbers": np.frombuffer(told, np.uint8), **arrays}
    write_whole(path, lambda file: np.savez(file, **named))


def read(path: Path, digest: str) -> Checkpoint | None:
    """What `write` wrote with the same digest; `None`, with a word in the log, for anything else."""
    try:
        with np.load(path, allow_pickle=False) as file:
            numbers = json.loads(file["numbers"].tobytes())
            if (numbers["format_version"], numbers["digest"]) != (FORMAT_VERSION, digest):
                _log.warning("%s is another trial's or another version's: the trial begins anew.", path)
                return None
            return _put_together(file, numbers)
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever a broken file makes numpy, zip or JSON raise
        _log.warning("%s cannot be read, the trial begins anew: %s: %s", path, type(error).__name__, error)
        return None


def forget_checkpoint(folder: Path) -> None:
    """The next training of the trial begins anew."""
    (folder / CHECKPOINT).unlink(missing_ok=True)
    for partial in folder.glob(f".{CHECKPOINT}.*.part"):  # of a process that was killed while it wrote
        partial.unlink(missing_ok=True)


def write_whole(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    """Writes a file whole, or leaves what was there. The content is on the disk when the call returns.

    After a power cut the old file may stand there all the same, until something syncs the folder.

    Raises:
        StoreError: The disk is full, or the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise


_NO_LISTS: dict[str, Any] = {"variables": None, "optimizer_variables": None, "best_weights": None}
_NO_ARRAYS: dict[str, Any] = {**_NO_LISTS, "best_predictions": None}
_NO_PREDICTIONS: dict[str, Any] = {"predictions": None}


def _taken_apart(checkpoint: Checkpoint) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays by name, and the rest as JSON has it."""
    lists: dict[str, Sequence[np.ndarray]] = {
        "first_weights": checkpoint.first_weights,
        "predictions": checkpoint.predictions,
    }
    single: dict[str, np.ndarray] = {}
    at = first = None
    if checkpoint.at is not None:
        at = dataclasses.asdict(dataclasses.replace(checkpoint.at, **_NO_ARRAYS))
        lists |= {f"at/{name}": getattr(checkpoint.at, name) for name in _NO_LISTS}
        single["at/best_predictions"] = checkpoint.at.best_predictions
    if checkpoint.first is not None:
        first = dataclasses.asdict(dataclasses.replace(checkpoint.first, **_NO_PREDICTIONS))
        single["first/predictions"] = checkpoint.first.predictions
    arrays = {_numbered(name, i): array for name, listed in lists.items() for i, array in enumerate(listed)}
    return {**single, **arrays}, {
        "at": at,
        "first": first,
        "lengths": {name: len(listed) for name, listed in lists.items()},
        "training_seconds": checkpoint.training_seconds,
        "seconds": checkpoint.seconds,
    }


def _put_together(arrays: Mapping[str, np.ndarray], numbers: dict[str, Any]) -> Checkpoint:
    lists = {name: [arrays[_numbered(name, i)] for i in range(length)] for name, length in numbers["lengths"].items()}
    at, first = numbers["at"], numbers["first"]
    for record in (at, first):
        if record is not None:
            record["reports"] = [EpochReport(**report) for report in record["reports"]]
    if at is not None:
        at |= {name: lists[f"at/{name}"] for name in _NO_LISTS}
        at["best_predictions"] = arrays["at/best_predictions"]
    if first is not None:
        first["predictions"] = arrays["first/predictions"]
    return Checkpoint(
        at=None if at is None else Progress(**at),
        first=None if first is None else History(**first),
        first_weights=tuple(lists["first_weights"]),
        predictions=tuple(lists["predictions"]),
        training_seconds=numbers["training_seconds"],
        seconds=numbers["seconds"],
    )


def _numbered(name: str, i: int) -> str:
    return f"{name}/{i:05d}"
