"""Fixtures: small data that can be learnt in a second, and a run in the ledger to learn it in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from records.config import RunConfig
from records.data import DataSpec, InputKind, Prepared, Split
from records.task import get_task
from records.trial import Run, RunState
from serving.codecs.image import ImageCodec
from store.database import open_database
from store.home import Home
from store.ledger import Ledger

if TYPE_CHECKING:
    from pipelines.trial import Workbench

LABELS = ("blue", "green", "red")
SHAPE = (11, 9, 3)
NUM_TRAIN, NUM_VALIDATION, NUM_TEST = 61, 23, 29


def make_images(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with one colour channel brighter than the others: which one is the class."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, len(LABELS), count)
    targets[: len(LABELS)] = np.arange(len(LABELS))
    images = rng.integers(0, 160, (count, *SHAPE))
    images[np.arange(count), :, :, 2 - targets] += 80
    return images.astype(np.uint8), targets.astype(np.int64)


def make_prepared(folder: Path) -> Prepared:
    """Three classes of 11 by 9 pixels, split already."""
    inputs, targets = make_images(NUM_TRAIN + NUM_VALIDATION + NUM_TEST, seed=3)
    bounds = np.cumsum([0, NUM_TRAIN, NUM_VALIDATION, NUM_TEST])
    indices = {split: np.arange(bounds[i], bounds[i + 1]) for i, split in enumerate(Split)}
    counts = np.bincount(targets[indices[Split.TRAIN]], minlength=len(LABELS))
    height, width, channels = SHAPE
    return Prepared(
        fingerprint="f" * 64,
        folder=folder,
        spec=DataSpec(
            kind=InputKind.IMAGE,
            input_shape=SHAPE,
            dtype="uint8",
            labels=LABELS,
            label_counts=tuple(int(count) for count in counts),
        ),
        codec=ImageCodec(height=height, width=width, channels=channels).to_json(),
        inputs=inputs,
        targets=targets,
        ids=tuple(f"image {i}" for i in range(len(targets))),
        indices=indices,
    )


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return make_prepared(tmp_path)


@pytest.fixture
def bench(prepared: Prepared, home: Home) -> Workbench:
    from pipelines.bench import open_bench

    made, left_out = open_bench(RunConfig(data="tiny", spaces=("cnn",)), prepared, get_task("classification"), home)
    assert left_out == []
    return made


@pytest.fixture
def ledger(home: Home) -> Ledger:
    return Ledger(open_database(home))


@pytest.fixture
def run_record(ledger: Ledger) -> Run:
    record = Run(
        id="run0123",
        name="tiny",
        state=RunState.RUNNING,
        config={},
        task="classification",
        objective="accuracy",
        started_at=datetime.now(UTC).isoformat(),
    )
    ledger.start_run(record)
    return record
