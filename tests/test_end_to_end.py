"""The whole path as a person walks it: the command in a process of its own, real files, a real server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from records.data import Split
from serving.bundle import verify
from serving.client import Client
from serving.model_store import folder_of
from serving.serve import start_server
from store.database import open_database
from store.home import Home, open_home
from store.leases import Leases
from store.ledger import Ledger
from store.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
COLOURS = {"brick": (190, 70, 50), "leaf": (60, 150, 60), "sky": (80, 130, 220)}


def make_photos(folder: Path, per_class: int = 40) -> Path:
    """JPEG files of three colours with texture, 40 by 30 pixels, a folder for each class."""
    rng = np.random.default_rng(5)
    for label, colour in COLOURS.items():
        (folder / label).mkdir(parents=True)
        for i in range(per_class):
            pixels = np.clip(np.array(colour) + rng.normal(0, 60, (30, 40, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{i:03d}.jpg", quality=90)
    return folder


def kerasmith(home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"KERASMITH_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], seconds: float = 300) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("data") / "photos")


@pytest.fixture(scope="module")
def made(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, dict]]:  # type: ignore[type-arg]
    """One run that all tests of its results share."""
    root = tmp_path_factory.mktemp("made") / "home"
    command = ("run", str(photos), "--budget", "150s", "--trials", "3", "--space", "cnn", "--json")
    code, out, err = finish(kerasmith(root, *command))
    assert code == 0, err
    yield open_home(root), json.loads(out)


def test_run_ends_with_a_model_better_than_its_floor(made) -> None:  # type: ignore[no-untyped-def]
    home, outcome = made
    assert outcome["model"] == "photos:1"
    comparisons = {one["baseline"]: one for one in outcome["evaluation"]["comparisons"]}
    assert comparisons["majority"]["better"]
    assert outcome["total_seconds"] < 150
    assert Path(outcome["report"]).read_text("utf-8").lower().startswith("<!doctype html>")
    assert [trial["space"] for trial in outcome["trials"]] == ["floor", "cnn", "cnn"]
    (run,) = Ledger(open_database(home)).runs()
    assert (run.state.value, run.model) == ("completed", "photos:1")


def test_a_training_image_over_http_gets_the_answer_of_training(made, photos: Path) -> None:  # type: ignore[no-untyped-def]
    import keras

    from pipelines.preparing.prepare import load_prepared

    home, _ = made
    model = Registry(open_database(home)).resolve("photos")
    folder = folder_of(home, model.name, model.bundle_id)
    network = keras.saving.load_model(folder / "model.keras", compile=False, safe_mode=True)
    (stored,) = [path for path in home.prepared.iterdir() if (path / "metadata.json").is_file()]
    prepared = load_prepared(stored)
    rows = prepared.indices[Split.TRAIN][:9]
    trained = network.predict(np.asarray(prepared.inputs[rows]), verbose=0)
    files = [photos / prepared.ids[row] for row in rows]
    with start_server(home, "photos") as url, Client(url) as client:
        answer = client.predict(files)
        described = client.describe()
    assert described.model == "photos:1" and answer.model == "photos:1"
    for prediction, probabilities in zip(answer.predictions, trained, strict=True):
        given = {one.label: one.probability for one in prediction.classes}
        np.testing.assert_allclose([given[label] for label in described.labels], probabilities, atol=1e-4)


def test_commands_agree_on_what_was_made(made, photos: Path) -> None:  # type: ignore[no-untyped-def]
    home, outcome = made
    shown = json.loads(finish(kerasmith(home.root, "show", outcome["run"], "--json"))[1])
    assert shown["model"] == "photos:1" and len(shown["trials"]) == 3
    listed = json.loads(finish(kerasmith(home.root, "models", "--json"))[1])
    assert [one["ref"] for one in listed] == ["photos:1"]
    picture = next((photos / "sky").iterdir())
    code, out, _ = finish(kerasmith(home.root, "predict", "photos", str(picture), "--json"))
    assert code == 0 and json.loads(out)["predictions"][str(picture)]["classes"]
    for command in ("runs", "models"):
        code, out, _ = finish(kerasmith(home.root, command))
        assert code == 0 and "photos" in out


def test_predict_answers_what_it_can_and_names_the_rest(made, photos: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    home, _ = made
    text = tmp_path / "letter.jpg"
    text.write_text("Dear Sir or Madam")
    picture = next((photos / "leaf").iterdir())
    code, out, err = finish(kerasmith(home.root, "predict", "photos", str(text), str(picture), "--json"))
    answers = json.loads(out)
    assert code == 9
    assert list(answers["predictions"]) == [str(picture)] and list(answers["errors"]) == [str(text)]
    assert "Traceback" not in err


def test_second_run_reuses_what_was_prepared(made, photos: Path) -> None:  # type: ignore[no-untyped-def]
    home, _ = made
    before = sorted(path.name for path in home.prepared.iterdir())
    code, out, err = finish(
        kerasmith(home.root, "run", str(photos), "--budget", "120s", "--trials", "1", "--verbose", "--json")
    )
    assert code == 0, err
    assert json.loads(out)["model"] == "photos:2"
    assert "prepared by an earlier run" in err
    assert sorted(path.name for path in home.prepared.iterdir()) == before


def test_a_damaged_bundle_is_refused_and_nothing_else_is_lost(made, photos: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import shutil

    home, _ = made
    root = tmp_path / "copy"
    shutil.copytree(home.root, root)
    copied = open_home(root)
    model = Registry(open_database(copied)).resolve("photos:1")
    network = folder_of(copied, model.name, model.bundle_id) / "model.onnx"
    network.write_bytes(network.read_bytes()[:-100])
    picture = next((photos / "leaf").iterdir())
    for command in (("predict", "photos:1", str(picture)), ("serve", "photos:1", "--port", "0")):
        code, out, err = finish(kerasmith(root, *command))
        assert code == 6 and "model.onnx is not what was packaged" in err and "Traceback" not in err
    code, out, _ = finish(kerasmith(root, "doctor", "--json"))
    assert code == 1 and "model.onnx" in out


def wait_for(condition, seconds: float = 90) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def trials_done(root: Path) -> int:
    if not (root / "kerasmith.db").exists():
        return 0
    ledger = Ledger(open_database(open_home(root)))
    return sum(trial.score is not None for run in ledger.runs() for trial in ledger.trials(run.id))


def test_ctrl_c_once_finishes_with_what_there_is(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    process = kerasmith(root, "run", str(photos), "--budget", "10m", "--space", "cnn", "--json")
    wait_for(lambda: trials_done(root) >= 1)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process, 120)
    assert code == 0, err
    assert json.loads(out)["model"] == "photos:1"


def test_ctrl_c_twice_leaves_and_loses_nothing(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    process = kerasmith(root, "run", str(photos), "--budget", "10m", "--space", "cnn")
    wait_for(lambda: trials_done(root) >= 1)
    worker = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process, 60)
    assert code == 130 and "Traceback" not in err
    wait_for(lambda: not any(child.is_running() for child in worker), 10)
    (run,) = Ledger(open_database(open_home(root))).runs()
    assert run.state.value == "interrupted"
    assert trials_done(root) >= 1


def test_a_killed_run_leaves_no_worker_and_the_next_one_works(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    process = kerasmith(root, "run", str(photos), "--budget", "10m", "--space", "cnn", "--workers", "2")
    wait_for(lambda: trials_done(root) >= 1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(child.is_running() and child.status() != "zombie" for child in children), 15)
    code, out, err = finish(
        kerasmith(root, "run", str(photos), "--budget", "120s", "--space", "cnn", "--trials", "1", "--json")
    )
    assert code == 0, err
    states = [run.state.value for run in Ledger(open_database(open_home(root))).runs()]
    assert states == ["completed", "interrupted"]


def test_a_second_run_in_the_same_home_is_refused(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    first = kerasmith(root, "run", str(photos), "--budget", "10m", "--space", "cnn")
    try:
        wait_for(lambda: (root / "run.json").exists())
        code, out, err = finish(kerasmith(root, "run", str(photos), "--budget", "120s"), 60)
        assert code == 8 and str(first.pid) in err and "KERASMITH_HOME" in err and len(err.splitlines()) == 1
    finally:
        first.kill()
        first.communicate()


def is_training(root: Path, number: int) -> bool:
    engine = open_database(open_home(root))
    held = Leases(engine).held(Ledger(engine).runs()[0].id)
    return any(lease.number >= number for lease in held)


def test_a_worker_that_dies_costs_an_attempt_and_not_the_run(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    process = kerasmith(root, "run", str(photos), "--budget", "150s", "--space", "cnn", "--trials", "4", "--json")
    wait_for(lambda: trials_done(root) >= 1)
    wait_for(lambda: is_training(root, 1))
    for child in psutil.Process(process.pid).children(recursive=True):
        if "pipelines.workers.process" in " ".join(child.cmdline()):
            child.kill()
    code, out, err = finish(process)
    assert code == 0, err
    home = open_home(root)
    run = Ledger(open_database(home)).runs()[0]
    trials = Ledger(open_database(home)).trials(run.id)
    assert [trial.error for trial in trials] == [None] * len(trials)
    assert sorted(trial.attempt for trial in trials)[-2:] == [1, 2]
    model = Registry(open_database(home)).resolve("photos")
    verify(folder_of(home, model.name, model.bundle_id), model.checksum)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_fills_up_ends_the_run_with_a_sentence(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "home"
    root.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(root)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        code, out, err = finish(kerasmith(root, "run", str(photos), "--budget", "120s", "--space", "cnn"))
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)
    assert code == 7 and "Traceback" not in err and len(err.strip().splitlines()) == 1, err


BAD_SPACE = """
def choices(hp, spec):
    return {}

def build(values, spec, task):
    return undefined_name
"""


def test_a_users_broken_space_ends_the_run_with_a_sentence(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BAD_SPACE)
    root, space = tmp_path / "home", str(tmp_path / "broken.py")
    code, out, err = finish(kerasmith(root, "run", str(photos), "--budget", "120s", "--space", space))
    assert code == 5 and "NameError" in err and "undefined_name" in err and "Traceback" not in err
    (run,) = Ledger(open_database(open_home(root))).runs()
    assert run.state.value == "failed"


def test_digits_demo_runs_as_the_readme_says(tmp_path: Path) -> None:
    environment = os.environ | {"KERASMITH_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.demo"], env=environment, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr
    for word in ("answered in", "the model says", "Report:", "kerasmith serve digits"):
        assert word in done.stdout
