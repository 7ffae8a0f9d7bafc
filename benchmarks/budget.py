"""Whether a run keeps its time.

`kerasmith run` in a process of its own on data of every kind, with budgets from half a minute to ten minutes:
`seconds` from the process's start to its end, `over` beyond the budget, `used` as a part of it. The runs of one call
share a home, as a person's would: its first run guesses what packaging takes, later ones know. Data that is not
embedded comes from the folder that KERASMITH_BENCH_DATA names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cells import Cell, run

FILES = (
    "pipelines/governor.py",
    "pipelines/costs.py",
    "pipelines/choosing.py",
    "pipelines/searching.py",
    "pipelines/finishing.py",
    "pipelines/refit.py",
    "pipelines/run.py",
    "pipelines/train.py",
    "pipelines/trial.py",
    "pipelines/workers/*.py",
    "benchmarks/budget.py",
)
VARIABLE = "KERASMITH_BENCH_DATA"
DATA: dict[str, tuple[str, ...]] = {
    "digits": ("digits",),
    "clothing": ("{data}/datasets/image/clothing_small_160",),
    "trec": ("tfds:trec", "--data-dir", "{data}/tfds"),
    "vowels": ("{data}/datasets/timeseries/JapaneseVowels/JapaneseVowels_TRAIN.ts",),
    "wine": ("{data}/datasets/tabular/wine_quality/winequality-white.csv", "--task", "regression"),
    "load": (
        *("{data}/datasets/forecasting/ETTh1.csv", "--task", "forecasting"),
        *("--target", "OT", "--time", "date", "--horizon", "24"),
    ),
}
"""Arguments of `kerasmith run` for each dataset."""
BUDGETS: dict[str, tuple[int, ...]] = {
    "digits": (30, 45, 60, 120, 300),
    "clothing": (60, 90, 120, 240, 600),
    "trec": (60, 90, 120, 180, 300),
    "vowels": (30, 45, 60, 120, 180),
    "wine": (30, 45, 60, 120, 240),
    "load": (45, 60, 90, 120, 600),
}
"""Seconds."""
_HOME: list[tempfile.TemporaryDirectory[str]] = []


def timed(name: str, budget: int) -> dict[str, Any]:
    """One run."""
    folder = os.environ.get(VARIABLE, "")
    arguments = [part.format(data=folder) for part in DATA[name]]
    if any("{data}" in part for part in DATA[name]) and not Path(folder or "?").is_dir():
        raise SystemExit(f"{name}: {VARIABLE} must name the folder with the data. Received: {folder!r}.")
    if not _HOME:
        _HOME.append(tempfile.TemporaryDirectory(prefix="kerasmith-benchmark-"))
    command = [sys.executable, "-m", "pipelines", "run", *arguments, "--budget", f"{budget}s", "--json"]
    began = time.monotonic()
    done = subprocess.run(
        command,
        env={**os.environ, "KERASMITH_HOME": _HOME[0].name},
        capture_output=True,
        text=True,
    )
    seconds = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr.strip() or done.stdout}")
    told = json.loads(done.stdout)
    trials = told["trials"]
    return {
        "budget_seconds": budget,
        "seconds": round(seconds, 1),
        "over_seconds": round(max(0.0, seconds - budget), 1),
        "used": round(seconds / budget, 3),
        "kept": bool(seconds <= budget + max(5.0, 0.02 * budget)),
        "trials": len(trials),
        "failed": sum(trial["state"] == "failed" for trial in trials),
        "search_seconds": told["seconds"]["search"],
        "finish_seconds": round(sum(told["seconds"][step] for step in ("refit", "evaluate", "package")), 1),
    }


CELLS = tuple(
    Cell(
        bench="budget",
        name=f"{name}-{budget:03d}s",
        measure=partial(timed, name, budget),
        files=FILES,
        packages=("keras", "tensorflow"),
    )
    for name, budgets in BUDGETS.items()
    for budget in budgets
)

if __name__ == "__main__":
    run(CELLS)
