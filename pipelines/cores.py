"""How many cores there are."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CONTROLLERS = Path("sys/fs/cgroup")
GROUPS_OF_PROCESS = Path("proc/self/cgroup")


def num_cores() -> int:
    """Cores that this process may use: those it is bound to, and no more than its container's share of time is worth.

    A share of a core and a half counts as two: two threads that are held back for a quarter of the time still do more
    than one.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(bound, math.ceil(min(bound, quota()))))


def num_threads() -> int:
    """Threads that this process is to calculate with: the part of the cores that a worker was given, else all."""
    try:
        told = int(os.environ.get("TF_NUM_INTRAOP_THREADS", ""))
    except ValueError:
        return num_cores()
    return told if told > 0 else num_cores()


def quota(root: Path = Path("/")) -> float:
    """Seconds of processor time that the system grants each second; infinite where nothing limits it.

    Containers are held by the system's control groups, of version 2 (`cpu.max`) or 1 (`cpu.cfs_quota_us`). A group is
    also held by those above it.

    Args:
        root: Of the file system.
    """
    return min((_granted(folder) for folder in _folders(root)), default=math.inf)


def _folders(root: Path) -> Iterator[Path]:
    """Where the groups of this process and those above them are told, as far as this process can see them."""
    mounted = root / CONTROLLERS
    try:
        lines = (root / GROUPS_OF_PROCESS).read_text("utf-8").splitlines()
    except OSError:  # no Linux, or hidden
        lines = []
    for line in ["0::/", "1:cpu:/", *lines]:  # inside a container its own group often stands at the top
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        tops = [mounted, mounted / "unified"] if not controllers else [mounted / controllers, mounted / "cpu"]
        path = PurePosixPath(group.lstrip("/"))
        for top in tops:
            yield from (top / above for above in (path, *path.parents))


def _granted(folder: Path) -> float:
    try:
        if (folder / "cpu.max").is_file():
            allowed, period = (folder / "cpu.max").read_text("ascii").split()
        else:
            allowed = (folder / "cpu.cfs_quota_us").read_text("ascii").strip()
            period = (folder / "cpu.cfs_period_us").read_text("ascii").strip()
        limited = allowed != "max" and int(allowed) > 0 and int(period) > 0
        return int(allowed) / int(period) if limited else math.inf
    except (OSError, ValueError):
        return math.inf
