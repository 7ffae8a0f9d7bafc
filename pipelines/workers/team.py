"""The workers of a run and what becomes of their trials: who ended is replaced, who hangs or grows is ended."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines.workers.child import LocalWorker
from pipelines.workers.crew import Crew
from pipelines.workers.memory import Gauge
from pipelines.workers.watching import Limits, Trouble, Watch
from records.errors import KerasmithError, SearchFailed
from store.leases import Leases
from store.ledger import Ledger

MAX_DEATHS = 2
"""Workers of each place that may die before any trial is done, or one after the other without ever having had one."""
BACKOFF_SECONDS = 1.0
"""Before a worker is started after one that died at its start; twice as long after each further one."""
LOOK_SECONDS = 1.0
"""Between two looks at the leases."""
HELD_UP_SECONDS = 2.0
"""For which a database that cannot be written excuses the silence of all, once."""


@dataclass(kw_only=True)
class _Place:
    """Where one worker after the other works."""

    number: int
    worker: LocalWorker | None = None
    gauge: Gauge | None = None
    born: float = 0.0
    """By the watch's clock."""
    failures: int = 0
    """Workers in a row that ended here without ever having had a trial."""
    not_before: float = 0.0
    """The monotonic second from which the next one may start."""
    closed: bool = False


class Team:
    """Runs as many workers as the crew has, until they have ended by themselves. A context: leaving it ends them all,
    and takes their trials back without counting it against them."""

    def __init__(
        self, job: Path, run_id: str, ledger: Ledger, leases: Leases, crew: Crew, limits: Limits | None = None
    ) -> None:
        self._job, self._run_id, self._crew = job, run_id, crew
        self._ledger, self._leases = ledger, leases
        self._watch = Watch(limits or Limits())
        self._places = [_Place(number=i + 1) for i in range(crew.num_workers)]
        self._asked = False
        self._deaths = 0
        self._look_at = 0.0
        self._forgiven_at = -float("inf")
        """By the watch's clock: when the database's being held was taken for an excuse."""

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *error: object) -> None:
        left = [place.worker for place in self._places if place.worker is not None]
        for worker in left:
            worker.close()
        for worker in left:
            with suppress(KerasmithError):  # what is not written now, `Ledger.take_up` writes
                self._leases.release(self._run_id, worker.name, "Its supervisor ended.", counts=False)

    def at_work(self) -> bool:
        """False when every worker has ended and none is to follow."""
        return not all(place.closed for place in self._places)

    def ask_to_stop(self) -> None:
        """Asks all to finish after the epoch at hand. None is started after that."""
        if self._asked:
            return
        self._asked = True
        for place in self._places:
            if place.worker is None:
                place.closed = True
            else:
                place.worker.ask_to_stop()

    def look(self) -> None:
        """Sees who ended, hangs or has grown, and starts who is missing. To be called several times a second.

        Raises:
            ConfigError: A space or backbone that was asked for cannot be used.
            SearchFailed: A space's code is wrong, or workers keep dying before anything was learnt.
            StoreError: Results cannot be kept.
            BusyError: The database was held by another process for a minute.
        """
        now = time.monotonic()
        for place in self._places:
            if place.worker is not None and not place.worker.alive():
                self._see_end(place, place.worker)
            if place.worker is not None and place.gauge is not None:
                self._see_memory(place, place.worker, place.gauge.read(now))
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._see_leases(now)
        for place in self._places:
            if place.worker is None and not place.closed and now >= place.not_before:
                self._start(place)

    def _start(self, place: _Place) -> None:
        place.worker = LocalWorker(self._job, place.number, self._crew.environment(place.number - 1))
        place.gauge = Gauge(place.worker.process_id)
        place.born = self._watch.clock

    def _see_end(self, place: _Place, worker: LocalWorker) -> None:
        self._end(place, worker)
        worker.raise_if_fatal()
        if worker.finished():
            place.closed = True
        elif not worker.made_room():
            self._bury(place, worker, worker.ending(), counts=not worker.gave_up_waiting())

    def _see_memory(self, place: _Place, worker: LocalWorker, used: int) -> None:
        cap = self._crew.memory_bytes
        if used <= cap:
            return
        self._end(place, worker)
        why = f"It was stopped: its worker used {_size(used)} of memory and may use {_size(cap)}."
        held = [lease for lease in self._leases.held(self._run_id) if lease.worker == worker.name]
        for lease in held:
            self._leases.fail(self._run_id, lease.number, why)
        if not held:
            self._bury(place, worker, f"{why} It trained nothing then.", counts=False)

    def _see_leases(self, now: float) -> None:
        held = self._leases.held(self._run_id)
        troubles = self._blamed(self._watch.look(held, now))
        hanging = [(trouble, self._place_of(trouble.lease.worker)) for trouble in troubles]
        for _, place in hanging:  # all at once: one of them may hold the database, and the others wait for it
            if place is not None and place.worker is not None:
                place.worker.show_where()
                place.worker.close()
        for trouble, place in hanging:
            self._end_hanging(trouble, place)
        for place in self._places:
            if not held and place.worker is not None:
                self._see_start(place, place.worker)

    def _place_of(self, name: str) -> _Place | None:
        return next((place for place in self._places if place.worker is not None and place.worker.name == name), None)

    def _blamed(self, troubles: list[Trouble]) -> list[Trouble]:
        """Without those who could not say that they live, since the database was held. That is forgiven once: should
        it still be held then, one of the silent workers holds it."""
        silent = [trouble for trouble in troubles if not trouble.is_late]
        again = self._watch.clock - self._forgiven_at < 2 * self._watch.limits.silence + LOOK_SECONDS
        if not silent or again or not self._is_held_up():
            return troubles
        self._forgiven_at = self._watch.clock
        self._watch.forgive_silence()
        return [trouble for trouble in troubles if trouble.is_late or self._is_stopped(trouble.lease.worker)]

    def _is_held_up(self) -> bool:
        """Whether the database cannot be written. Tried in a thread, since that may take a minute."""

        def write() -> None:
            with suppress(KerasmithError):
                self._leases.beat(self._run_id, "")  # waits for its turn, as the workers do, and changes nothing

        attempt = threading.Thread(target=write, daemon=True)
        attempt.start()
        attempt.join(HELD_UP_SECONDS)
        return attempt.is_alive()

    def _is_stopped(self, name: str) -> bool:
        place = self._place_of(name)
        return place is not None and place.worker is not None and place.worker.is_stopped()

    def _end_hanging(self, trouble: Trouble, place: _Place | None) -> None:
        number, name = trouble.lease.number, trouble.lease.worker
        if place is None or place.worker is None:  # left by a worker that this supervisor did not start
            self._leases.release(self._run_id, name, "Its worker is gone.", counts=False)
            return
        worker = place.worker
        self._end(place, worker)
        where = f"What it was doing is at the end of {worker.log}."
        if trouble.is_late:
            given = f"{trouble.lease.max_seconds:.0f} s"
            why = f"It was stopped: it ran for {trouble.seconds:.0f} s and was given {given}. {where}"
            self._leases.fail(self._run_id, number, why)
        else:
            why = f"The worker was ended: it had not said for {trouble.seconds:.0f} s that it lives. {where}"
            self._bury(place, worker, why, counts=True)

    def _see_start(self, place: _Place, worker: LocalWorker) -> None:
        """Ends a worker that hangs before its first trial. Only when nobody trains, so that it does not wait."""
        seconds = self._watch.clock - place.born
        if seconds > self._watch.limits.start and not self._watch.has_worked(worker.name):
            worker.show_where()
            self._end(place, worker)
            why = f"The worker was ended: {seconds:.0f} s after its start it had no trial; its log is {worker.log}."
            self._bury(place, worker, why, counts=False)

    def _end(self, place: _Place, worker: LocalWorker) -> None:
        worker.close()
        place.worker = place.gauge = None
        place.closed = place.closed or self._asked

    def _bury(self, place: _Place, worker: LocalWorker, why: str, *, counts: bool) -> None:
        """Takes back what a worker held that died, and decides when another one starts, if any.

        Raises:
            SearchFailed: Workers keep dying, and no trial was done so far.
        """
        numbers = self._leases.release(self._run_id, worker.name, why, counts=counts)
        self._deaths += 1
        place.failures = 0 if numbers or self._watch.has_worked(worker.name) else place.failures + 1
        place.not_before = time.monotonic() + BACKOFF_SECONDS * (2**place.failures - 1)
        place.closed = place.closed or place.failures > MAX_DEATHS
        if self._deaths > MAX_DEATHS * len(self._places) and not self._has_learnt():
            raise SearchFailed(f"{self._deaths} workers ended before any trial was done. {why}")

    def _has_learnt(self) -> bool:
        return any(trial.scored for trial in self._ledger.trials(self._run_id))


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
