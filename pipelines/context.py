"""What the steps of one run share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pipelines.ensemble import reserve_seconds
from pipelines.governor import Governor
from pipelines.progress import Progress
from records.config import RunConfig
from records.errors import BusyError
from records.task import Task
from records.trial import Lease, Run, Trial, best_trial
from store.home import Home
from store.leases import Leases
from store.ledger import Ledger
from store.registry import Registry

TRIALS_CACHE_SECONDS = 0.5


@dataclass(kw_only=True)
class Context:
    """Settings, stores, clock and words of one run."""

    config: RunConfig
    home: Home
    ledger: Ledger
    leases: Leases
    registry: Registry
    governor: Governor
    run: Run
    progress: Progress
    known_task: Task | None = None
    """`None` until the data was looked at."""
    seconds: dict[str, float] = field(default_factory=dict)
    is_owner: bool = True
    """False once another process has taken the run up."""

    @property
    def task(self) -> Task:
        """What is learnt."""
        assert self.known_task is not None
        return self.known_task

    def learn(self, task: Task, data_fingerprint: str) -> None:
        """Remembers what looking at the data told."""
        self.known_task = task
        self.run = replace(self.run, task=task.name, objective=task.objective, data_fingerprint=data_fingerprint)
        self.ledger.update_run(self.run.id, task=task.name, objective=task.objective, data_fingerprint=data_fingerprint)

    @property
    def used_seconds(self) -> float:
        """Of the budget, so far."""
        return time.monotonic() - self.governor.started

    def check_owner(self) -> None:
        """Leaves a run that is not this process's any more.

        Raises:
            BusyError: Another process goes on with it.
        """
        if not self.is_owner:
            raise BusyError(f"Run {self.run.id} was taken up by another process. This one leaves it to that one.")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Announces a step and takes its time."""
        self.check_owner()
        self.progress.step(name)
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 2)


class WatchedTrials:
    """The ledger's trials, read at most twice a second."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._read_at = -1.0
        self._trials: list[Trial] = []
        self._leases: list[Lease] = []

    def trials(self) -> list[Trial]:
        self._read()
        return self._trials

    def leases(self) -> list[Lease]:
        """Who trains what."""
        self._read()
        return self._leases

    def _read(self) -> None:
        if time.monotonic() - self._read_at > TRIALS_CACHE_SECONDS:
            self._trials = self._context.ledger.trials(self._context.run.id)
            self._leases = self._context.leases.held(self._context.run.id)
            self._read_at = time.monotonic()

    def best(self) -> Trial | None:
        return best_trial(self.trials(), self._context.task.direction)

    def search_until(self) -> float:
        """The monotonic second at which trials must have ended."""
        governor, best = self._context.governor, self.best()
        direction, most = self._context.task.direction, self._context.config.ensemble
        reserve = reserve_seconds(self.trials(), best, direction, governor, most)
        return time.monotonic() + governor.search_left(best, reserve)
