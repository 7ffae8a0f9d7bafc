"""The command as a person or a script meets it: help, exit codes, one clear sentence, nothing on the wrong stream."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.terminal.guard import EXIT_UNEXPECTED
from records import errors


def call(*arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["kerasmith", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


@pytest.fixture
def kerasmith(capsys, monkeypatch):  # type: ignore[no-untyped-def]
    return lambda *arguments: call(*arguments, capsys=capsys, monkeypatch=monkeypatch)


COMMANDS = ("run", "runs", "show", "models", "serve", "build", "feedback", "predict", "doctor")


def test_help_lists_every_command(kerasmith) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = kerasmith("--help")
    assert code == 0
    assert all(f"\n  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_takes_json(command: str, kerasmith) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = kerasmith(command, "--help")
    assert code == 0
    assert "--json" in out
    assert len(out.splitlines()) > 5


def test_readme_names_every_command_and_its_flags_exist(kerasmith) -> None:  # type: ignore[no-untyped-def]
    import re

    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert all(f"kerasmith {name}" in readme for name in COMMANDS)
    _, out, _ = kerasmith("run", "--help")
    for flag in set(re.findall(r"(--[a-z-]+)", " ".join(re.findall(r"kerasmith run [^`\n]*", readme)))) - {"--help"}:
        assert flag in out, flag


@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        (["run", "nowhere/at/all"], 2, "nowhere/at/all"),
        (["run", "digits", "--budget", "soon"], 2, "'soon' is not a duration"),
        (["run", "digits", "--budget", "1s"], 4, "is too short for the floor baseline"),
        (["run", "digits", "--metric", "speed"], 2, "no metric 'speed'"),
        (["run", "digits", "--trials", "0"], 2, "`trials` must lie between 1 and"),
        (["run", "digits", "--name", "No Good"], 2, "A model's name"),
        (["run", "digits", "--image-size", "3"], 2, "`image-size` must lie between"),
        (["run", "x", "--source", "nothing.py:load"], 2, "nothing.py"),
        (["show", "abc"], 2, "There is no run 'abc'"),
        (["serve", "ghost"], 2, "No model is registered yet"),
        (["predict", "ghost", "x.png"], 2, "No model is registered yet"),
        (["models", "ghost"], 0, ""),
    ],
)
def test_a_mistake_gets_one_sentence_and_its_exit_code(arguments, exit_code, sentence, kerasmith) -> None:  # type: ignore[no-untyped-def]
    code, out, err = kerasmith(*arguments)
    assert code == exit_code
    if exit_code:
        assert sentence in err and "Traceback" not in err
        assert len(err.strip().splitlines()) == 1
        assert out == ""


def test_errors_are_json_where_json_was_asked_for(kerasmith) -> None:  # type: ignore[no-untyped-def]
    code, out, err = kerasmith("show", "abc", "--json")
    answer = json.loads(out)
    assert (answer["kind"], answer["exit_code"], code) == ("ConfigError", 2, 2)
    assert answer["error"] in err


def test_debug_shows_the_traceback(kerasmith, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(sys, "argv", ["kerasmith", "show", "abc", "--debug"])
    with pytest.raises(errors.ConfigError):
        cli.main()


def test_an_unexpected_error_is_still_a_sentence(kerasmith, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("store.ledger.Ledger.runs", lambda self, limit: 1 / 0)
    code, _, err = kerasmith("runs")
    assert code == EXIT_UNEXPECTED
    assert "ZeroDivisionError" in err and "--debug" in err and "Traceback" not in err


def test_empty_lists_say_what_to_type(kerasmith) -> None:  # type: ignore[no-untyped-def]
    for command in ("runs", "models"):
        code, out, _ = kerasmith(command)
        assert code == 0 and "kerasmith run digits" in out
        assert json.loads(kerasmith(command, "--json")[1]) == []


def test_each_error_has_an_exit_code_of_its_own() -> None:
    kinds = errors.KerasmithError.__subclasses__()
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes) and errors.KerasmithError.exit_code not in codes
    assert all(f"exit {kind.exit_code}" in (errors.__doc__ or "") for kind in kinds)


@pytest.mark.parametrize("command", [["-m", "pipelines"], ["-m", "pipelines.cli"]])
def test_module_is_the_same_command(command: list[str], tmp_path: Path) -> None:
    environment = os.environ | {"KERASMITH_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, *command, "models", "--json"], capture_output=True, env=environment)
    assert (done.returncode, json.loads(done.stdout)) == (0, [])


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    environment = os.environ | {"KERASMITH_HOME": str(tmp_path)}
    command = f"{sys.executable} -m pipelines --help | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines()[-1] == "0" and done.stderr == ""


def write_images(folder: Path, *labels: str, count: int = 4) -> None:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(1)
    for label in labels:
        (folder / label).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(folder / label / f"{i}.png")


def make_empty(folder: Path) -> None:
    folder.mkdir()


def make_one_class(folder: Path) -> None:
    write_images(folder, "only")


def make_texts(folder: Path) -> None:
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
        (folder / label / "letter.jpg").write_text("Dear Sir or Madam")


def make_giants(folder: Path) -> None:
    from PIL import Image

    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
        Image.new("1", (13_000, 13_000)).save(folder / label / "giant.png")
        assert (folder / label / "giant.png").stat().st_size < 40_000


@pytest.mark.parametrize(
    ("make", "exit_code", "words"),
    [
        (make_empty, 3, "no "),
        (make_one_class, 3, "class"),
        (make_texts, 3, "text"),
        (make_giants, 3, "13000 x 13000"),
    ],
)
def test_data_that_cannot_be_used_is_refused_before_any_training(  # type: ignore[no-untyped-def]
    make, exit_code: int, words: str, kerasmith, tmp_path: Path
) -> None:
    make(tmp_path / "data")
    code, out, err = kerasmith("run", str(tmp_path / "data"), "--budget", "24h")
    assert code == exit_code, err
    assert words in err and "Traceback" not in err and len(err.strip().splitlines()) == 1
    runs = json.loads(kerasmith("runs", "--json")[1])
    assert all(run["state"] == "failed" for run in runs)


def test_an_unknown_tfds_name_is_refused(kerasmith, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, _, err = kerasmith("run", "tfds:fashion_mnits", "--data-dir", str(tmp_path))
    assert code == 2 and "fashion_mnist" in err and "Traceback" not in err and len(err.strip().splitlines()) == 1


def test_a_home_that_cannot_be_written_is_refused(kerasmith, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("KERASMITH_HOME", str(tmp_path / "file" / "home"))
    code, _, err = kerasmith("runs")
    assert code == 7 and "Traceback" not in err and len(err.strip().splitlines()) == 1
