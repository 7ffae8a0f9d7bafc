"""Measurements outlive the process, several may write, and a damaged file costs nothing but measuring again."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from pipelines import measured as module
from pipelines.measured import FILE, Measured
from store.home import Home

WRITER = """
import sys
from pathlib import Path
from pipelines.measured import Measured
from store.home import Home
for number in range(15):
    Measured(Home(Path(sys.argv[1]))).put(f"{sys.argv[2]} {number}", {"seconds": number})
"""


def test_what_was_put_is_found_again_and_nothing_else(home: Home) -> None:
    Measured(home).put("one", {"seconds": 1.5})
    assert Measured(home).get("one") == {"seconds": 1.5}
    assert Measured(home).get("two") is None


def test_another_machine_has_its_own(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    Measured(home).put("one", {"seconds": 1.5})
    monkeypatch.setattr(module, "machine", lambda: "another")
    assert Measured(home).get("one") is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"format_version": 99, "entries": {}}',
        '{"format_version": 1}',
        '{"format_version": 1, "entries": [1]}',
        '{"format_version": 1, "entries": {"m one": 3, "m two": {"figures": 1, "at": 2.0}}}',
    ],
)
def test_a_damaged_file_is_written_anew(content: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "machine", lambda: "m")
    (home.root / FILE).write_text(content, "utf-8")
    assert Measured(home).get("one") is None
    Measured(home).put("one", {"seconds": 2})
    assert Measured(home).get("one") == {"seconds": 2}


def test_the_oldest_are_forgotten(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ENTRIES", 3)
    for number in range(5):
        Measured(home).put(str(number), {"seconds": number})
    assert [Measured(home).get(str(number)) is None for number in range(5)] == [True, True, False, False, False]


def test_of_several_processes_that_write_none_loses_anything(home: Home) -> None:
    command = [sys.executable, "-c", WRITER, str(home.root)]
    root = Path(__file__).resolve().parents[2]
    writers = [subprocess.Popen([*command, name], cwd=root) for name in ("a", "b")]
    assert [writer.wait() for writer in writers] == [0, 0]
    for name in ("a", "b"):
        assert [Measured(home).get(f"{name} {number}") for number in range(15)] == [{"seconds": n} for n in range(15)]


def test_what_cannot_be_written_is_told_in_the_log(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.1)
    caplog.set_level(logging.WARNING)
    with filelock.FileLock((home.root / FILE).with_suffix(".lock")):
        Measured(home).put("one", {"seconds": 2})
    assert Measured(home).get("one") is None
    assert "A measurement was not kept" in caplog.text


def test_the_file_is_plain_json(home: Home) -> None:
    Measured(home).put("one", {"seconds": 2})
    content = json.loads((home.root / FILE).read_text("utf-8"))
    assert content["format_version"] == 1
    assert [entry["figures"] for entry in content["entries"].values()] == [{"seconds": 2}]
