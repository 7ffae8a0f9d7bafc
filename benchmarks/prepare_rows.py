"""Preparing rows.

`prepare` reads a csv of numbers, categories and dates, some of them missing, finds out what each column holds, looks
for columns that give the target away and for equal rows, splits, and writes one array. `load_csv` is pandas-free
reading alone: `pyarrow.csv.read_csv`. Each figure is of one fresh process that may use two cores; `peak` is the largest
resident memory of that process, libraries (`started`) and the pages of the file that it writes counted.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cells import ROOT, Cell, run

FILES = (
    "pipelines/preparing/*.py",
    "pipelines/datasets/files.py",
    "pipelines/datasets/tables/*.py",
    "serving/codecs/*.py",
    "benchmarks/prepare_rows.py",
)
CORES = 2
BLOCK = 50_000
"""Rows that are written at once."""
TOWNS, COLOURS, MAKERS = 40, 7, 900
"""Different categories."""


def measured(num_rows: int, num_columns: int) -> dict[str, Any]:
    """Writes a csv, reads it with Arrow alone, and prepares it, each in a child process."""
    with tempfile.TemporaryDirectory(prefix="kerasmith-benchmark-") as folder:
        path = Path(folder) / "rows.csv"
        write_mixed(path, num_rows) if num_columns == 12 else write_wide(path, num_rows, num_columns)
        megabytes = path.stat().st_size / 1e6
        reading, prepared = child("--read", path), child("--prepare", path)
    return {
        "rows": num_rows,
        "columns": num_columns,
        "csv_mb": round(megabytes),
        "load_csv_seconds": reading["seconds"],
        "prepare_seconds": prepared["seconds"],
        "rows_per_second": round(num_rows / prepared["seconds"]),
        "started_mb": prepared["started_mb"],
        "peak_mb": prepared["peak_mb"],
    }


def child(what: str, path: Path) -> dict[str, Any]:
    """The figures of one fresh process."""
    command = [sys.executable, "-m", "benchmarks.prepare_rows", what, str(path)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def read_only(path: Path) -> dict[str, Any]:
    from pyarrow import csv

    started = time.perf_counter()
    csv.read_csv(path)
    return {"seconds": round(time.perf_counter() - started, 2)}


def prepare_once(path: Path) -> dict[str, Any]:
    from pipelines.datasets.catalog import open_source
    from pipelines.preparing.prepare import prepare
    from records.config import RunConfig
    from store.home import Home

    config = RunConfig(data=str(path), target="target", task="regression")
    before = peak_mb()
    with tempfile.TemporaryDirectory(dir=path.parent) as home:
        started = time.perf_counter()
        prepare(open_source(config), config, Home(Path(home)))
        seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 2), "started_mb": before, "peak_mb": peak_mb()}


def peak_mb() -> int:
    """The largest resident memory that this process had."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)


def write_mixed(path: Path, num_rows: int) -> None:
    """Five numbers, four categories, two dates and a target."""
    rng = np.random.default_rng(0)
    towns, colours, makers = (words(prefix, n) for prefix, n in (("town", TOWNS), ("colour", COLOURS), ("m", MAKERS)))
    with path.open("w", encoding="utf-8") as file:
        file.write("age,income,rooms,distance,score,town,colour,maker,kept,built,sold,target\n")
        for start in range(0, num_rows, BLOCK):
            count = min(BLOCK, num_rows - start)
            age, income = rng.integers(18, 90, count), rng.lognormal(10, 1, count)
            rooms, distance, score = rng.integers(1, 9, count), rng.exponential(5, count), rng.normal(size=count)
            built = np.datetime64("1950-01-01") + rng.integers(0, 25_000, count)
            sold = np.datetime64("2019-01-01T00:00") + rng.integers(0, 3_000_000, count)
            target = 3 * rooms + 0.1 * age + score * distance + rng.normal(size=count)
            columns = (
                *(age.astype(str), np.char.mod("%.2f", income), rooms.astype(str)),
                *(gaps(np.char.mod("%.3f", distance), rng), np.char.mod("%.5f", score)),
                *(towns[rng.integers(0, TOWNS, count)], gaps(colours[rng.integers(0, COLOURS, count)], rng)),
                *(makers[rng.zipf(1.3, count) % MAKERS], np.where(rng.random(count) < 0.3, "yes", "no")),
                *(built.astype(str), sold.astype(str), np.char.mod("%.4f", target)),
            )
            file.write("\n".join(map(",".join, zip(*columns, strict=True))) + "\n")


def write_wide(path: Path, num_rows: int, num_columns: int) -> None:
    """Numbers, and every tenth column a category."""
    rng = np.random.default_rng(0)
    towns = words("town", TOWNS)
    with path.open("w", encoding="utf-8") as file:
        file.write(",".join([*(f"column{i}" for i in range(num_columns - 1)), "target"]) + "\n")
        for _ in range(num_rows):
            cells = np.char.mod("%.4f", rng.normal(size=num_columns))
            cells[:-1:10] = towns[rng.integers(0, TOWNS, len(cells[:-1:10]))]
            file.write(",".join(cells) + "\n")


def words(prefix: str, count: int) -> np.ndarray:
    return np.array([f"{prefix}{i}" for i in range(count)])


def gaps(cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One cell of twenty is empty."""
    return np.where(rng.random(len(cells)) < 0.05, "", cells)


CELLS = tuple(
    Cell(
        bench="prepare_rows",
        name=name,
        measure=partial(measured, num_rows, num_columns),
        files=FILES,
        packages=("pyarrow", "numpy"),
    )
    for name, num_rows, num_columns in (
        ("100k-rows", 100_000, 12),
        ("1m-rows", 1_000_000, 12),
        ("5000-columns", 2000, 5000),
    )
)
CHILDREN = {"--read": read_only, "--prepare": prepare_once}

if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in CHILDREN:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
        print(json.dumps(CHILDREN[sys.argv[1]](Path(sys.argv[2]))))  # noqa: T201
    else:
        run(CELLS)
