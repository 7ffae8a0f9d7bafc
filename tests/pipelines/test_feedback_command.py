import json
from pathlib import Path

import pytest

from pipelines.cli import app
from pipelines.feedback_command import summary
from pipelines.terminal.guard import guarded
from records.feedback import FeedbackItem
from serving.feedback_files import FeedbackFolder, read_feedback
from store.database import open_database
from store.home import Home
from store.registry import Registry


@pytest.fixture
def told(home: Home) -> Path:
    """A home with tiny:1, which was told four answers to three inputs."""
    engine = open_database(home)
    Registry(engine).register("tiny", "tiny-1", "run-1", "c" * 64)
    engine.dispose()
    folder = home.feedback_folder("tiny", 1)
    keeper = FeedbackFolder(folder)
    for request_id, truth in (("a", "red"), ("b", "blue"), ("a", "violet"), ("c", "blue")):
        keeper.keep([FeedbackItem(request_id=request_id, truth=truth)], "tiny:1")
    return folder


def test_the_command_counts_what_was_told(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(app, ["feedback", "tiny:1", "--json"], False) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["model"], answer["folder"], answer["count"]) == ("tiny:1", str(told), 3)
    assert answer["classes"] == {"blue": 2, "violet": 1} and answer["first"] <= answer["last"]
    assert guarded(app, ["feedback", "tiny"], False) == 0
    shown = capsys.readouterr().out
    assert "tiny:1 was told 3 true answers" in shown and "blue" in shown and str(told) in shown


def test_the_command_writes_each_answer_once(told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "told.jsonl"
    assert guarded(app, ["feedback", "--out", str(out)], False) == 0
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert lines == [one.model_dump() for one in read_feedback(told)] and len(lines) == 3
    assert guarded(app, ["feedback", "--out", str(out)], False) == 2
    assert "cannot be written (File exists). Name a file that does not exist yet." in capsys.readouterr().err


def test_nothing_was_told_and_no_such_model(home: Home, told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(app, ["feedback", "ghost"], False) == 2
    for path in told.iterdir():
        path.unlink()
    assert guarded(app, ["feedback"], False) == 0
    assert "tiny:1 was told 0 true answers.\nThey are in" in capsys.readouterr().out
    assert summary([]) == {"count": 0, "first": None, "last": None, "classes": {}}
