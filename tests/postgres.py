"""A real PostgreSQL, as Debian installs it, in a folder of its own; skipped, with the reason, where there is none."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PASSWORD = "secret"


class Server:
    """Listens on a socket in its folder, which no other program finds."""

    def __init__(self, folder: Path, binaries: Path, user: str | None) -> None:
        self.folder = folder
        self._binaries = binaries
        self._user = user
        self._numbers = itertools.count()
        self._run("initdb", "-D", str(folder / "data"), "-U", "kerasmith", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def start(self) -> None:
        # the tests kill clients and the server, never the machine: nothing needs to reach the disk
        options = f"-c listen_addresses='' -k {self.folder} -c fsync=off -c max_connections=40"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """As a crash would."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", "immediate", "stop")

    def sql(self, statement: str, database: str = "postgres") -> str:
        return self._run(
            "psql", "-h", str(self.folder), "-U", "kerasmith", "-d", database, "-qAtX", "-c", statement
        ).strip()

    def url(self, database: str, user: str = "kerasmith") -> str:
        return f"postgresql://{user}:{PASSWORD}@/{database}?host={self.folder}"

    def make_database(self) -> str:
        name = f"test_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} TEMPLATE template0")
        return name

    def _run(self, program: str, *args: str) -> str:
        as_user = ["setpriv", f"--reuid={self._user}", f"--regid={self._user}", "--init-groups"] if self._user else []
        done = subprocess.run(
            [*as_user, str(self._binaries / program), *args],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "psql" else subprocess.DEVNULL,  # the server would keep a pipe open
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, (program, args, done.stdout)
        return done.stdout or ""


def _binaries() -> Path | None:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: path.parts[-3].zfill(3))
    on_path = shutil.which("pg_ctl")
    return installed[-1].parent if installed else Path(on_path).parent if on_path else None


def _unprivileged_user() -> str | None:
    """PostgreSQL does not run as root. `None`: this process is not root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server of this test process."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    user = _unprivileged_user()
    # pytest's folders are closed to other users, and too deep for the name of a socket
    folder = Path(tempfile.mkdtemp(prefix="kerasmith-pg-"))
    if user:
        shutil.chown(folder, user)
    server = Server(folder, binaries, user)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres: Server) -> Iterator[str]:
    """An empty database of its own."""
    name = postgres.make_database()
    yield postgres.url(name)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")
