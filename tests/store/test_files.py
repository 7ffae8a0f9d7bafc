"""Files are whole or not there, and a refusal of the disk is a sentence."""

import errno
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from records.errors import StoreError
from store.files import free_bytes, sha256_file, write_atomically, writing

REWRITE = """
import itertools, sys
from pathlib import Path
from store.files import write_atomically
for i in itertools.count():
    write_atomically(Path(sys.argv[1]), bytes([i % 256]) * 1_000_000)
    if i == 0:
        print("begun", flush=True)
"""


def test_write_atomically_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new\x00")
    assert path.read_bytes() == b"new\x00"
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"]


def test_write_atomically_keeps_the_old_file_when_the_disk_fills_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "manifest.json"
    write_atomically(path, b"old")

    def refuse(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StoreError, match=rf"^The disk is full: {path} could not be written; [\d.]+ MB are free\. Free"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"]


def test_write_atomically_outlives_a_kill(tmp_path: Path, program: Callable[..., "subprocess.Popen[str]"]) -> None:
    path = tmp_path / "manifest.json"
    for pause in (0.0, 0.05, 0.1):
        writer = program(REWRITE, path)
        assert writer.stdout is not None and writer.stdout.readline() == "begun\n"
        time.sleep(pause)
        writer.send_signal(signal.SIGKILL)
        writer.wait(timeout=30)
        content = path.read_bytes()
        assert len(content) == 1_000_000 and len(set(content)) == 1


def test_write_atomically_on_a_full_disk(tiny_disk: Path) -> None:
    path = tiny_disk / "weights.bin"
    write_atomically(path, b"old")
    with pytest.raises(StoreError, match=r"The disk is full: .*weights\.bin"):
        write_atomically(path, bytes(300_000))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tiny_disk.iterdir()] == ["weights.bin"]


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_forbidden_place_is_told_with_the_way_out(tmp_path: Path, code: int) -> None:
    expected = f"{tmp_path} cannot be written ({os.strerror(code)}). Change its permissions, or set KERASMITH_HOME"
    with pytest.raises(StoreError, match=re.escape(expected)), writing(tmp_path):
        raise OSError(code, os.strerror(code))


def test_other_errors_of_the_system_are_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), writing(tmp_path):
        (tmp_path / "absent").read_bytes()


def test_free_bytes_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "yet") == pytest.approx(free_bytes(tmp_path), rel=0.2)


def test_sha256_file_is_the_digest_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
