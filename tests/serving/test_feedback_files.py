import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from records.errors import InputError
from records.feedback import FeedbackItem
from serving import feedback_files
from serving.feedback_files import FeedbackFolder, read_feedback

WRITER = """
import sys
from pathlib import Path
from records.feedback import FeedbackItem
from serving.feedback_files import FeedbackFolder
folder, count = FeedbackFolder(Path(sys.argv[1])), 0
while True:
    request_id = f"{sys.argv[2]}-{count}"
    folder.keep([FeedbackItem(request_id=request_id, index=i, truth="cat" * 50) for i in range(20)], "m:1")
    count += 1
    print(count, flush=True)
"""


def item(request_id: str = "r1", index: int = 0, truth: str | float | list[float] = "cat") -> FeedbackItem:
    return FeedbackItem(request_id=request_id, index=index, truth=truth)


def test_what_is_kept_is_read(tmp_path: Path) -> None:
    folder = FeedbackFolder(tmp_path / "a" / "b")
    told = [item(), item(index=1, truth=1.5), item("r2", truth=[1.0, 2.0, 3.0]), item("é".encode().hex(), truth="ü\n")]
    folder.keep(told, "tiny:1")
    found = list(read_feedback(tmp_path / "a" / "b"))
    assert [(one.request_id, one.index, one.truth) for one in found] == [(o.request_id, o.index, o.truth) for o in told]
    assert {one.model for one in found} == {"tiny:1"} and found[0].time.endswith("+00:00")
    [path] = (tmp_path / "a" / "b").iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert list(read_feedback(tmp_path / "nowhere")) == []


def test_of_several_answers_to_one_input_the_last_counts_once(tmp_path: Path) -> None:
    first, second = FeedbackFolder(tmp_path), FeedbackFolder(tmp_path)  # as two workers
    first.keep([item(), item("r2")], "m:1")
    second.keep([item()], "m:1")
    second.keep([item("r2", truth="dog"), item("r2", truth="cow"), item("r2", index=1)], "m:1")
    first.keep([item("r2", index=1)], "m:1")
    found = {(one.request_id, one.index): one.truth for one in read_feedback(tmp_path)}
    assert found == {("r1", 0): "cat", ("r2", 0): "cow", ("r2", 1): "cat"}
    assert len(list(read_feedback(tmp_path))) == 3
    assert len(list(tmp_path.iterdir())) == 2


def test_lines_that_are_none_are_skipped(tmp_path: Path) -> None:
    folder = FeedbackFolder(tmp_path)
    folder.keep([item(), item("r2"), item("r3")], "m:1")
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        lines = sum(1 for line in whole[:cut].split(b"\n") if line.endswith(b"}"))
        assert len(list(read_feedback(tmp_path))) == lines
    path.write_bytes(b"\xff\xfe\n[]\n{}\n" + whole + b"\0" * 4096)
    assert len(list(read_feedback(tmp_path))) == 3


def test_a_full_folder_keeps_nothing_more(tmp_path: Path) -> None:
    folder = FeedbackFolder(tmp_path, max_bytes=1000)
    folder.keep([item(str(i)) for i in range(5)], "m:1")
    with pytest.raises(InputError, match="The folder for feedback is full: .* Nothing was kept") as caught:
        folder.keep([item(f"b{i}") for i in range(9)], "m:1")
    assert caught.value.status == 507
    assert len(list(read_feedback(tmp_path))) == 5
    other = FeedbackFolder(tmp_path, max_bytes=1000)  # sees what the first one wrote
    with pytest.raises(InputError, match="is full"):
        other.keep([item(f"b{i}") for i in range(9)], "m:1")


def test_a_full_disk_is_told_and_the_next_file_begins_with_a_whole_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = FeedbackFolder(tmp_path)
    folder.keep([item("r0")], "m:1")
    write = os.write
    monkeypatch.setattr(feedback_files.os, "write", lambda descriptor, data: write(descriptor, data[:30]))
    with pytest.raises(InputError, match="The disk is full") as caught:
        folder.keep([item("r1")], "m:1")
    assert caught.value.status == 507
    monkeypatch.undo()
    folder.keep([item("r2")], "m:1")
    assert [one.request_id for one in read_feedback(tmp_path)].count("r1") == 0
    assert {one.request_id for one in read_feedback(tmp_path)} == {"r0", "r2"}


def test_each_day_has_a_file(tmp_path: Path) -> None:
    folder = FeedbackFolder(tmp_path)
    folder.keep([item("r0")], "m:1")
    folder._day = "2000-01-01"
    folder.keep([item("r1")], "m:1")
    folder.keep([item("r2")], "m:1")
    assert len(list(tmp_path.iterdir())) == 2
    for path in tmp_path.iterdir():  # somebody took them away
        path.unlink()
    folder.keep([item("r3")], "m:1")
    assert [one.request_id for one in read_feedback(tmp_path)] == ["r3"]


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    folder = FeedbackFolder(tmp_path)

    def keep(number: int) -> None:
        for i in range(20):
            folder.keep([item(f"t{number}-{i}", index=j, truth="x" * 100) for j in range(5)], "m:1")

    threads = [threading.Thread(target=keep, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(read_feedback(tmp_path))) == 4 * 20 * 5
    [path] = tmp_path.iterdir()
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_what_was_answered_outlives_a_kill(tmp_path: Path) -> None:
    for number in range(2):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "kept"), f"w{number}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        answered = [int(process.stdout.readline()) for _ in range(5)][-1]
        process.send_signal(signal.SIGKILL)
        process.wait()
        answered = max([answered, *map(int, process.stdout.read().split())])
        process.stdout.close()
        found = [one for one in read_feedback(tmp_path / "kept") if one.request_id.startswith(f"w{number}-")]
        assert len(found) >= 20 * answered
