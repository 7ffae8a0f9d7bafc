"""Memory: what this machine has for the workers, and what a worker uses of it."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

SHARE = 0.8
"""Of the machine's memory that the workers may use together; the rest is the supervisor's and everybody else's."""
FAMILY_SECONDS = 5.0
"""Between two searches for a worker's own children, which read the table of all processes."""


def total_bytes(root: Path = Path("/")) -> int:
    """Memory that this process may use: the machine's, or the least that a control group around it allows.

    Args:
        root: Of the file system in which the system describes itself.
    """
    return min(int(psutil.virtual_memory().total), *_limits(root), 2**63)


def allowed_bytes(gigabytes: float | None) -> int:
    """What all workers together may use: as asked for, or most of what there is."""
    return int(gigabytes * 1e9) if gigabytes is not None else int(SHARE * total_bytes())


def private_bytes(process: psutil.Process) -> int:
    """Resident memory that is a process's own. Pages of mapped files do not count: the system takes them back when it
    needs them, and prepared data of any size is read through them."""
    figures = process.memory_info()
    return int(figures.rss - getattr(figures, "shared", 0))


def own_private_bytes() -> int:
    """`private_bytes` of this process."""
    return private_bytes(psutil.Process())


class Gauge:
    """What a worker and its children use."""

    def __init__(self, process_id: int) -> None:
        self._id = process_id
        self._family: list[psutil.Process] = []
        self._searched_at = -FAMILY_SECONDS

    def read(self, now: float) -> int:
        """Bytes; 0 once the worker is gone.

        Args:
            now: A monotonic second.
        """
        if now - self._searched_at >= FAMILY_SECONDS:
            self._searched_at = now
            with suppress(psutil.Error):
                worker = psutil.Process(self._id)
                self._family = [worker, *worker.children(recursive=True)]
        used = 0
        for process in self._family:
            with suppress(psutil.Error):
                used += private_bytes(process)
        return used


def tidy() -> None:
    """Gives back to the system what this process does not use any more."""
    gc.collect()
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def offer_to_the_system() -> None:
    """Where memory runs out, the kernel shall end this process, which costs a trial, before its supervisor."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _limits(root: Path) -> Iterator[int]:
    """Of the control groups that this process is in, version 1 and 2, up to the outermost that can be seen."""
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            path = os.path.normpath(path).strip("/.")
            if not controllers:  # version 2
                yield from _limits_above(root / "sys/fs/cgroup", path, "memory.max")
            elif "memory" in controllers.split(","):
                yield from _limits_above(root / "sys/fs/cgroup/memory", path, "memory.limit_in_bytes")


def _limits_above(base: Path, path: str, name: str) -> Iterator[int]:
    folder = base / path
    while folder.is_relative_to(base):
        with suppress(OSError, ValueError):  # "max" is no number: there is no limit
            yield int((folder / name).read_text())
        folder = folder.parent
