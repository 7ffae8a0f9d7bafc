"""A database in a home of its own, and programs that use it from other processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from records.trial import Again, EpochReport, Lease, Proposal, Run, RunState, Trial, TrialResult
from store.database import open_database
from store.home import Home
from store.leases import Leases
from store.ledger import Ledger
from store.registry import Registry
from tests.store.owners import OWN_A_RUN, RESULT, Own

ROOT = Path(__file__).resolve().parents[2]

Program = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.database)])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs on both kinds of database; KERASMITH_DATABASE names the one at hand."""
    if request.param == "postgresql":
        monkeypatch.setenv("KERASMITH_DATABASE", request.getfixturevalue("postgres_url"))
    return str(request.param)


@pytest.fixture
def engine(home: Home, kind: str) -> Iterator[Engine]:
    engine = open_database(home)
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite(home: Home) -> Iterator[Engine]:
    """For what concerns the file."""
    engine = open_database(home)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine)


@pytest.fixture
def leases(engine: Engine) -> Leases:
    return Leases(engine)


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


@pytest.fixture
def result() -> TrialResult:
    """What a trial gave."""
    return RESULT


@pytest.fixture
def report() -> Callable[..., EpochReport]:
    def make(epoch: int, score: float = 0.5, **fields: float) -> EpochReport:
        return EpochReport(epoch=epoch, score=score, **{"train_loss": 1.0, "val_loss": 2.0, "seconds": 3.0, **fields})

    return make


@pytest.fixture
def take(leases: Leases) -> Callable[..., tuple[Trial, Lease]]:
    """Leases a new trial, or with `again` a waiting one."""

    def lease(run_id: str = "r1", worker: str = "w1", again: int | None = None) -> tuple[Trial, Lease]:
        new = Proposal(space="cnn", values={"cnn/filters": 32}, seed=7, max_seconds=9.0, origin="tpe")
        decision = new if again is None else Again(number=again, max_seconds=5.0)
        leased = leases.lease(run_id, worker, lambda trials: decision)
        assert leased is not None
        return leased

    return lease


@pytest.fixture
def own(program: Callable[..., "subprocess.Popen[str]"], engine: Engine) -> Own:
    """Starts a process with a run of its own, which holds one trial."""

    def start(run_id: str) -> "subprocess.Popen[str]":
        process = program(OWN_A_RUN, run_id)
        assert process.stdout is not None and process.stdout.readline() == "started\n"
        return process

    return start
