"""What every benchmark shares: cells that are measured once, written down, and measured again when the code changed."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One measurement."""

    bench: str
    """The benchmark's module, "prepare"."""
    name: str
    """Of the file that holds the result."""
    measure: Callable[[], dict[str, Any]]
    """Gives the figures by name, with the unit in the name."""
    files: tuple[str, ...]
    """Globs from the project's root: what is measured. A change makes the result stale."""
    packages: tuple[str, ...] = ()
    """Distributions whose versions matter."""

    @property
    def path(self) -> Path:
        return RESULTS / self.bench / f"{self.name}.json"


def run(cells: Sequence[Cell], arguments: Sequence[str] | None = None) -> None:
    """The command line of a benchmark: measures what is missing or stale."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="cells to measure; all when left out")
    parser.add_argument("--again", action="store_true", help="measure also what is up to date")
    parser.add_argument("--list", action="store_true", help="say how each cell stands, and end")
    asked = parser.parse_args(arguments)
    unknown = set(asked.names) - {cell.name for cell in cells}
    if unknown:
        parser.error(f"no such cell: {', '.join(sorted(unknown))}; known: {', '.join(cell.name for cell in cells)}")
    for cell in cells:
        if asked.names and cell.name not in asked.names:
            continue
        state = standing(cell.path)
        if asked.list or (state == "up to date" and not asked.again):
            say(f"{cell.name}: {state}")
            continue
        say(f"{cell.name}: {state}; measuring …")
        say(f"  {json.dumps(measure(cell)['figures'])}")


def measure(cell: Cell) -> dict[str, Any]:
    """Runs one cell and writes its result in one piece, so that a stop leaves whole results only."""
    before, started = hash_files(cell.files), time.monotonic()
    load = os.getloadavg()[0]
    figures = cell.measure()
    if hash_files(cell.files) != before:
        raise SystemExit(f"{cell.name}: the measured files changed meanwhile. Expected them to stay. Run it again.")
    result = {
        "bench": cell.bench,
        "cell": cell.name,
        "figures": figures,
        "measured_on": datetime.now(UTC).date().isoformat(),
        "seconds": round(time.monotonic() - started, 1),
        "load_at_start": round(load, 2),
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in cell.packages}},
        "files": list(cell.files),
        "files_sha256": before,
    }
    cell.path.parent.mkdir(parents=True, exist_ok=True)
    temporary = cell.path.with_suffix(".part")
    temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    temporary.replace(cell.path)
    return result


def standing(path: Path) -> str:
    """ "missing", "stale" (the measured files have changed) or "up to date"."""
    if not path.exists():
        return "missing"
    result = json.loads(path.read_text("utf-8"))
    return "up to date" if result["files_sha256"] == hash_files(result["files"]) else "stale"


def hash_files(globs: Sequence[str]) -> str:
    """SHA-256 over the names and contents of the files, line endings as they are."""
    digest = hashlib.sha256()
    for path in sorted({path for glob in globs for path in ROOT.glob(glob) if path.is_file()}):
        digest.update(
            f"{path.relative_to(ROOT).as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        )
    return digest.hexdigest()


def machine() -> dict[str, Any]:
    """What the figures depend on; nothing that names the machine."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.system(),
    }


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
