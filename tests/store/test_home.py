"""Where things are kept, and who may use it."""

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest

from records.errors import BusyError, ConfigError, StoreError
from store.home import Home, open_home

HOLD = """
import sys
from store.home import open_home
with open_home().exclusive("run 3f2a"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_the_home_comes_from_the_argument_then_the_environment_then_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASMITH_HOME", str(tmp_path / "named"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_home(tmp_path / "given").root == tmp_path / "given"
    assert open_home().root == tmp_path / "named"
    monkeypatch.delenv("KERASMITH_HOME")
    usual = open_home().root
    assert usual == Path(platformdirs.user_data_dir("kerasmith", appauthor=False))
    assert usual.is_relative_to(tmp_path) and usual.is_dir()


def test_a_relative_home_does_not_move_with_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = open_home(Path("here"))
    monkeypatch.chdir("/")
    assert home.runs == tmp_path / "here" / "runs"


def test_a_home_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made: a file stands where a folder was expected"):
        open_home(tmp_path / "file")
    with pytest.raises(StoreError, match="cannot be made: a file stands where a folder was expected"):
        open_home(tmp_path / "file" / "home")


def test_a_home_that_may_not_be_written_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)  # permissions do not bind root
    with pytest.raises(StoreError, match=re.escape(f"The home folder {tmp_path} cannot be written. Change its perm")):
        open_home(tmp_path)


def test_folders_are_made_when_they_are_asked_for(home: Home) -> None:
    assert list(home.root.iterdir()) == []
    for folder in (home.runs, home.prepared, home.features, home.bentoml, home.backups, home.run_folder("a-1")):
        assert folder.is_dir()


@pytest.mark.parametrize("run_id", ["..", "a/b", "", "-a"])
def test_a_run_folder_stays_inside_the_home(home: Home, run_id: str) -> None:
    with pytest.raises(ValueError, match="letters, digits, - and _ only"):
        home.run_folder(run_id)


def test_the_database_is_named_by_the_environment_and_its_password_is_not_shown(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.database_url.database == str(home.root / "kerasmith.db")
    monkeypatch.setenv("KERASMITH_DATABASE", "postgresql+psycopg://me:secret@db.example/kerasmith")
    assert home.database_url.host == "db.example"
    assert "secret" not in f"{home.database_url} {home!r}"
    monkeypatch.setenv("KERASMITH_DATABASE", "no url, with a secret")
    with pytest.raises(ConfigError, match="KERASMITH_DATABASE is not a database URL") as caught:
        home.database_url  # noqa: B018
    assert "secret" not in str(caught.value)


def test_a_second_process_is_told_who_holds_the_home(
    home: Home, program: Callable[..., "subprocess.Popen[str]"]
) -> None:
    holder = program(HOLD)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    told = rf"{home.root} is in use by process {holder.pid} \(run 3f2a, since 20.*\)\. Wait until it ends, or set KERAS"
    with pytest.raises(BusyError, match=told), home.exclusive("run 77aa"):
        pass
    holder.communicate("go\n", timeout=30)
    with home.exclusive("run 77aa"):
        pass


def test_a_killed_process_leaves_the_home_free(home: Home, program: Callable[..., "subprocess.Popen[str]"]) -> None:
    holder = program(HOLD)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=30)
    assert (home.root / "run.json").is_file()
    mine = rf"process {os.getpid()} \(run 77aa"
    with home.exclusive("run 77aa"), pytest.raises(BusyError, match=mine), home.exclusive("run 88bb"):
        pass
    assert not (home.root / "run.json").exists()


def test_a_holder_without_a_note_is_still_a_holder(home: Home) -> None:
    with home.exclusive("run 77aa"):
        (home.root / "run.json").write_text("{")
        with pytest.raises(BusyError, match="is in use by another process. Wait"), home.exclusive("run 88bb"):
            pass


def test_the_home_is_free_again_after_an_error(home: Home) -> None:
    with pytest.raises(RuntimeError), home.exclusive("run 77aa"):
        raise RuntimeError
    with home.exclusive("run 88bb"):
        pass
