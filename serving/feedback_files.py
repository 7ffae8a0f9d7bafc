"""True answers on the disk: lines of JSON in a folder, written by many processes, read by one.

Each process writes a file of its own for each day, so that nobody waits for another's lock. A line is written at once
and is on the disk before the answer is sent. What a killed process left half is skipped by the reader.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import orjson
from pydantic import ValidationError

from records.errors import InputError
from records.feedback import Feedback, FeedbackItem
from store.files import sync_folder

MAX_BYTES = 1_000_000_000
"""Of a folder, some ten million answers."""
LOOK_SECONDS = 5.0
"""So long what other processes wrote is not looked for."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
ENDING = ".jsonl"
Place = tuple[str, str, int]
"""Of a line: when it was told, its file, and its number there."""


class FeedbackFolder:
    """Where one process keeps what it is told. Its methods may be called from several threads."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        """Nothing is made on the disk yet.

        Args:
            folder: Of one model's version; no part of a request ever stands in it.
            max_bytes: Of all files in it together.
        """
        self.folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._descriptor = -1
        self._day = ""
        self._size = 0
        """Bytes in the folder, as last seen, and what was written since."""
        self._looked = -float("inf")

    def keep(self, items: Iterable[FeedbackItem], model: str) -> None:
        """All of them are on the disk when this returns.

        Args:
            items: To keep.
            model: `name:version` of the model that is served.

        Raises:
            InputError: The folder or the disk is full (507).
            OSError: The folder cannot be written.
        """
        now = datetime.now(UTC)
        told = now.isoformat(timespec="microseconds")
        lines = b"".join(
            orjson.dumps({"time": told, "model": model, **item.model_dump()}, option=orjson.OPT_APPEND_NEWLINE)
            for item in items
        )
        with self._lock:
            self._check_size(len(lines))
            try:
                self._open(now.date().isoformat())
                self._write(lines)
            except OSError as error:
                self._close()  # a line may be half: the next one begins a file
                if error.errno in FULL:
                    raise InputError("The disk is full: no feedback is kept until there is space.", 507) from error
                raise

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._close()

    def _check_size(self, num_bytes: int) -> None:
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._size = sum(map(_size, _files(self.folder)))
            self._looked = time.monotonic()
        if self._size + num_bytes > self._max_bytes:
            raise InputError(
                f"The folder for feedback is full: {self._size / 1e6:.0f} MB of {self._max_bytes / 1e6:.0f} MB. "
                "Nothing was kept. Read it and move it away.",
                507,
            )

    def _open(self, day: str) -> None:
        if self._descriptor >= 0 and self._day == day and os.fstat(self._descriptor).st_nlink:  # 0: it was deleted
            return
        self._close()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{day}-{os.getpid()}-{secrets.token_hex(4)}{ENDING}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor, self._day = os.open(path, flags, 0o600), day
        sync_folder(self.folder)

    def _write(self, lines: bytes) -> None:
        written = os.write(self._descriptor, lines)
        self._size += written
        if written < len(lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._descriptor)

    def _close(self) -> None:
        if self._descriptor >= 0:
            with suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = -1


def read_feedback(folder: Path) -> Iterator[Feedback]:
    """What was told, each input once: of several answers to the same input the last one stands.

    Days come in their order, and what one process was told in the order that it was told. Lines that are none, as a
    killed process leaves them, are skipped.

    Args:
        folder: As `FeedbackFolder` got it; one that does not exist holds nothing.
    """
    files = _files(folder)  # once: a server may be adding to them
    last: dict[bytes, Place] = {}
    for place, one in _lines(files):
        last[_key(one)] = max(place, last.get(_key(one), place))
    for place, one in _lines(files):
        if last.get(_key(one)) == place:
            yield one


def _key(one: Feedback) -> bytes:
    return hashlib.blake2b(f"{one.request_id} {one.index}".encode(), digest_size=16).digest()


def _lines(files: Iterable[Path]) -> Iterator[tuple[Place, Feedback]]:
    for path in files:
        with path.open("rb") as file:
            for number, line in enumerate(file):
                with suppress(ValidationError):
                    one = Feedback.model_validate_json(line)
                    yield (one.time, path.name, number), one


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # moved away in between
        return 0


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix == ENDING and path.is_file())
