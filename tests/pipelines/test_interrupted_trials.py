"""Trials that were interrupted: they go on from what their folder holds, and tell what they told before."""

import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import checkpoint as checkpoints
from pipelines.checkpoint import CHECKPOINT, Checkpoint, read, write
from pipelines.trial import Workbench, run_trial
from records.trial import EpochReport, Recipe, TrialSpec, Verdict
from tests.pipelines.benches import some_progress


class Interrupted(Exception):
    """Stands for whatever ends a process between two epochs."""


@pytest.fixture(autouse=True)
def _as_often_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "WRITES_APART", 0.0)


def carry_on(_: EpochReport) -> Verdict:
    return Verdict.CONTINUE


def small(bench: Workbench, max_epochs: int = 3) -> Workbench:
    def recipe(values: dict[str, Any]) -> Recipe:
        return Recipe(
            learning_rate=3e-3, weight_decay=0.1, batch_size=16, max_epochs=max_epochs, patience=99, flip=True
        )

    cnn = dataclasses.replace(bench.spaces["cnn"], recipe=recipe)
    return dataclasses.replace(bench, spaces={**bench.spaces, "cnn": cnn})


def trial_in(folder: Path) -> TrialSpec:
    values = {"cnn/filters": 16, "cnn/num_blocks": 2, "cnn/convolutions": 1, "cnn/dropout_rate": 0.2}
    return TrialSpec(run_id="r", number=3, space="cnn", values=values, seed=5, max_seconds=300.0, folder=str(folder))


def arrays_in(folder: Path) -> dict[str, np.ndarray]:
    found = {"validation.npy": np.load(folder / "validation.npy")}
    for name in ("weights.npz", "outside.npz"):
        with np.load(folder / name) as file:
            found |= {f"{name}/{part}": file[part] for part in file.files}
    return found


def assert_same_results(ours: Path, theirs: Path) -> None:
    found, expected = arrays_in(ours), arrays_in(theirs)
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert not (ours / CHECKPOINT).exists()


def test_a_cross_validated_trial_goes_on_from_any_of_its_checkpoints(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = small(bench)
    expected = run_trial(trial_in(tmp_path / "whole"), bench, carry_on)
    assert expected.resumed_at_step == 0
    written = 0

    def write_and_die(path: Path, checkpoint: Checkpoint, digest: str) -> None:
        nonlocal written
        write(path, checkpoint, digest)
        written += 1
        if written in (1, 4, 6):  # in the first training, in the second one, between two
            raise Interrupted

    monkeypatch.setattr(checkpoints, "write", write_and_die)
    resumed_at = []
    for attempt in range(4):
        bench.kept.forget()  # as in a new process
        try:
            result = run_trial(trial_in(tmp_path / "broken"), bench, carry_on, checkpoint_seconds=0.0)
        except Interrupted:
            assert attempt < 3
            found = read(tmp_path / "broken" / CHECKPOINT, digest_in(tmp_path / "broken", bench))
            assert found is not None
            resumed_at.append((found.trainings_done, found.at.epochs if found.at else None))
    assert resumed_at == [(0, 1), (1, 1), (2, None)]
    assert_same_results(tmp_path / "broken", tmp_path / "whole")
    told = ("score", "loss", "metrics", "best_step", "steps", "planned_steps", "steps_per_epoch")
    assert [getattr(result, name) for name in told] == [getattr(expected, name) for name in told]
    assert result.resumed_at_step > 0
    assert result.seconds > result.train_seconds


def digest_in(folder: Path, bench: Workbench) -> str:
    return checkpoints.trial_digest(trial_in(folder), bench.prepared)


def test_an_epoch_that_was_not_told_is_told_again(bench: Workbench, tmp_path: Path) -> None:
    bench = small(bench)
    told: list[EpochReport] = []

    def report(epoch: EpochReport) -> Verdict:
        told.append(epoch)
        if len(told) == 2:
            raise Interrupted
        return Verdict.CONTINUE

    with pytest.raises(Interrupted):
        run_trial(trial_in(tmp_path), bench, report, checkpoint_seconds=0.0)
    run_trial(trial_in(tmp_path), bench, report, checkpoint_seconds=0.0)
    assert [epoch.epoch for epoch in told] == [1, 2, 2, 3]
    assert told[1].score == told[2].score and told[1].train_loss == told[2].train_loss
    assert told[0].seconds < told[2].seconds < told[3].seconds


def test_a_checkpoint_of_another_network_is_ignored(
    bench: Workbench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = small(bench, max_epochs=1)
    write(tmp_path / CHECKPOINT, Checkpoint(at=some_progress()), digest_in(tmp_path, bench))
    result = run_trial(trial_in(tmp_path), bench, carry_on)
    assert "is of another network" in caplog.text
    assert result.resumed_at_step == 0
    assert not (tmp_path / CHECKPOINT).exists()


CHILD = """
import sys
from pathlib import Path
from tests.pipelines.test_interrupted_trials import carry_on, killable_bench, trial_in
from pipelines.trial import run_trial

folder = Path(sys.argv[1])
result = run_trial(trial_in(folder), killable_bench(folder), carry_on, checkpoint_seconds=0.05)
print(result.resumed_at_step, result.score)
"""


def killable_bench(folder: Path) -> Workbench:
    from pipelines.bench import open_bench
    from records.config import RunConfig
    from records.task import get_task
    from store.home import open_home
    from tests.tiny import make_prepared

    home = open_home(folder.parent / "home")
    made, _ = open_bench(
        RunConfig(data="tiny", spaces=("cnn",)), make_prepared(folder), get_task("classification"), home
    )
    return small(made, max_epochs=60)


@pytest.mark.slow
def test_a_killed_process_loses_nothing_but_time(tmp_path: Path) -> None:
    def start(folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CHILD, str(folder)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])

    expected = start(tmp_path / "whole").communicate()[0].split()
    resumed_at = 0
    for _ in range(3):
        child, before = start(tmp_path / "killed"), written_at(tmp_path / "killed")
        while child.poll() is None and written_at(tmp_path / "killed") == before:
            time.sleep(0.005)
        time.sleep(0.1)
        child.send_signal(signal.SIGKILL)
        child.wait()
    found = start(tmp_path / "killed").communicate()[0].split()
    resumed_at = int(found[0])
    assert expected[0] == "0" and resumed_at > 0
    assert found[1] == expected[1]
    assert_same_results(tmp_path / "killed", tmp_path / "whole")


def written_at(folder: Path) -> float:
    path = folder / CHECKPOINT
    return path.stat().st_mtime if path.exists() else 0.0
