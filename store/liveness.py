"""Whether the process that owns a row still lives. Its number alone does not tell: numbers are used again."""

from __future__ import annotations

import platform
from typing import Any

import psutil

_CLOCK_TOLERANCE_SECONDS = 5.0
"""The start of one process, computed twice, differs when the system's clock was corrected in between."""


def owner(process_id: int) -> dict[str, Any]:
    """What a row must keep to recognise this process later: the columns host, process_id and process_started."""
    return {"host": platform.node(), "process_id": process_id, "process_started": _started(process_id)}


def is_here(host: str) -> bool:
    """True for rows of this machine: about the processes of another one nothing is known."""
    return host == platform.node()


def lives(process_id: int, started: float | None) -> bool:
    """True when the process with this number runs and began at `started`, in seconds since 1970."""
    try:
        now_started = _started(process_id)
    except psutil.AccessDenied:  # it exists, and this user may not know more
        return True
    if now_started is None or started is None:
        return now_started is not None
    return abs(now_started - started) <= _CLOCK_TOLERANCE_SECONDS


def _started(process_id: int) -> float | None:
    """`None` for a process that is no more; one that ended and was not waited for counts as such."""
    try:
        process = psutil.Process(process_id)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.NoSuchProcess, ValueError):
        return None
