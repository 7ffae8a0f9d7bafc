"""`kerasmith resume`, as a person meets it: processes of their own, killed where it hurts."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from records.trial import Run, Trial, TrialState
from store.database import open_database
from store.home import open_home
from store.ledger import Ledger
from store.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
SPACE = """
from search_spaces.cnn import CNN
import dataclasses

def recipe(values):
    return dataclasses.replace(CNN.recipe(values), max_epochs=4000, patience=4000)

slow = dataclasses.replace(CNN, name="slow", recipe=recipe)
"""


def kerasmith(home: Path, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines", *arguments],
        env=os.environ | {"KERASMITH_HOME": str(home)},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], seconds: float = 300) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not come to that in time"
        time.sleep(0.1)


def ledger_of(root: Path) -> tuple[Run, list[Trial]] | None:
    if not (root / "kerasmith.db").is_file():
        return None
    engine = open_database(open_home(root))
    try:
        ledger = Ledger(engine)
        runs = ledger.runs(1)
        return (runs[0], ledger.trials(runs[0].id)) if runs else None
    finally:
        engine.dispose()


def trials_of(root: Path) -> list[Trial]:
    read = ledger_of(root)
    return [] if read is None else read[1]


def done(root: Path) -> int:
    return sum(trial.state.finished for trial in trials_of(root))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """JPEG files of two colours with noise, in `photos` below the test's folder."""
    rng = np.random.default_rng(5)
    for label, colour in {"brick": (190, 70, 50), "leaf": (60, 150, 60)}.items():
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for i in range(30):
            pixels = np.clip(np.array(colour) + rng.normal(0, 60, (24, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i:03d}.jpg", quality=90)
    return tmp_path / "photos"


def test_a_killed_run_goes_on_and_no_finished_trial_runs_again(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    # a relative path: what is resumed elsewhere must still find it
    command = ("run", "photos", "--budget", "200s", "--trials", "4", "--space", "cnn", "--json")
    process = kerasmith(root, *command, cwd=photos.parent)
    wait_for(lambda: done(root) >= 2)
    process.kill()
    process.communicate()
    before = {trial.number: trial for trial in trials_of(root) if trial.state.finished}
    read = ledger_of(root)
    assert read is not None and 0 < read[0].used_seconds < 200
    code, out, err = finish(kerasmith(root, "resume", read[0].id[:6], "--json", cwd=tmp_path))
    assert code == 0, err
    outcome, after = json.loads(out), trials_of(root)
    assert outcome["run"] == read[0].id and outcome["total_seconds"] < 205
    assert {n: after[n] for n in before} == before
    assert len(after) == 4 and all(trial.state is TrialState.COMPLETED for trial in after)
    assert {trial.attempt for trial in after} == {1}, "a worker that died with its supervisor does not count"
    code, _, err = finish(kerasmith(root, "resume", read[0].id))
    assert code == 2 and "was completed" in err


def test_a_training_trial_goes_on_from_its_checkpoint(photos: Path, tmp_path: Path) -> None:
    root, space = tmp_path / "home", tmp_path / "slow.py"
    space.write_text(SPACE, "utf-8")
    command = ("run", str(photos), "--budget", "6m", "--trials", "2", "--space", f"{space}:slow")
    process = kerasmith(root, *command)
    checkpoint = root / "runs"
    wait_for(lambda: any(checkpoint.glob("*/trials/0001/checkpoint.npz")))
    process.kill()  # Ctrl-C would let the trial end after its epoch
    process.communicate()
    read = ledger_of(root)
    assert read is not None and read[1][1].state is TrialState.RUNNING
    epochs = len(read[1][1].epochs)
    code, out, err = finish(kerasmith(root, "resume", read[0].id, "--budget", "70s", "--json"))
    assert code == 0, err
    trial = trials_of(root)[1]
    assert trial.state is TrialState.COMPLETED and trial.result is not None
    assert trial.result.resumed_at_step > 0
    assert len(trial.epochs) > 0 and trial.epochs[-1].epoch > epochs // 2
    assert [epoch.epoch for epoch in trial.epochs] == list(range(1, len(trial.epochs) + 1))


def test_two_resumes_of_one_run(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    process = kerasmith(root, "run", str(photos), "--budget", "150s", "--trials", "3", "--space", "cnn")
    wait_for(lambda: done(root) >= 1)
    process.kill()
    process.communicate()
    read = ledger_of(root)
    assert read is not None
    both = [kerasmith(root, "resume", read[0].id, "--json") for _ in range(2)]
    ends = [finish(one) for one in both]
    assert sorted(code for code, _, _ in ends) in ([0, 2], [0, 8]), [err for _, _, err in ends]
    refused = next(err for code, _, err in ends if code)
    assert "in use by process" in refused or "was completed" in refused or "is at work" in refused
    engine = open_database(open_home(root))
    assert len(Registry(engine).versions()) == 1
    engine.dispose()


def test_changed_data_is_refused(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    process = kerasmith(root, "run", str(photos), "--budget", "150s", "--trials", "3", "--space", "cnn")
    wait_for(lambda: done(root) >= 1)
    process.kill()
    process.communicate()
    next((photos / "leaf").iterdir()).unlink()
    read = ledger_of(root)
    assert read is not None
    code, _, err = finish(kerasmith(root, "resume", read[0].id))
    assert code == 2 and "The data changed" in err and "Traceback" not in err
    code, _, err = finish(kerasmith(root, "resume", "nosuchrun"))
    assert code == 2 and "There is no run 'nosuchrun'" in err


def test_a_run_without_time_left_is_packaged_with_what_it_has(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    process = kerasmith(root, "run", str(photos), "--budget", "150s", "--trials", "3", "--space", "cnn")
    wait_for(lambda: done(root) >= 2)
    process.kill()
    process.communicate()
    read = ledger_of(root)
    assert read is not None
    engine = open_database(open_home(root))
    Ledger(engine).beat(read[0].id, 149.0)
    engine.dispose()
    began = time.monotonic()
    code, out, err = finish(kerasmith(root, "resume", read[0].id, "--json"))
    assert code == 0, err
    assert json.loads(out)["model"] == "photos:1" and time.monotonic() - began < 90


def test_until_ends_the_search_before_its_time(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    command = ("run", str(photos), "--budget", "4m", "--space", "cnn", "--until", "accuracy=0.6", "--json")
    code, out, err = finish(kerasmith(root, *command))
    assert code == 0, err
    assert json.loads(out)["total_seconds"] < 150
    code, _, err = finish(kerasmith(root, "run", str(photos), "--until", "beauty=1"))
    assert code == 2 and "Known metrics: accuracy" in err
