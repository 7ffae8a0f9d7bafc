"""Runs a command on some of the cores and watches the memory of all its processes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.cells import ROOT

LATEST = 3.0
"""Times its seconds, and `GRACE_SECONDS` more, after which a command is ended."""
GRACE_SECONDS = 300.0
BETWEEN_SAMPLES = 0.5
"""Seconds."""
LAST_CHARACTERS = 2000


@dataclass(frozen=True)
class Done:
    """A process that has ended well."""

    output: str
    seconds: float
    peak_mb: int


def watched(command: Sequence[str], environment: dict[str, str], seconds: float, scratch: Path) -> Done:
    """Runs a command in a process group of its own and samples the memory of all its processes.

    Raises:
        SystemExit: It failed or took far too long; with its last lines.
    """
    began, peak = time.monotonic(), 0.0
    with (scratch / "out").open("w+") as out, (scratch / "err").open("w+") as err:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=out, stderr=err, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            while process.poll() is None:
                peak = max(peak, proportional_mb(process.pid))
                if time.monotonic() - began > LATEST * seconds + GRACE_SECONDS:
                    break
                time.sleep(BETWEEN_SAMPLES)
        finally:
            if late := process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if late or process.returncode:
            err.seek(0)
            why = "took far too long and was ended" if late else f"failed with {process.returncode}"
            raise SystemExit(f"{' '.join(command[:5])} … {why}:\n{err.read()[-LAST_CHARACTERS:]}")
        out.seek(0)
        return Done(out.read(), time.monotonic() - began, round(peak))


def proportional_mb(process_id: int) -> float:
    """Memory of a process and all below it, pages that several of them use counted once."""
    total = 0
    try:
        root = psutil.Process(process_id)
        for process in [root, *root.children(recursive=True)]:
            try:
                memory = process.memory_full_info()
                total += getattr(memory, "pss", 0) or memory.uss
            except psutil.Error:
                continue  # it has ended meanwhile
    except psutil.Error:
        return 0.0
    return total / 1e6


def use_cores(count: int) -> None:
    """This process and all that it starts."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
