"""A database in a home of its own, and programs that use it from other processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from records.trial import Run, RunState
from store.database import open_database
from store.home import Home
from store.ledger import Ledger
from store.registry import Registry

ROOT = Path(__file__).resolve().parents[2]

Program = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    engine = open_database(home)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine)


@pytest.fixture
def registry(engine: Engine) -> Registry:
    return Registry(engine)


@pytest.fixture
def make_run() -> Callable[..., Run]:
    def make(run_id: str = "r1", **fields: object) -> Run:
        given: dict[str, object] = {
            "name": "shirts",
            "state": RunState.RUNNING,
            "config": {"data": "photos", "spaces": ["cnn"], "seed": 7},
            "task": "classification",
            "objective": "accuracy",
            "started_at": "2026-01-02T03:04:05+00:00",
        }
        return Run(id=run_id, **given | fields)  # type: ignore[arg-type]

    return make


@pytest.fixture
def program(home: Home) -> Iterator[Program]:
    """Starts a Python program as a process of its own; it knows the home as KERASMITH_HOME."""
    started: list[subprocess.Popen[str]] = []

    def start(text: str, *args: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", text, *map(str, args)],
            cwd=ROOT,
            env=os.environ | {"KERASMITH_HOME": str(home.root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a tiny disk needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
