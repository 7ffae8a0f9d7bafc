"""Whether the process that owns a row still lives. Its number alone does not tell: numbers are used again."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import Row

_CLOCK_TOLERANCE_SECONDS = 5.0
"""For rows of the first release, which know the start by a clock that may have been corrected since."""

_HIDDEN = "hidden"
"""The mark of another user's process, of which the system says no more than that it exists."""


def owner(process_id: int) -> dict[str, Any]:
    """What a row must keep to recognise this process later: four of its columns."""
    return {
        "host": platform.node(),
        "process_id": process_id,
        "process_started": _started(process_id),
        "process_mark": _mark(process_id),
    }


def is_owner(row: Row[Any], process_id: int) -> bool:
    """Whether the row is owned by this process."""
    mark = _mark(process_id)
    return mark is not None and (row.host, row.process_id, row.process_mark) == (platform.node(), process_id, mark)


def lives(row: Row[Any], *, shared: bool) -> bool | None:
    """Whether the process that owns the row runs.

    No clock is asked: setting it back or forward makes nobody dead.

    Args:
        row: With the columns of `owner`.
        shared: Whether machines share the database. Two of them may have the same name, so an owner of this name from
            another start of the system may be another machine's; in a database of this machine alone it is gone.

    Returns:
        `None`: nothing is known here, since it is a process of another machine or container.
    """
    here = row.host == platform.node()
    if row.process_mark is None:
        return _lives_by_clock(row.process_id, row.process_started) if here else None
    place, _, _ = row.process_mark.rpartition("/")
    if place == _place() if place else here:
        return _mark(row.process_id) in (row.process_mark, _HIDDEN)
    return False if here and not shared else None


def _mark(process_id: int) -> str | None:
    """Where a process runs and when it began, as no clock changes it. `None` for one that is no more; one that ended
    and was not waited for counts as such."""
    try:
        # the name, in brackets, may hold spaces and brackets itself
        fields = Path(f"/proc/{process_id}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else f"{_place()}/{fields[19]}"
    except (OSError, IndexError):
        if not Path("/proc/self/stat").exists():  # another system than Linux
            started = _started(process_id)
            return None if started is None else f"{_place()}/{started}"
    try:
        os.kill(process_id, 0)
    except PermissionError:
        return _HIDDEN
    except (OSError, OverflowError):
        pass
    return None


@cache
def _place() -> str:
    """Names this start of the system and this container, among whose processes a number is unique; "" where the
    system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _lives_by_clock(process_id: int, started: float | None) -> bool:
    try:
        now_started = _started(process_id)
    except psutil.AccessDenied:  # it exists, and this user may not know more
        return True
    if now_started is None or started is None:
        return now_started is not None
    return abs(now_started - started) <= _CLOCK_TOLERANCE_SECONDS


def _started(process_id: int) -> float | None:
    """In seconds since 1970."""
    try:
        process = psutil.Process(process_id)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.NoSuchProcess, ValueError):
        return None
