"""TensorBoard reads what is written, with its own readers; nothing stands there twice, and nothing ends a run."""

import dataclasses
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.reporting.facts import ReportFacts
from pipelines.tensorboard_logs import EVERY_SECONDS, BoardLogs, folder_name, hyperparameters
from records.trial import EpochReport, Trial, TrialState

ROOT = Path(__file__).resolve().parents[2]
READER = """
import json, sys, types
from pathlib import Path
sys.modules["tensorboard.compat.notf"] = types.ModuleType("notf")  # TensorBoard then reads without TensorFlow
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from google.protobuf.json_format import MessageToDict
told = {}
for folder in sorted(Path(sys.argv[1]).iterdir()):
    events = EventAccumulator(str(folder)).Reload()
    scalars = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    seconds = {tag: [e.wall_time for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    parts = {
        tag: MessageToDict(metadata.plugin_data_pb2.HParamsPluginData.FromString(content))
        for tag, content in events.PluginTagToContent("hparams").items()
    } if "hparams" in events._plugin_to_tag_to_content else {}
    told[folder.name] = {"scalars": scalars, "hparams": parts, "seconds": seconds}
print(json.dumps(told))
"""
"""In a process of its own, since it changes how TensorBoard reads."""


def read(folder: Path) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", READER, str(folder)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def epoch(number: int, score: float, loss: float = 0.5) -> EpochReport:
    return EpochReport(epoch=number, score=score, train_loss=loss, val_loss=loss * 2, seconds=2.0 * number)


def running(number: int, *epochs: EpochReport) -> Trial:
    values = {"cnn/filters": 32, "cnn/flip": True, "cnn/norm": "batch", "cnn/learning_rate": 0.25}
    state = TrialState.RUNNING
    return Trial(run_id="r", number=number, space="cnn", values=values, state=state, seed=0, epochs=epochs)


@pytest.fixture
def trials(make_facts: Callable[..., ReportFacts]) -> tuple[Trial, ...]:
    return make_facts(num_trials=4).trials  # the last one failed


def test_curves_and_hyperparameters_are_read_back(trials: tuple[Trial, ...], tmp_path: Path) -> None:
    odd = dataclasses.replace(trials[1], number=9, state=TrialState.PRUNED, origin="tpe")
    BoardLogs(tmp_path / "logs", "accuracy").update([*trials, odd])
    told = read(tmp_path / "logs")
    assert list(told) == [folder_name(trial) for trial in (*trials, odd)]
    for trial in (*trials[:-1], odd):
        mine = told[folder_name(trial)]["scalars"]
        assert [step for step, _ in mine["score/accuracy"]] == [e.epoch for e in trial.epochs]
        assert [score for _, score in mine["score/accuracy"]] == pytest.approx([e.score for e in trial.epochs])
        assert [loss for _, loss in mine["loss/validation"]] == pytest.approx([e.val_loss for e in trial.epochs])
        assert mine["best/accuracy"][0][1] == pytest.approx(trial.score)
    begun = told["0009-frozen_backbone"]["hparams"]["_hparams_/session_start_info"]["sessionStartInfo"]
    assert begun["hparams"]["space"] == "frozen_backbone" and begun["hparams"]["origin"] == "tpe"
    assert begun["hparams"]["learning_rate"] == pytest.approx(0.0012345)
    ended = {
        name: one["hparams"]["_hparams_/session_end_info"]["sessionEndInfo"]["status"] for name, one in told.items()
    }
    assert ended.pop(folder_name(trials[-1])) == "STATUS_FAILURE"
    assert set(ended.values()) == {"STATUS_SUCCESS"}


def test_a_run_that_goes_on_is_written_piece_by_piece(tmp_path: Path) -> None:
    logs = BoardLogs(tmp_path, "accuracy")
    logs.update([running(3)], at_once=True)
    assert not any(tmp_path.iterdir())
    logs.update([running(3, epoch(1, 0.1))], at_once=True)
    logs.update([running(3, epoch(1, 0.1), epoch(2, 0.2))])  # too soon
    assert [step for step, _ in read(tmp_path)["0003-cnn"]["scalars"]["score/accuracy"]] == [1]
    for _ in range(2):
        logs.update([running(3, epoch(1, 0.1), epoch(2, 0.2), epoch(3, 0.3, math.nan))], at_once=True)
    mine = read(tmp_path)["0003-cnn"]
    assert [step for step, _ in mine["scalars"]["score/accuracy"]] == [1, 2, 3]
    assert [step for step, _ in mine["scalars"]["loss/train"]] == [1, 2]  # NaN is left out
    first, second, third = mine["seconds"]["score/accuracy"]
    assert (second - first, third - second) == pytest.approx((2.0, 2.0))
    values = mine["hparams"]["_hparams_/session_start_info"]["sessionStartInfo"]["hparams"]
    assert values == {
        "space": "cnn", "origin": "", "filters": 32.0, "flip": True, "norm": "batch", "learning_rate": 0.25
    }  # fmt: skip


def test_epochs_that_are_told_again_take_the_place_of_the_old_ones(tmp_path: Path) -> None:
    logs = BoardLogs(tmp_path, "accuracy")
    logs.update([running(0, epoch(1, 0.1), epoch(2, 0.2), epoch(3, 0.3))], at_once=True)
    logs.update([running(0, epoch(1, 0.1), epoch(2, 0.25))], at_once=True)
    told = read(tmp_path)["0000-cnn"]["scalars"]["score/accuracy"]
    assert [(step, round(score, 4)) for step, score in told] == [(1, 0.1), (2, 0.25)]


def test_a_resumed_run_writes_everything_anew_and_nothing_twice(trials: tuple[Trial, ...], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    BoardLogs(tmp_path, "accuracy").update(trials, at_once=True)
    BoardLogs(tmp_path, "accuracy").update([trials[1]], at_once=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder_name(trials[1]), "notes.txt"]
    (tmp_path / "notes.txt").unlink()
    told = read(tmp_path)[folder_name(trials[1])]["scalars"]["score/accuracy"]
    assert len(told) == len(trials[1].epochs)


def test_it_writes_every_ten_seconds_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("pipelines.tensorboard_logs.time.monotonic", lambda: now[0])
    logs = BoardLogs(tmp_path, "accuracy")
    logs.update([running(0, epoch(1, 0.1))])
    (file,) = tmp_path.rglob("*tfevents*")
    size = file.stat().st_size
    now[0] += EVERY_SECONDS - 0.1
    logs.update([running(0, epoch(1, 0.1), epoch(2, 0.2))])
    assert file.stat().st_size == size
    now[0] += 0.2
    logs.update([running(0, epoch(1, 0.1), epoch(2, 0.2))])
    assert file.stat().st_size > size


def test_a_folder_that_cannot_be_written_is_a_sentence(trials: tuple[Trial, ...], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    logs = BoardLogs(tmp_path / "taken", "accuracy")
    logs.update(trials, at_once=True)
    assert logs.problem.startswith(f"TensorBoard's logs in {tmp_path / 'taken'} could not be written:")
    logs.update(trials, at_once=True)


def test_names_of_one_trial_stay_apart_and_folders_stay_names() -> None:
    values = {"a/units": 1, "b/units": 2, "b/rate": 0.1}
    trial = dataclasses.replace(running(7), space="../mine.py:net", values=values, origin="portfolio: Good.")
    assert hyperparameters(trial) == {
        "space": "../mine.py:net", "origin": "portfolio", "a/units": 1, "b/units": 2, "rate": 0.1
    }  # fmt: skip
    assert folder_name(trial) == "0007-.._mine.py_net"


def test_writing_loads_no_training_library(tmp_path: Path) -> None:
    program = f"""
import json, sys
from pathlib import Path
from pipelines.tensorboard_logs import BoardLogs
from records.trial import EpochReport, Trial, TrialState
epochs = (EpochReport(epoch=1, score=0.5, train_loss=1.0, val_loss=1.0, seconds=1.0),)
trial = Trial(run_id="r", number=0, space="cnn", values={{"cnn/x": 1}}, state=TrialState.COMPLETED, seed=0,
              score=0.5, epochs=epochs)
logs = BoardLogs(Path({str(tmp_path)!r}), "accuracy")
logs.update([trial], at_once=True)
print(json.dumps([logs.problem, sorted({{name.split(".")[0] for name in sys.modules}})]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    problem, loaded = json.loads(done.stdout.splitlines()[-1])
    assert problem == "" and (tmp_path / "0000-cnn").is_dir()
    assert not {"tensorflow", "keras", "keras_tuner"} & set(loaded)
