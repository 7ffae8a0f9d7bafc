"""A workbench with a few made-up examples of any kind of data, and the state of a made-up training."""

import dataclasses
from pathlib import Path

import numpy as np

from pipelines.history import Progress
from pipelines.trial import Workbench
from records.data import DataSpec, InputKind, Prepared, Split
from records.trial import EpochReport
from search_spaces.space import Space
from store.home import open_home
from tests.search_spaces.specs import inputs_for, task_of

NUM_TRAIN, NUM_VALIDATION = 26, 7


def make_bench(space: Space, spec: DataSpec, folder: Path) -> Workbench:
    """26 examples to train on and 7 to validate on, whose answers are noise."""
    count = NUM_TRAIN + NUM_VALIDATION
    rng = np.random.default_rng(5)
    prepared = Prepared(
        fingerprint="f" * 64,
        folder=folder,
        spec=dataclasses.replace(spec),
        codec={},
        inputs=inputs_for(spec, count),
        targets=_targets(spec, count, rng),
        ids=tuple(str(i) for i in range(count)),
        indices={
            Split.TRAIN: np.arange(NUM_TRAIN),
            Split.VALIDATION: np.arange(NUM_TRAIN, count),
            Split.TEST: np.arange(0),
        },
        scales=np.full((count, 3), (3.0, 2.0, 1.0), np.float32) if spec.kind is InputKind.FORECAST else None,
    )
    return Workbench(prepared=prepared, task=task_of(spec), spaces={space.name: space}, home=open_home(folder / "home"))


def _targets(spec: DataSpec, count: int, rng: np.random.Generator) -> np.ndarray:
    if spec.labels:
        return np.arange(count) % spec.num_classes
    shape = (count, spec.forecast.horizon) if spec.kind is InputKind.FORECAST else (count,)
    return rng.normal(size=shape).astype(np.float32)


def some_progress() -> Progress:
    """With one of everything, and numbers that are easily lost."""
    report = EpochReport(epoch=1, score=0.1 + 0.2, train_loss=float("nan"), val_loss=1e-300, seconds=3.3)
    return Progress(
        planned_steps=7,
        stop_after=5,
        max_seconds=9.9,
        step=3,
        best_score=1 / 3,
        reports=[report],
        variables=[np.arange(3.0), np.array([7, 1], np.uint32)],
        optimizer_variables=[np.array(3, np.int64)],
        best_weights=[np.float32([[1.5]])],
        best_predictions=np.eye(2, dtype=np.float32),
    )
