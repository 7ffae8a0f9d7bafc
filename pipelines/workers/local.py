"""A worker on this machine, seen from its supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipelines.workers.job import Job
from pipelines.workers.process import ERROR_FILE, EXIT_BAD_SPACE, EXIT_CONFIG, EXIT_STORE
from records.errors import ConfigError, SearchFailed, StoreError
from store.ledger import Ledger

LOG_FILE = "worker.log"
MAX_DEATHS = 2
"""Workers that may die before the search goes on with what it has."""
GRACE_SECONDS = 5.0
"""Between the search's last moment and the end of a worker that does not stop by itself."""
POLL_SECONDS = 0.2


class LocalWorker:
    """One long-lived child process that runs trials."""

    def __init__(self, job: Job, folder: Path) -> None:
        path = folder / "job.json"
        job.write(path)
        self._folder = folder
        self._log = (folder / LOG_FILE).open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.workers.process", str(path)],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then asks politely
        )

    def alive(self) -> bool:
        """True until the process has ended."""
        return self._process.poll() is None

    def finished(self) -> bool:
        """True when it ended because its work was done."""
        return self._process.returncode == 0

    def ask_to_stop(self) -> None:
        """Asks it to finish after the epoch at hand."""
        if self._process.stdin:
            with suppress(OSError, ValueError):
                self._process.stdin.write(b"stop\n")
                self._process.stdin.flush()

    def kill(self) -> None:
        """Ends it and everything that it started, now."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """Frees what the supervisor holds of it; ends it where it still lives."""
        if self.alive():
            self.kill()
        if self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()
        self._log.close()

    def ending(self) -> str:
        """How it ended, in a sentence."""
        code = self._process.returncode
        if code is not None and code < 0:
            return f"The worker was ended by signal {-code} ({signal.Signals(-code).name})."
        return f"The worker ended with exit code {code}; its log is {self._folder / LOG_FILE}."

    def raise_if_fatal(self) -> None:
        """Turns what no other worker would do better into an error.

        Raises:
            ConfigError: A space or backbone that was asked for cannot be used.
            SearchFailed: A space's code is wrong; says which, with which values, and what was raised.
            StoreError: Its results cannot be kept.
        """
        if self._process.returncode == EXIT_STORE:
            raise StoreError(
                f"The search could not keep its results: the disk of {self._folder} is full or cannot be written. "
                "Free some space, or use another KERASMITH_HOME, and run again."
            )
        if self._process.returncode == EXIT_CONFIG:
            raise ConfigError((self._folder / ERROR_FILE).read_text("utf-8"))
        if self._process.returncode == EXIT_BAD_SPACE:
            raise SearchFailed((self._folder / ERROR_FILE).read_text("utf-8"))


def supervise(
    job: Job,
    folder: Path,
    ledger: Ledger,
    search_until: Callable[[], float],
    stop_requested: Callable[[], bool],
    progress: Callable[[], None],
) -> None:
    """Keeps a worker running until the search is over, and starts another where one dies.

    Args:
        job: What the worker does.
        folder: Of the run.
        ledger: Running trials of a dead worker are failed in it.
        search_until: The monotonic second at which trials must have ended; may move as trials are measured.
        stop_requested: Asked all the time; then the worker is asked to finish.
        progress: Called all the time, to show how it stands.

    Raises:
        ConfigError: A space or backbone that was asked for cannot be used.
        SearchFailed: A space's code is wrong, or workers keep dying before anything was learnt.
    """
    for death in range(MAX_DEATHS + 1):
        worker = LocalWorker(job, folder)
        try:
            finished = _watch(worker, search_until, stop_requested, progress)
        finally:
            worker.close()
        worker.raise_if_fatal()
        if finished:
            ledger.fail_running(job.run_id, "Its time was over.")
            return
        ledger.fail_running(job.run_id, worker.ending())
        if death == MAX_DEATHS and not any(trial.score is not None for trial in ledger.trials(job.run_id)):
            raise SearchFailed(f"{MAX_DEATHS + 1} workers ended before any trial was done. {worker.ending()}")


def _watch(
    worker: LocalWorker,
    search_until: Callable[[], float],
    stop_requested: Callable[[], bool],
    progress: Callable[[], None],
) -> bool:
    """True when the worker ended by itself or was ended in time; False when it died."""
    asked = False
    while worker.alive():
        progress()
        late = time.monotonic() - search_until()
        if (late > 0 or stop_requested()) and not asked:
            worker.ask_to_stop()
            asked = True
        if late > GRACE_SECONDS:
            worker.kill()
            return True
        time.sleep(POLL_SECONDS)
    return worker.finished()
