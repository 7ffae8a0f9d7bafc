"""The checkpoint's file: read as it was written, or not at all."""

import dataclasses
import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipelines import checkpoint as checkpoints
from pipelines.checkpoint import CHECKPOINT, Checkpoint, Keeper, forget_checkpoint, read, write
from pipelines.history import History
from records.errors import StoreError
from tests.pipelines.benches import some_progress


@pytest.fixture(autouse=True)
def _as_often_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "WRITES_APART", 0.0)


def test_everything_is_read_as_it_was_written(tmp_path: Path) -> None:
    at = some_progress()
    first = History(
        reports=at.reports,
        best_step=2,
        best_score=0.1,
        best_loss=float("inf"),
        steps=4,
        planned_steps=5,
        steps_per_epoch=2,
        seconds=1.1,
        predictions=np.eye(3, dtype=np.float32),
    )
    written = Checkpoint(
        at=at,
        first=first,
        first_weights=(np.ones(2), np.zeros((0, 3))),
        predictions=tuple(np.full((2, 1), i) for i in range(12)),
        training_seconds=3.0,
        seconds=5.5,
    )
    write(tmp_path / CHECKPOINT, written, "d")
    found = read(tmp_path / CHECKPOINT, "d")
    assert found is not None and found.at is not None and found.first is not None
    assert repr(found) == repr(written)
    for ours, theirs in zip(found.at.variables, at.variables, strict=True):
        assert ours.dtype == theirs.dtype


def broken_files() -> dict[str, Callable[[bytes], bytes]]:
    return {
        "empty": lambda whole: b"",
        "half": lambda whole: whole[: len(whole) // 2],
        "noise": lambda whole: np.random.default_rng(0).bytes(len(whole)),
        "one byte of an array": lambda whole: whole.replace(np.float64(2.0).tobytes(), b"\xff" * 8),
        "a single array": lambda whole: b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'shape': (), }",
        "another digest": lambda whole: whole.replace(b'"digest": "d"', b'"digest": "e"'),
    }


@pytest.mark.parametrize("how", broken_files())
def test_a_broken_or_foreign_file_is_ignored_with_a_word(
    how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / CHECKPOINT
    write(path, Checkpoint(at=some_progress()), "d")
    path.write_bytes(broken_files()[how](path.read_bytes()))
    assert read(path, "d") is None
    assert "the trial begins anew" in caplog.text
    caplog.clear()
    assert read(tmp_path / "none.npz", "d") is None
    assert not caplog.records


def test_another_trials_checkpoint_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / CHECKPOINT, Checkpoint(at=some_progress()), "d")
    assert read(tmp_path / CHECKPOINT, "e") is None
    assert "another trial's" in caplog.text


def test_every_byte_may_be_wrong(tmp_path: Path) -> None:
    """Whatever is overwritten: no exception, and never another state."""
    path = tmp_path / CHECKPOINT
    write(path, Checkpoint(at=some_progress()), "d")
    whole, expected = path.read_bytes(), repr(read(path, "d"))
    rng = np.random.default_rng(1)
    for place in rng.integers(0, len(whole), 150):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ int(rng.integers(1, 256))]) + whole[place + 1 :])
        found = read(path, "d")
        assert found is None or repr(found) == expected, place


def test_a_full_disk_leaves_the_old_checkpoint_and_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Keeper(tmp_path, "d", every_seconds=0.0)
    keeper.keep(some_progress)
    before = (tmp_path / CHECKPOINT).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    keeper = Keeper(tmp_path, "d", every_seconds=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        keeper.keep(lambda: dataclasses.replace(some_progress(), step=4))
        with pytest.raises(StoreError, match="The disk is full"):
            write(tmp_path / "other.npz", Checkpoint(), "d")
    assert "No checkpoint was written, the trial goes on: The disk is full" in caplog.text
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_checkpoints_are_rare(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, "d", every_seconds=3600.0)
    keeper.keep(some_progress)
    assert not list(tmp_path.iterdir())


def test_forgetting_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    (tmp_path / f".{CHECKPOINT}.0123.part").write_text("half")
    write(tmp_path / CHECKPOINT, Checkpoint(), "d")
    forget_checkpoint(tmp_path)
    assert not list(tmp_path.iterdir())
