"""Whether models keep their word: calibration before and after the temperature, and the coverage of their sets.

Each cell makes a model of one real dataset with search spaces that are fast, and reads its test split once more: what
the bundle's own engine says, and the same with the temperature taken back. `KERASMITH_BENCH_DATA` names the folder of
datasets; the digits need none.

`lower`: the calibration error of the test split was worse than 0.03 and is less now; `None`: it was not worse. Few
examples have an error by chance alone: `error_chance` is what 95 of 100 models with right probabilities stay below.
`found_*` is the share of test examples whose true class lies in the set, or whose number lies in the interval. Sets
hold the most likely class always, so they may cover more than was asked for where that class alone is right more often;
`exact_*` is the share without this rule, `low_*` to `high_*` what chance makes of a kept promise in 95 of 100 cases
(beta-binomial: the scores are a sample, and so is the test split). `kept_*`: `exact_*` lies between them.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import betabinom

from benchmarks.cells import Cell, run
from benchmarks.quality_data import cache_folder, data_folder, prepared
from pipelines.calibrating import tempered
from pipelines.finishing import Outcome
from pipelines.measuring.truth import Truth, truth_of
from records.config import RunConfig
from records.data import Split
from records.task import get_task
from serving.bundle import ModelBundle, open_bundle
from serving.honesty.conformal import Scores, class_scores, inside, number_scores, rank_of

COVERAGES = (0.8, 0.9, 0.95)
WORSE = 0.03
"""A calibration error above it is to become lower."""
CHANCES = 200
"""Times that true classes are drawn from the probabilities."""
BUDGET_SECONDS = 120.0
MOST_TRIALS = 4
FILES = (
    "benchmarks/honesty.py",
    "pipelines/calibrating.py",
    "pipelines/outside.py",
    "search_spaces/temperature.py",
    "serving/honesty/conformal.py",
    "serving/honesty/strangers.py",
)
PACKAGES = ("keras", "tensorflow", "numpy", "onnxruntime", "scipy")
Make = Callable[[Path], dict[str, Any]]
"""From a folder for temporary files to fields of a `RunConfig`."""


def digits(folder: Path) -> dict[str, Any]:
    """8 by 8 pixels, 10 classes, 1797 examples."""
    return {"data": "digits", "spaces": ("cnn",)}


def shared(name: str, spaces: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """A dataset of `search_quality`, by its own split."""
    task = prepared(name, data_folder(), cache_folder()) / "task"
    if (task / "data.csv").is_file():
        return {"data": str(task / "data.csv"), "target": "label", "split": "split", "spaces": spaces}
    return {"data": str(task), "spaces": spaces}


def titanic(folder: Path) -> dict[str, Any]:
    """Who survived: 2 classes, 891 rows. The column `alive` says the same in words."""
    data = data_folder() / "datasets" / "tabular" / "titanic" / "titanic.csv"
    return {"data": str(data), "target": "survived", "task": "classification", "ignore": ("alive",)}


def wine(classes: bool, folder: Path) -> dict[str, Any]:
    """Red wines by their quality, 3 to 8: as classes, or as a number."""
    source = next((data_folder() / "datasets" / "tabular" / "wine_quality").glob("*red*"))
    with source.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    data = folder / "wine.csv"
    with data.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"x{i}" for i in range(len(rows[0]) - 1)), "quality"])
        writer.writerows([*row[:-1], f"grade {row[-1]}" if classes else row[-1]] for row in rows)
    task = {"task": "classification", "metric": "accuracy"} if classes else {"task": "regression"}
    return {"data": str(data), "target": "quality", **task}


def diamonds(folder: Path) -> dict[str, Any]:
    """Prices of 53,940 diamonds: a number."""
    return {"data": str(data_folder() / "datasets" / "tabular" / "diamonds" / "diamonds.csv"), "target": "price"}


SETS: dict[str, Make] = {
    "digits": digits,
    "wine": partial(wine, True),
    "titanic": titanic,
    "adult": partial(shared, "adult", ()),
    "japanese_vowels": partial(shared, "japanese_vowels", ()),
    "italy_power": partial(shared, "italy_power", ()),
    "trec": partial(shared, "trec", ("frozen_text",)),
    "sst2": partial(shared, "sst2", ("frozen_text",)),
    "wine_number": partial(wine, False),
    "diamonds": diamonds,
}


def measure(name: str) -> dict[str, Any]:
    """Makes a model of a set and asks it about the test split."""
    from pipelines.run import run as make
    from serving.model_store import folder_of
    from store.home import open_home

    with tempfile.TemporaryDirectory() as folder:
        config = RunConfig(**SETS[name](Path(folder)), budget_seconds=BUDGET_SECONDS, max_trials=MOST_TRIALS)
        home = open_home(Path(folder) / "home")
        outcome = make(config, home)
        bundle = open_bundle(folder_of(home, outcome.model.name, outcome.model.bundle_id))
        try:
            return asked(outcome, bundle)
        finally:
            bundle.close()


def asked(outcome: Outcome, bundle: ModelBundle) -> dict[str, Any]:
    """What the model says of the test split, and how far it can be believed."""
    rows = np.asarray(outcome.prepared.indices[Split.TEST])
    parts = [bundle.engine.run(outcome.prepared.inputs[rows[i : i + 256]]) for i in range(0, len(rows), 256)]
    said, embeddings = (np.concatenate(one) for one in zip(*parts, strict=True))
    truth, scores = truth_of(outcome.prepared, rows), bundle.honesty.scores
    figures: dict[str, Any] = {"space": outcome.manifest.space, "num_test": len(rows)}
    if outcome.manifest.labels:
        figures |= calibration(outcome, truth, said)
    if scores is not None:
        figures["num_scores"] = scores.num_examples
        for coverage in COVERAGES:
            figures |= covered(truth, said, scores, coverage)
    if bundle.honesty.strangers is not None:
        figures["flagged_share"] = round(float(bundle.honesty.strangers.find(embeddings).mean()), 4)
    return figures


def calibration(outcome: Outcome, truth: Truth, said: np.ndarray) -> dict[str, Any]:
    """Errors and log-losses of the test split, without the temperature and with it."""
    from pipelines.measuring.classes import calibration_error
    from pipelines.measuring.truth import Answered, unweighed
    from pipelines.metrics import score

    found = outcome.manifest.calibration
    assert found is not None
    figures: dict[str, Any] = {"temperature": found.temperature, "num_validation": found.num_examples}
    task = get_task("classification")
    for when, one in (("before", tempered(said, 1.0 / found.temperature)), ("after", said)):
        figures[f"log_loss_{when}"] = round(score(task, truth, one)["log_loss"], 4)
        figures[f"error_{when}"] = round(float(calibration_error(unweighed(Answered(truth, one)))[0]), 4)
    drawn = (np.random.default_rng(0).random((CHANCES, len(said), 1)) > said.cumsum(axis=1)).sum(axis=2)
    targets = np.minimum(drawn, said.shape[1] - 1)
    errors = [calibration_error(unweighed(Answered(Truth(targets=one), said)))[0] for one in targets]
    figures["error_chance"] = round(float(np.quantile(errors, 0.95)), 4)
    worse = figures["error_before"] > WORSE
    return figures | {"lower": figures["error_after"] < figures["error_before"] if worse else None}


def covered(truth: Truth, said: np.ndarray, scores: Scores, coverage: float) -> dict[str, Any]:
    """The share of true answers inside for one coverage, and what chance allows; nothing where it is not promised."""
    if scores.max_coverage is None or coverage > scores.max_coverage:
        return {}
    count, limit = len(said), scores.quantile(coverage)
    if said.shape[1] > 1:
        exact = class_scores(said, truth.targets) <= limit
        held = inside(said, scores, coverage)[np.arange(count), truth.targets]
    else:
        held = exact = number_scores(said, truth.targets) <= limit
    rank = rank_of(coverage, scores.num_examples)
    low, high = betabinom.interval(0.95, count, rank, scores.num_examples + 1 - rank)
    name = f"{100 * coverage:g}"
    return {
        f"found_{name}": round(float(held.mean()), 4),
        f"exact_{name}": round(float(exact.mean()), 4),
        f"low_{name}": round(float(low) / count, 4),
        f"high_{name}": round(float(high) / count, 4),
        f"kept_{name}": bool(low <= exact.sum() <= high),
    }


CELLS = [
    Cell(bench="honesty", name=name, measure=partial(measure, name), files=FILES, packages=PACKAGES) for name in SETS
]

if __name__ == "__main__":
    run(CELLS)
