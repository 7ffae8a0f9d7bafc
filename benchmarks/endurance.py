"""Memory of a worker over two hundred trials.

The search inside one process, as a worker runs it, on the embedded digits with small networks of changing shape; its
resident memory is read before each trial. `growth` compares the median of the last twenty readings with that of the
readings 21 to 40: before those, libraries still fill their caches.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cells import Cell, run

FILES = (
    "pipelines/search.py",
    "pipelines/choosing.py",
    "pipelines/trial.py",
    "pipelines/train.py",
    "pipelines/kept.py",
    "pipelines/checkpoint.py",
    "pipelines/batches.py",
    "store/leases.py",
    "benchmarks/endurance.py",
)
EPOCHS = 1


def endured(num_trials: int) -> dict[str, Any]:
    """Runs the search in a process of its own, so that nothing of this one counts."""
    with tempfile.TemporaryDirectory(prefix="kerasmith-benchmark-") as folder:
        command = [sys.executable, "-m", "benchmarks.endurance", "--inside", folder, str(num_trials)]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        readings: list[float] = json.loads(done.stdout.splitlines()[-1])
        early, late = statistics.median(readings[20:40]), statistics.median(readings[-20:])
        return {
            "trials": len(readings) - 1,
            "early_mb": round(early),
            "late_mb": round(late),
            "growth": round(late / early - 1.0, 4),
            "peak_mb": round(max(readings)),
            "seconds": round(time.monotonic() - began),
        }


def inside(folder: Path, num_trials: int) -> list[float]:
    """Megabytes before each trial and after the last."""
    import psutil

    from benchmarks.search_overhead import make_bench, start_run
    from pipelines.governor import Governor
    from pipelines.search import Assignment, search
    from records.config import RunConfig
    from store.leases import Leases

    bench = make_bench(folder, EPOCHS)
    engine, ledger, run_id = start_run(bench.home)
    process, readings = psutil.Process(), []

    def read() -> bool:
        readings.append(process.memory_info().rss / 1e6)
        return False

    assignment = Assignment(
        run_id=run_id,
        worker="endurance",
        config=RunConfig(data="digits", max_trials=num_trials),
        governor=Governor(started=time.monotonic(), deadline=time.monotonic() + 36_000),
        folder=bench.home.run_folder(run_id),
        stop_requested=lambda: False,
        leave=read,
    )
    search(assignment, bench, ledger, Leases(engine))
    return readings


CELLS = tuple(
    Cell(
        bench="endurance",
        name=f"{num_trials}-trials",
        measure=partial(endured, num_trials),
        files=FILES,
        packages=("keras", "tensorflow", "keras-tuner", "optuna"),
    )
    for num_trials in (200,)
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        print(json.dumps(inside(Path(sys.argv[2]), int(sys.argv[3]))))
    else:
        run(CELLS)
