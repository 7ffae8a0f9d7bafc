"""One worker process on this machine, as its supervisor sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from pipelines.workers.process import (
    EXIT_BAD_SPACE,
    EXIT_BUSY,
    EXIT_CONFIG,
    EXIT_RECYCLE,
    EXIT_STORE,
    error_file,
)
from records.errors import ConfigError, SearchFailed, StoreError

DUMP_SECONDS = 0.2
"""For a worker to write where it is before it is killed."""
KILL_SECONDS = 10.0
"""For the system to end a process; one that waits for a broken disk may take for ever."""


class LocalWorker:
    """A long-lived child process that runs trials."""

    def __init__(self, job: Path, number: int, environment: Mapping[str, str]) -> None:
        """
        Args:
            job: The file that `Job.write` wrote.
            number: Of the log file, counted from 1.
            environment: In addition to this process's.
        """
        self.name = uuid.uuid4().hex[:12]
        self.log = job.parent / f"worker-{number}.log"
        self._folder = job.parent
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipelines.workers.process", str(job), self.name],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then asks politely
            )

    @property
    def process_id(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        """True until the process has ended."""
        return self._process.poll() is None

    def is_stopped(self) -> bool:
        """True where somebody stopped it (SIGSTOP) and did not let it go on."""
        with suppress(psutil.Error):
            return psutil.Process(self._process.pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
        return False

    def finished(self) -> bool:
        """True when it ended because its work was done."""
        return self._process.returncode == 0

    def made_room(self) -> bool:
        """True when it ended so that a new process takes its place."""
        return self._process.returncode == EXIT_RECYCLE

    def gave_up_waiting(self) -> bool:
        """True when it ended because another process held the database for long."""
        return self._process.returncode == EXIT_BUSY

    def ask_to_stop(self) -> None:
        """Asks it to finish after the epoch at hand."""
        if self._process.stdin:
            with suppress(OSError, ValueError):
                self._process.stdin.write(b"stop\n")
                self._process.stdin.flush()

    def show_where(self) -> None:
        """Has it write into its log what each of its threads is doing, where it still can."""
        with suppress(ProcessLookupError, AttributeError):
            os.kill(self._process.pid, signal.SIGUSR1)
            time.sleep(DUMP_SECONDS)

    def close(self) -> None:
        """Ends it and everything that it started, now, and frees what the supervisor holds of it."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_SECONDS)
        if self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()

    def ending(self) -> str:
        """How it ended, in a sentence."""
        code = self._process.returncode
        if code is None or code >= 0:
            return f"The worker ended with exit code {code}; its log is {self.log}.{self._last_words()}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        hint = ", as the system does where memory runs out" if -code == signal.SIGKILL else ""
        return f"The worker was ended by signal {-code} ({name}){hint}; its log is {self.log}."

    def _last_words(self) -> str:
        """The last line of its log, where there is one: of a traceback the line that says what was raised."""
        with suppress(OSError), self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            return f" Its last line: {last[:300]}" if last else ""
        return ""

    def raise_if_fatal(self) -> None:
        """Turns what no other worker would do better into an error.

        Raises:
            ConfigError: A space or backbone that was asked for cannot be used.
            SearchFailed: A space's code is wrong; says which, with which values, and what was raised.
            StoreError: Its results cannot be kept.
        """
        code = self._process.returncode
        if code == EXIT_STORE:
            raise StoreError(
                f"The search could not keep its results: the disk of {self._folder} is full or cannot be written. "
                "Free some space, or use another KERASMITH_HOME, and run again."
            )
        if code == EXIT_CONFIG:
            raise ConfigError(error_file(self._folder, self.name).read_text("utf-8"))
        if code == EXIT_BAD_SPACE:
            raise SearchFailed(error_file(self._folder, self.name).read_text("utf-8"))
