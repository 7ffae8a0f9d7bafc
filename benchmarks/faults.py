"""What random kills cost.

Runs of a search in processes of their own, on a small table. At random moments the run, its worker or both get
SIGKILL; a killed run is resumed. After every kill the ledger must be whole: no finished trial changed or missing,
numbers without holes, each running trial with one lease; at the end one model of each run, and no bundle that is not
registered. `seconds_to_lease` is from the start of a resumed run's worker to its next lease, imports left out.
A cell ends with an error where one of that does not hold.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.cells import Cell, run

FILES = (
    "store/*.py",
    "pipelines/run.py",
    "pipelines/session.py",
    "pipelines/searching.py",
    "pipelines/finishing.py",
    "pipelines/search.py",
    "pipelines/checkpoint.py",
    "pipelines/workers/*.py",
    "benchmarks/faults.py",
)
VICTIMS = ("run", "worker", "both")
LONGEST_LIFE = 25.0
"""Seconds after which a process is killed at the latest: imports, preparing, search and packaging all lie before."""
TRIALS = 5
COLOURS = ("red", "green", "blue")
EXIT_SEARCH_FAILED = 5
"""Workers were killed again and again before anything was learnt: a run may say so, and can be resumed."""


@dataclass
class Tally:
    """What happened so far."""

    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))
    runs: int = 0
    resumes: int = 0
    finished: dict[tuple[str, int], tuple[Any, ...]] = field(default_factory=dict)
    """Rows of finished trials as they were first seen."""


def harassed(kills: int, seed: int, longest_life: float = LONGEST_LIFE) -> dict[str, Any]:
    """Kills so many times, and checks after each.

    Args:
        kills: How often.
        seed: Of the moments and victims.
        longest_life: Seconds after which a process is killed at the latest.

    Raises:
        AssertionError: Something was lost, counted twice, or left unreadable.
    """
    rng, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory(prefix="kerasmith-benchmark-") as folder:
        data, home = make_table(Path(folder) / "table.csv"), Path(folder) / "home"
        began = time.monotonic()
        while sum(tally.kills.values()) < kills:
            harass_one_run(data, home, rng, tally, kills, longest_life)
        readiness = list(seconds_to_lease(home))
        return {
            "kills": sum(tally.kills.values()),
            **{f"{victim}_killed": count for victim, count in tally.kills.items()},
            "runs": tally.runs,
            "resumes": tally.resumes,
            "finished_trials": len(tally.finished),
            "lost_or_changed": 0,
            "median_seconds_to_lease": round(statistics.median(readiness), 2) if readiness else None,
            "longest_seconds_to_lease": round(max(readiness), 2) if readiness else None,
            "seconds": round(time.monotonic() - began),
        }


def make_table(path: Path) -> Path:
    """480 rows of three numbers, a category and a class that follows from them."""
    rng = np.random.default_rng(1)
    numbers, colours = rng.normal(size=(480, 3)), rng.integers(0, 3, 480)
    answer = numbers[:, 0] + 0.5 * colours + rng.normal(0, 0.3, 480) > 0.5
    rows = [
        f"{a:.4f},{b:.4f},{c:.4f},{COLOURS[colour]},{'yes' if yes else 'no'}"
        for (a, b, c), colour, yes in zip(numbers, colours, answer, strict=True)
    ]
    path.write_text("\n".join(["a,b,c,colour,answer", *rows]) + "\n", "utf-8")
    return path


def harass_one_run(data: Path, home: Path, rng: random.Random, tally: Tally, kills: int, longest_life: float) -> None:
    """One run, killed and resumed until it ends by itself."""
    tally.runs += 1
    flags = (
        "--target",
        "answer",
        "--space",
        "mlp",
        "--trials",
        str(TRIALS),
        "--budget",
        "1h",
        "--seed",
        str(tally.runs),
    )
    process, resumed = start(home, "run", str(data), *flags), False
    while True:
        moment = rng.uniform(0.0, longest_life) if sum(tally.kills.values()) < kills else 600.0
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        if process.returncode is None:
            victim = rng.choice(VICTIMS)
            if kill(process, victim):
                tally.kills[victim] += 1
        if process.returncode in (-signal.SIGKILL, EXIT_SEARCH_FAILED):
            check(home, tally)
            run_id = newest_unfinished(home)
            if run_id is None:  # killed before it had a row, or after it had said that it was done
                return
            tally.resumes += 1
            process, resumed = start(home, "resume", run_id), True
            continue
        if process.returncode is not None:
            assert process.returncode == 0, f"exit code {process.returncode} after {tally} (resumed: {resumed})"
            check(home, tally)
            return


def start(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines", *arguments],
        env={**os.environ, "KERASMITH_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[bytes], victim: str) -> bool:
    """SIGKILL to the run, its worker, or both at once. False: there is no worker just now."""
    workers = worker_processes(process.pid)
    if victim == "worker" and not workers:
        return False
    if victim in ("run", "both"):
        process.send_signal(signal.SIGKILL)
    for worker in workers if victim in ("worker", "both") else []:
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()
    if victim in ("run", "both"):
        process.wait()
    return True


def worker_processes(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(pid).children(recursive=True)
        return [child for child in children if "pipelines.workers.process" in " ".join(child.cmdline())]
    return []


def newest_unfinished(home: Path) -> str | None:
    with reading(home) as database:
        if database is None:
            return None
        row = database.execute("SELECT id FROM runs WHERE state != 'completed' ORDER BY sequence DESC").fetchone()
    return None if row is None else str(row[0])


def check(home: Path, tally: Tally) -> None:
    """Asserts that the ledger is whole, and remembers what is finished."""
    with reading(home) as database:
        if database is None:
            return
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        query = "SELECT run_id, number, space, hyperparameters, state, seed, score, error, result FROM trials"
        rows = {(row[0], row[1]): tuple(row[2:]) for row in database.execute(query)}
        for key, before in tally.finished.items():
            assert rows.get(key) == before, f"trial {key} was {before} and is {rows.get(key)}"
        ended = ("completed", "pruned", "failed")
        tally.finished.update({key: row for key, row in rows.items() if row[2] in ended})
        for run_id in {key[0] for key in rows}:
            numbers = sorted(number for one, number in rows if one == run_id)
            assert numbers == list(range(len(numbers))), f"run {run_id} has the trials {numbers}"
        leased = {tuple(row) for row in database.execute("SELECT run_id, number FROM leases")}
        assert leased == {key for key, row in rows.items() if row[2] == "running"}
        models = database.execute("SELECT run_id, count(*) FROM models GROUP BY run_id").fetchall()
        assert all(count == 1 for _, count in models), f"more than one model of a run: {models}"


@contextlib.contextmanager
def reading(home: Path) -> Iterator[sqlite3.Connection | None]:
    path = home / "kerasmith.db"
    if not path.is_file():
        yield None
        return
    with closing(sqlite3.connect(path, timeout=30)) as database:
        has_tables = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'leases'").fetchone()
        yield database if has_tables else None


def seconds_to_lease(home: Path) -> Iterator[float]:
    """What the workers' logs say."""
    for log in home.glob("runs/*/worker*.log"):
        for found in re.finditer(r"leased after ([0-9.]+) s", log.read_text("utf-8", errors="replace")):
            yield float(found.group(1))


CELLS = tuple(
    Cell(
        bench="faults",
        name=f"kills-{seed:02d}",
        measure=partial(harassed, 25, seed),
        files=FILES,
        packages=("sqlalchemy", "keras", "tensorflow"),
    )
    for seed in range(20)
)

if __name__ == "__main__":
    run(CELLS)
