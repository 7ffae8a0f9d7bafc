"""A small search with real worker processes, and the certainty that none of them outlives its test."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipelines.costs import GUESSED
from pipelines.datasets.catalog import open_source
from pipelines.preparing.prepare import prepare
from pipelines.workers.crew import Crew
from pipelines.workers.job import Job
from pipelines.workers.local import supervise
from pipelines.workers.watching import Limits
from records.config import RunConfig
from records.data import Prepared
from records.trial import Lease, Run, Trial
from store.database import open_database
from store.home import Home, open_home
from store.leases import Leases
from store.ledger import Ledger

WORKER = "pipelines.workers.process"
SPACE = '''
import ctypes, os, signal, time
from pathlib import Path
import keras
import numpy as np
from records.trial import Recipe

LIST = Path(__file__).with_suffix(".list")
held = []


def next_of_list():
    """What the next network shall do, once each; "" after the last."""
    if not LIST.exists():
        return ""
    first, _, rest = LIST.read_text().partition(" ")
    LIST.write_text(rest)
    return first


def choices(hp, spec):
    return {"units": hp.Choice("own/units", list(range(1, 200)))}


def network(spec, units, outputs):
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype)
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(outputs, name="logits")(x)))


def recipe(values):
    return Recipe(max_epochs=2, batch_size=64)


def build(values, spec, task):
    act(next_of_list())
    return network(spec, values["units"], spec.num_classes)


def act(what):
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    while what == "sleep":
        time.sleep(1)
    if what == "nap":
        time.sleep(20)
    while what == "native":
        ctypes.PyDLL(None).sleep(1000)  # called without giving up the interpreter
    while what == "allocate":
        held.append(np.ones(20_000_000, np.uint8))
        time.sleep(0.01)
    if what == "leak":
        held.append(np.ones(700_000_000, np.uint8))
    if what == "raise":
        raise TypeError("a mistake in the code")
'''


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """1797 small pictures, prepared."""
    config = RunConfig(data="digits")
    return prepare(open_source(config), config, open_home(tmp_path_factory.mktemp("digits")))


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """The worker processes below a process."""
    found = []
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            if child.status() != psutil.STATUS_ZOMBIE and WORKER in " ".join(child.cmdline()):
                found.append(child)
    return found


@pytest.fixture(autouse=True)
def _no_worker_is_left() -> Iterator[None]:
    yield
    left = workers_of(psutil.Process())
    for worker in left:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
    assert left == []


@dataclass
class Scene:
    """A run of which only the search takes place."""

    home: Home
    prepared: Prepared
    run: Run
    ledger: Ledger
    leases: Leases
    file: Path
    names: set[str] = field(default_factory=set)
    """Of all workers that were seen with a trial."""
    most_at_once: int = 0
    """Workers that were seen with a trial."""

    @property
    def folder(self) -> Path:
        return self.home.run_folder(self.run.id)

    def log(self, number: int = 1) -> str:
        return (self.folder / f"worker-{number}.log").read_text()

    def has_done_all(self) -> bool:
        """Whether the networks have begun all that they were to do."""
        return not self.file.with_suffix(".list").read_text().strip()

    def search(
        self,
        does: str = "",
        trials: int | None = 3,
        crew: Crew | None = None,
        seconds: float = 200.0,
        limits: Limits | None = None,
        each_time: Callable[[list[Lease]], Any] = lambda held: None,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> list[Trial]:
        """Searches the space with real workers.

        Args:
            does: What the networks of the space do when they are built, one word after the other.
            trials: As for `RunConfig`.
            crew: The workers.
            seconds: Until the search must end.
            limits: When a worker counts as hanging.
            each_time: Called all the time with the leases.
            stop_requested: As for `supervise`.
        """
        if does:
            self.file.with_suffix(".list").write_text(does)
        started = time.monotonic()

        def progress() -> None:
            held = self.leases.held(self.run.id)
            self.names |= {lease.worker for lease in held}
            self.most_at_once = max(self.most_at_once, len(held))
            each_time(held)

        supervise(
            self._job(started, seconds, trials),
            self.folder,
            self.ledger,
            self.leases,
            search_until=lambda: started + seconds,
            stop_requested=stop_requested,
            progress=progress,
            crew=crew or Crew(num_workers=1, threads=1, memory_bytes=8_000_000_000),
            limits=limits,
        )
        assert self.leases.held(self.run.id) == []
        return self.ledger.trials(self.run.id)

    def _job(self, started: float, seconds: float, trials: int | None) -> Job:
        return Job(
            run_id=self.run.id,
            home=str(self.home.root),
            prepared=str(self.prepared.folder),
            config=RunConfig(data="digits", spaces=(str(self.file),), max_trials=trials),
            task="classification",
            objective="accuracy",
            started=started,
            deadline=started + seconds + 60.0,
            num_test=0,
            refit_examples_factor=1.2,
            costs=GUESSED,
            threads=1,
        )


@pytest.fixture
def scene(home: Home, digits: Prepared, ledger: Ledger, run_record: Run, tmp_path: Path) -> Scene:
    file = tmp_path / "own.py"
    file.write_text(SPACE)
    return Scene(home, digits, run_record, ledger, Leases(open_database(home)), file)
