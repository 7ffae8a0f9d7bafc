"""What a worker does beside training: says that it lives, waits for others, makes room, ends with its supervisor."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pipelines.workers import memory
from store.leases import Leases

BEAT_SECONDS = 2.0
WAIT_SECONDS = 1.0
"""Between two looks at what others train."""
LEAST_GROWTH_BYTES = 1_000_000_000
LARGEST_GROWTH = 0.5
"""Of the memory after the first trial."""
LARGEST_SHARE_OF_CAP = 0.6
WORTH_SECONDS = 60.0
"""Of the run that must be left for a new process to be worth its start."""


@contextmanager
def beating(leases: Leases, run_id: str, worker: str, seconds: float = BEAT_SECONDS) -> Iterator[None]:
    """Says every few seconds that this worker lives, while the body runs.

    What goes wrong with that is written to the log and does not end the worker: a database that stays out of reach
    meets it with its next epoch, and silence is the supervisor's to judge.
    """
    over = threading.Event()

    def beat() -> None:
        while not over.wait(seconds):
            try:
                leases.beat(run_id, worker)
            except Exception:
                traceback.print_exc()

    heart = threading.Thread(target=beat, name="heartbeat", daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()


class Waiting:
    """For a worker that has nothing to do while others train: what they leave or learn may give it work."""

    def __init__(self, leases: Leases, run_id: str, worker: str, stop_requested: Callable[[], bool]) -> None:
        self._leases, self._run_id, self._worker = leases, run_id, worker
        self._stop_requested = stop_requested

    def __call__(self) -> bool:
        """Waits until another worker has ended a trial or begun one. False: nobody trains, or all are asked to stop."""
        before = self._others()
        while before and not self._stop_requested():
            time.sleep(WAIT_SECONDS)
            if self._others() != before:
                return True
        return False

    def _others(self) -> set[tuple[str, int]]:
        held = self._leases.held(self._run_id)
        return {(lease.worker, lease.number) for lease in held if lease.worker != self._worker}


class Recycling:
    """Whether this process has grown so much that a new one should take its place."""

    def __init__(
        self,
        cap_bytes: int,
        seconds_left: Callable[[], float],
        used_bytes: Callable[[], int] = memory.own_private_bytes,
    ) -> None:
        """
        Args:
            cap_bytes: That the process may use.
            seconds_left: Until the search's end.
            used_bytes: Measures it.
        """
        self._cap, self._seconds_left, self._used_bytes = cap_bytes, seconds_left, used_bytes
        self._first: int | None = None
        self._trials = 0
        self.due = False

    def __call__(self) -> bool:
        """Asked before each trial. Compares with what was used after the first one, so that a process always does
        two trials or more: one that is large from the start would gain nothing."""
        self._trials += 1
        if self._trials == 1:
            return False
        if self._first is None:
            self._first = self._used_bytes()
        elif self._has_grown(self._first):
            memory.tidy()
            self.due = self._has_grown(self._first) and self._seconds_left() > WORTH_SECONDS
        return self.due

    def _has_grown(self, first: int) -> bool:
        used = self._used_bytes()
        growth = used - first
        if growth > max(LEAST_GROWTH_BYTES, LARGEST_GROWTH * first):
            return True
        return used > LARGEST_SHARE_OF_CAP * self._cap and growth > 0.1 * first


def end_with_supervisor() -> None:
    """Has the kernel end this process together with the one that started it, also while code in C holds the
    interpreter, so that nobody listens. Linux only; elsewhere the end of the standard input must do."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            pr_set_pdeathsig = 1
            ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def end_orphaned(code: int) -> None:
    """Ends this process, and all that it started where it leads a group of its own."""
    if os.getpgid(0) == os.getpid():
        with suppress(OSError):
            os.killpg(0, signal.SIGKILL)
    os._exit(code)
