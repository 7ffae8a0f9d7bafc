"""Runs one program on one dataset for `search_quality`, and reads its answers to the test examples.

Every program runs in processes of its own on the same two cores, is told the same number of seconds, counted from the
moment at which its process starts, and leaves its answers; accuracy is computed here, for all alike.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality_counting import interval
from benchmarks.quality_data import DATASETS, cache_folder, data_folder, prepared, read_facts
from benchmarks.watching import use_cores, watched

CORES = 2
PREDICT_SECONDS = 300.0
SHARED_FILES = ("benchmarks/quality_data.py", "benchmarks/quality_raw.py", "benchmarks/quality_methods.py")
PEER_FILES = ("benchmarks/peers/answer.py", "benchmarks/peers/arrays.py", "benchmarks/peers/clock.py")
TUNER_FILES = (
    "benchmarks/peers/spaces.py",
    "benchmarks/peers/tuned.py",
    "benchmarks/peers/requirements-keras-tuner.txt",
)
OUR_NAMES = (
    "batches", "choosing", "costs", "ensemble", "features", "folds", "governor", "judging", "members", "refit", "run",
    "search", "searching", "stopping", "timetable", "train", "trial",
)  # fmt: skip
OUR_FILES = (
    *(f"pipelines/{name}.py" for name in OUR_NAMES),
    "pipelines/proposing/*.py",
    "search_spaces/*.py",
    *SHARED_FILES,
)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One program with its settings."""

    title: str
    share: float = 1.0
    """Of the dataset's seconds."""
    flags: tuple[str, ...] = ()
    """Of `kerasmith run`."""
    module: str | None = None
    """Of a peer; `None`: ours."""
    environment: str = ""
    """A folder below `cache_folder()`, made by scripts/peers."""
    files: tuple[str, ...]
    """What is measured, as globs."""


METHODS = {
    "ours": Method(title="Kerasmith", files=OUR_FILES),
    "ours_third": Method(title="Kerasmith, a third of the time", share=1 / 3, files=OUR_FILES),
    "random": Method(
        title="random search, the same spaces",
        flags=("--algorithm", "random"),
        files=OUR_FILES,
    ),
    "hyperband": Method(
        title="KerasTuner Hyperband",
        module="benchmarks.peers.hyperband",
        environment="keras_tuner",
        files=("benchmarks/peers/hyperband.py", *TUNER_FILES, *PEER_FILES, *SHARED_FILES),
    ),
    "bayesian": Method(
        title="KerasTuner Bayesian",
        module="benchmarks.peers.bayesian",
        environment="keras_tuner",
        files=("benchmarks/peers/bayesian.py", *TUNER_FILES, *PEER_FILES, *SHARED_FILES),
    ),
    "autokeras": Method(
        title="AutoKeras",
        module="benchmarks.peers.autokeras",
        environment="autokeras",
        files=(
            "benchmarks/peers/autokeras.py",
            "benchmarks/peers/requirements-autokeras.txt",
            *PEER_FILES,
            *SHARED_FILES,
        ),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a program left behind."""

    labels: Sequence[str]
    """Its answer to each test example, in their order."""
    seconds: float
    trials: int
    peak_mb: int
    curve: Sequence[Sequence[float]] = ()
    notes: Sequence[str] = ()
    versions: dict[str, str] | None = None
    own_accuracy: float | None = None
    """What it says itself of the test examples; near duplicates can be left out of it."""


def measure(
    name: str, method: str, seed: int, examples: int | None = None, seconds: float | None = None
) -> dict[str, Any]:
    """Test accuracy with its 95 % interval, and what it took.

    Args:
        name: In `DATASETS`.
        method: In `METHODS`.
        seed: Of the program.
        examples: At most so many for training and testing; for trying only.
        seconds: Instead of the dataset's own; for trying only.
    """
    folder = prepared(name, data_folder(), cache_folder(), examples)
    facts, chosen = read_facts(folder), METHODS[method]
    budget = round((seconds or DATASETS[name].seconds) * chosen.share, 1)
    use_cores(CORES)
    with tempfile.TemporaryDirectory(prefix="kerasmith-benchmark-") as scratch:
        ask = ask_ours if chosen.module is None else ask_peer
        said = ask(chosen, folder, facts, budget, seed, Path(scratch))
    with np.load(folder / "test.npz") as file:
        truth = [facts["labels"][target] for target in file["targets"]]
    if len(said.labels) != len(truth):
        raise SystemExit(f"{name}, {method}: {len(said.labels)} answers to {len(truth)} test examples.")
    right = sum(one == other for one, other in zip(said.labels, truth, strict=True))
    low, high = interval(right, len(truth))
    return {
        "dataset": name,
        "method": method,
        "seed": seed,
        "accuracy": round(right / len(truth), 4),
        "accuracy_low": round(low, 4),
        "accuracy_high": round(high, 4),
        "own_accuracy": said.own_accuracy,
        "test_examples": len(truth),
        "train_examples": facts["train"],
        "budget_seconds": budget,
        "seconds": round(said.seconds, 1),
        "trials": said.trials,
        "peak_memory_mb": said.peak_mb,
        "split": facts["split"],
        "curve": [list(point) for point in said.curve],
        "notes": list(said.notes),
        "versions": said.versions or {},
    }


def ask_ours(method: Method, folder: Path, facts: dict[str, Any], seconds: float, seed: int, scratch: Path) -> Said:
    """The command line: `run`, then `predict` on the test examples."""
    program = [sys.executable, "-m", "pipelines"]
    environment = {**os.environ, "KERASMITH_HOME": str(scratch / "home")}
    single = facts["kind"] in ("text", "table")
    given = [str(folder / "task" / "data.csv"), "--target", "label", "--split", "split"] if single else []
    given = given or [str(folder / "task")]
    common = ["--budget", f"{seconds:g}s", "--seed", str(seed), "--name", "bench", "--metric", "accuracy", "--json"]
    made = watched([*program, "run", *given, *common, *method.flags], environment, seconds, scratch)
    outcome = json.loads(made.output)
    answers = scratch / "answers.csv"
    asked = [str(path) for path in sorted((folder / "asked").iterdir())]
    command = [*program, "predict", outcome["model"], *asked, "--out", str(answers)]
    watched(command, environment, PREDICT_SECONDS, scratch)
    with answers.open(encoding="utf-8", newline="") as file:
        labels = [row["prediction"] for row in csv.DictReader(file)]
    return Said(
        labels=labels,
        seconds=made.seconds,
        trials=len(outcome["trials"]),
        peak_mb=made.peak_mb,
        notes=[f"The best trial is of the space {best}." for best in _best_space(outcome)],
        own_accuracy=round(outcome["evaluation"]["metrics"]["accuracy"]["value"], 4),
    )


def _best_space(outcome: dict[str, Any]) -> list[str]:
    scored = [trial for trial in outcome["trials"] if trial["score"] is not None]
    return [max(scored, key=lambda trial: trial["score"])["space"]] if scored else []


def ask_peer(method: Method, folder: Path, facts: dict[str, Any], seconds: float, seed: int, scratch: Path) -> Said:
    """A module of benchmarks/peers, in its own environment."""
    python = cache_folder() / method.environment / "bin" / "python"
    if not python.exists():
        raise SystemExit(f"There is no {python}. Make the peers' environments first: scripts/peers")
    weights = data_folder() / "weights"
    environment = {**os.environ, "KERAS_HOME": str(weights / "keras_home"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [str(python), "-m", str(method.module), str(folder), str(scratch), "--seconds", f"{seconds:g}"]
    command += ["--seed", str(seed), "--backbones", str(weights), "--started", repr(time.time())]
    done = watched(command, environment, seconds, scratch)
    answer = json.loads((scratch / "answer.json").read_text("utf-8"))
    return Said(
        labels=[facts["labels"][number] for number in answer["predictions"]],
        seconds=answer["seconds"],
        trials=answer["trials"],
        peak_mb=done.peak_mb,
        curve=answer["curve"],
        notes=answer["notes"],
        versions=answer["versions"],
    )
