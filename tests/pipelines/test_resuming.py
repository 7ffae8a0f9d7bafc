"""A training that was interrupted ends as if it had not been, bit for bit."""

import dataclasses
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipelines import checkpoint as checkpoints
from pipelines.batches import training_batches
from pipelines.checkpoint import CHECKPOINT, Checkpoint, read, write
from pipelines.graph import Graph
from pipelines.history import History, Progress
from pipelines.pace import Pace
from pipelines.train import Resumption, Schedule, train
from pipelines.trial import Workbench, input_data, plan
from records.trial import EpochReport, Recipe, Verdict
from search_spaces.catalog import SPACES
from tests.pipelines.benches import make_bench
from tests.search_spaces.specs import SPECS

PLAIN = Pace()
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "cnn": ("image", {"cnn/filters": 16, "cnn/num_blocks": 2, "cnn/dropout_rate": 0.3, "cnn/norm": "batch"}),
    "mlp": ("table", {"mlp/dropout_rate": 0.3, "mlp/norm": "batch"}),
    "recurrent": ("series", {"recurrent/dropout_rate": 0.3}),
}
RECIPE = Recipe(optimizer="adamw", learning_rate=1e-2, weight_decay=0.1, batch_size=8, max_epochs=40, patience=40)
AUGMENTED: dict[str, dict[str, Any]] = {
    "cnn": {"flip": True, "crop_fraction": 0.1, "rand_augment": 0.5, "mixup_alpha": 0.4, "cutmix_alpha": 1.0},
    "mlp": {},
    "recurrent": {"jitter": 0.1, "scaling": 0.1, "window_warp": 0.2},
}
EVERYTHING = {"schedule": "one_cycle", "clip_norm": 0.5, "l1_decay": 0.01, "ema_decay": 0.9, "balance": 0.5}
TICK = 1 / 64


class Interrupted(Exception):
    """Stands for whatever ends a process between two epochs."""


class Ticking:
    """Inputs whose reading moves a clock: time that passes as it would, and the same in every run."""

    def __init__(self, inputs: np.ndarray) -> None:
        self.inputs, self.now = inputs, 0.0
        self.dtype, self.shape = inputs.dtype, inputs.shape

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        self.now += TICK
        return self.inputs[rows]


@pytest.fixture(autouse=True)
def _as_often_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "WRITES_APART", 0.0)


def carry_on(_: EpochReport) -> Verdict:
    return Verdict.CONTINUE


def interrupt_after(epoch: int) -> Callable[[EpochReport], Verdict]:
    def report(told: EpochReport) -> Verdict:
        if told.epoch > epoch:
            raise Interrupted
        return Verdict.CONTINUE

    return report


def assert_same(ours: list[np.ndarray], theirs: list[np.ndarray]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_same_history(ours: History, theirs: History) -> None:
    np.testing.assert_array_equal(ours.predictions, theirs.predictions)
    without = [dataclasses.replace(h, predictions=np.zeros(0)) for h in (ours, theirs)]
    numbers = [{f.name: getattr(h, f.name) for f in dataclasses.fields(h) if f.name != "predictions"} for h in without]
    assert numbers[0] == numbers[1]


def trained(
    bench: Workbench,
    space: str,
    schedule: Schedule | None,
    report: Callable[[EpochReport], Verdict],
    resumption: Resumption,
    changes: dict[str, Any] | None = None,
) -> tuple[list[np.ndarray], History]:
    """A training of a new network, as a new process makes it, under a clock that its batches move."""
    planned = plan(bench, space, KINDS[space][1], seed=7)
    ticking = Ticking(np.asarray(planned.data.inputs))
    data = dataclasses.replace(planned.data, inputs=ticking)
    recipe = dataclasses.replace(RECIPE, seed=7, **AUGMENTED[space], **(changes or {}))
    graph = Graph(planned.model, recipe, data, bench.task, PLAIN)
    seconds = 60.0 if schedule else 0.7
    history = train(
        graph, recipe, data, bench.task, report, seconds, schedule, resumption=resumption, clock=lambda: ticking.now
    )
    return graph.variables(), history


@pytest.mark.parametrize("by_clock", [False, True])
@pytest.mark.parametrize(
    "space", [pytest.param("cnn", marks=pytest.mark.slow), "mlp", pytest.param("recurrent", marks=pytest.mark.slow)]
)
def test_interrupted_equals_uninterrupted(space: str, by_clock: bool, tmp_path: Path) -> None:
    bench = make_bench(SPACES[space], SPECS[KINDS[space][0]], tmp_path)
    schedule = None if by_clock else Schedule(planned_steps=30, stop_after=21)
    expected, history = trained(bench, space, schedule, carry_on, Resumption())
    assert history.steps == history.planned_steps < 160 if by_clock else history.steps == 21
    kept: list[Progress] = []
    with pytest.raises(Interrupted):
        keeping = Resumption(keep=lambda progress: kept.append(progress()))
        trained(bench, space, schedule, interrupt_after(3), keeping)
    assert [progress.epochs for progress in kept] == [1, 2, 3]
    for progress in (kept[0], kept[2]):
        write(tmp_path / CHECKPOINT, Checkpoint(at=progress), "digest")
        checkpoint = read(tmp_path / CHECKPOINT, "digest")
        assert checkpoint is not None
        keras.utils.set_random_seed(99)  # nothing may depend on what a new process happens to draw
        found, again = trained(bench, space, schedule, carry_on, Resumption(start=checkpoint.at))
        assert_same(found, expected)
        assert_same_history(again, history)


@pytest.mark.parametrize(
    "optimizer", ["muon", *(pytest.param(name, marks=pytest.mark.slow) for name in ("adamw", "sgd", "lion"))]
)
def test_every_part_of_a_recipe_goes_on_as_it_would_have(optimizer: str, tmp_path: Path) -> None:
    bench, schedule = make_bench(SPACES["mlp"], SPECS["table"], tmp_path), Schedule(planned_steps=24, stop_after=20)
    changes = {**EVERYTHING, "optimizer": optimizer}
    expected, history = trained(bench, "mlp", schedule, carry_on, Resumption(), changes)
    kept: list[Progress] = []
    with pytest.raises(Interrupted):
        keeping = Resumption(keep=lambda progress: kept.append(progress()))
        trained(bench, "mlp", schedule, interrupt_after(3), keeping, changes)
    write(tmp_path / CHECKPOINT, Checkpoint(at=kept[-1]), "digest")
    checkpoint = read(tmp_path / CHECKPOINT, "digest")
    assert checkpoint is not None
    found, again = trained(bench, "mlp", schedule, carry_on, Resumption(start=checkpoint.at), changes)
    assert_same(found, expected)
    assert_same_history(again, history)


def test_less_time_than_before_shortens_the_schedule(tmp_path: Path) -> None:
    bench = make_bench(SPACES["mlp"], SPECS["table"], tmp_path)
    _, history = trained(bench, "mlp", None, carry_on, Resumption())
    kept: list[Progress] = []
    with pytest.raises(Interrupted):
        keep = Resumption(keep=lambda progress: kept.append(progress()))
        trained(bench, "mlp", None, interrupt_after(3), keep)
    start = dataclasses.replace(kept[-1], max_seconds=100.0)
    _, shorter = trained(bench, "mlp", None, carry_on, Resumption(start=dataclasses.replace(start, seconds=-0.3)))
    assert kept[-1].step < shorter.steps < history.steps
    assert shorter.seconds < 0.5


def test_batches_begin_in_the_middle_as_without_a_break(bench: Workbench) -> None:
    data, recipe = input_data(bench.prepared), Recipe(batch_size=7, flip=True, crop_fraction=0.2, seed=4)
    whole = list(islice(training_batches(data, recipe), 25))
    for start in (0, 3, 9, 20):  # a pass has 9
        for one, other in zip(training_batches(data, recipe, start), whole[start:], strict=False):
            assert_same(list(one), list(other))
