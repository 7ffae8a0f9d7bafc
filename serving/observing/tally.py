"""The files in which each worker counts. Any worker adds up those of all; those of the dead are put together.

`prometheus_client` writes them: one file for each kind of metric and process, `histogram_4711.db`. Without care a
worker that is killed and started again leaves its files for ever, and gauges that say what it was doing when it died.
"""

from __future__ import annotations

import os
import struct
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

NOBODY = 0
"""The process of the file in which the counts of the dead are together."""
ORDER = {"_bucket": 0, "_count": 1, "_sum": 2}
DAMAGED = (struct.error, ValueError, RuntimeError)


def collected(folder: Path) -> list[Any]:
    """The metrics of all workers that live or lived, added up.

    Args:
        folder: Of the files.
    """
    with _lock(folder):
        _bury(folder)
        metrics = list(MultiProcessCollector(None, str(folder)).collect())
    for metric in metrics:
        if metric.type == "histogram":  # comes with its sum before its buckets, which not every reader takes
            metric.samples.sort(key=_order)
    return metrics


def bury(folder: Path) -> None:
    """Forgets what the dead workers were doing, and puts what they counted together.

    Args:
        folder: Of the files.
    """
    with _lock(folder):
        _bury(folder)


def living(folder: Path) -> list[int]:
    """The process ids of the workers that count in this folder and live."""
    return sorted({owner for path in folder.glob("*.db") if (owner := _owner(path)) != NOBODY and _lives(owner)})


def _bury(folder: Path) -> None:
    dead: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.glob("*.db")):
        kind = path.name.partition("_")[0]
        if _owner(path) == NOBODY or _lives(_owner(path)):
            continue
        if kind == "gauge":
            path.unlink(missing_ok=True)
        else:
            dead[kind].append(path)
    for kind, paths in dead.items():
        grave = folder / f"{kind}_{NOBODY}.db"
        _add_up([*paths, *([grave] if grave.exists() else [])], grave)
        for path in paths:
            path.unlink(missing_ok=True)


def _add_up(paths: Iterable[Path], to: Path) -> None:
    sums: dict[str, float] = defaultdict(float)
    for path in paths:
        with suppress(*DAMAGED):  # killed in mid-write
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):
                sums[key] += value
    beside = to.with_suffix(".new")
    beside.unlink(missing_ok=True)
    written = MmapedDict(str(beside))
    for key, value in sums.items():
        written.write_value(key, value, 0.0)
    written.close()
    beside.replace(to)


def _owner(path: Path) -> int:
    number = path.stem.rpartition("_")[2]
    return int(number) if number.isdigit() else NOBODY


def _lives(process_id: int) -> bool:
    return process_id == os.getpid() or psutil.pid_exists(process_id)


def _lock(folder: Path) -> FileLock:
    # held for milliseconds, by a worker that starts or is asked for its metrics
    return FileLock(folder / "lock", timeout=5)


def _order(sample: Any) -> tuple[tuple[tuple[str, str], ...], int, float]:
    labels = tuple(sorted(item for item in sample.labels.items() if item[0] != "le"))
    ending = "_" + sample.name.rpartition("_")[2]
    return labels, ORDER.get(ending, 3), float(sample.labels.get("le", 0))
