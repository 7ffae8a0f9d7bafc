"""The home folder: everything that Kerasmith keeps, and the lock for the one run that may use it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock
import platformdirs
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from records.errors import BusyError, ConfigError, StoreError
from store.files import write_atomically, writing


@dataclass(frozen=True)
class Home:
    """Where things are. Folders are made when they are asked for."""

    root: Path
    """Absolute."""

    @property
    def database_url(self) -> URL:
        """KERASMITH_DATABASE, or the SQLite file in the home. Printing it hides the password."""
        text = os.environ.get("KERASMITH_DATABASE", "").strip()
        if not text:
            return URL.create("sqlite", database=str(self.root / "kerasmith.db"))
        try:
            return make_url(text)
        except ArgumentError as error:
            raise ConfigError(
                "KERASMITH_DATABASE is not a database URL. Expected e.g. sqlite:////folder/kerasmith.db or "
                "postgresql://user@host/database; unset it to use the file in the home folder."
            ) from error

    @property
    def runs(self) -> Path:
        """One folder per run: logs, weights, validation predictions."""
        return self._folder("runs")

    @property
    def prepared(self) -> Path:
        """Decoded datasets by fingerprint."""
        return self._folder("prepared")

    @property
    def features(self) -> Path:
        """Outputs of frozen backbones, computed once."""
        return self._folder("features")

    @property
    def bentoml(self) -> Path:
        """BentoML's own store, with the models' bundles."""
        return self._folder("bentoml")

    @property
    def backups(self) -> Path:
        """Copies of the database, one from before each upgrade."""
        return self._folder("backups")

    def run_folder(self, run_id: str) -> Path:
        """The folder of one run."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", run_id):
            raise ValueError(f"A run's id has letters, digits, - and _ only. Received: {run_id!r}.")
        return self._folder("runs", run_id)

    def feedback_folder(self, name: str, version: int) -> Path:
        """Where a served model's true answers are kept; it is made by who keeps the first."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
            raise ValueError(f"A model's name has lower-case letters, digits, - and _ only. Received: {name!r}.")
        return self.root / "feedback" / name / str(version)

    @contextmanager
    def exclusive(self, what: str) -> Iterator[None]:
        """Holds the home for one process while the body runs. `what` tells others who it is: "run 3f2a".

        The system frees the lock when the process dies, however it dies.

        Raises:
            BusyError: Another process holds it.
        """
        lock = filelock.FileLock(self.root / "run.lock")
        with writing(self.root):
            try:
                lock.acquire(blocking=False)
            except filelock.Timeout:
                raise BusyError(self._busy()) from None
        try:
            self._announce(what)
            yield
        finally:
            with suppress(OSError):
                self._holder.unlink()
            lock.release()

    @property
    def _holder(self) -> Path:
        return self.root / "run.json"

    def _announce(self, what: str) -> None:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        text = json.dumps({"process_id": os.getpid(), "what": what, "since": since})
        write_atomically(self._holder, text.encode())

    def _busy(self) -> str:
        try:
            holder = json.loads(self._holder.read_text("utf-8"))
            who = f"process {holder['process_id']} ({holder['what']}, since {holder['since']})"
        except (OSError, ValueError, KeyError, TypeError):  # the lock is taken just before the note is written
            who = "another process"
        return (
            f"The home folder {self.root} is in use by {who}. "
            "Wait until it ends, or set KERASMITH_HOME to another folder."
        )

    def _folder(self, *parts: str) -> Path:
        folder = self.root.joinpath(*parts)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder


def place(url: URL) -> str:
    """What a person would call the database: its file, or its URL without the password and other settings."""
    if url.get_backend_name() == "sqlite" and url.database:
        return str(url.database)
    return str(url.set(query={}))  # a password may stand among them too


def open_home(root: Path | None = None) -> Home:
    """The home folder, made where it is missing.

    Args:
        root: The folder; `None`: KERASMITH_HOME, else the user's data folder of this system.

    Raises:
        StoreError: It cannot be made or written.
    """
    if root is None:
        named = os.environ.get("KERASMITH_HOME", "").strip()
        root = Path(named) if named else Path(platformdirs.user_data_dir("kerasmith", appauthor=False))
    root = root.expanduser().absolute()
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        raise StoreError(
            f"The home folder {root} cannot be written. Change its permissions, "
            "or set KERASMITH_HOME to a folder of yours."
        )
    return Home(root)
