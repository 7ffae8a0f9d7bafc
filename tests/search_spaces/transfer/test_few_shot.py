"""Eight examples of each class, from the command to a model, within a minute."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from search_spaces.backbones import BACKBONES
from search_spaces.text_backbones import text_backbone_available
from store.database import open_database
from store.home import open_home
from store.ledger import Ledger

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
EACH = 8
BUDGET = 60.0


def run(folder: Path, *arguments: str) -> tuple[dict[str, Any], dict[str, float]]:
    """What the command answers, and the best score of each space."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "run", *arguments, "--budget", f"{BUDGET:g}s", "--json"],
        env=os.environ | {"KERASMITH_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    trials = Ledger(open_database(open_home(folder / "home"))).trials(outcome["run"])
    scores: dict[str, float] = {}
    for trial in trials:
        name = f"{trial.space} {trial.values.get(f'{trial.space}/head', '')}".strip()
        scores[name] = max(scores.get(name, 0.0), trial.score or 0.0)
    print(scores, outcome["evaluation"]["metrics"]["accuracy"])
    return outcome, scores


def best(scores: dict[str, float], space: str) -> float:
    return max((score for name, score in scores.items() if name.startswith(space)), default=0.0)


def test_photographs_of_ten_classes(shared_data: Path, tmp_path: Path) -> None:
    if reason := BACKBONES["efficientnet_lite0"].why_not():
        pytest.skip(reason)
    # the set's validation images stand in for a test split, and nothing is chosen by its own
    source, data = shared_data / "datasets" / "image" / "clothing_small_160", tmp_path / "clothes"
    for split, called, count in (("train", "train", EACH), ("validation", "test", 15)):
        for label in sorted(path.name for path in (source / split).iterdir()):
            (data / called / label).mkdir(parents=True)
            for file in sorted((source / split / label).iterdir())[:count]:
                shutil.copy(file, data / called / label / file.name)
    outcome, scores = run(tmp_path, str(data))
    accuracy = outcome["evaluation"]["metrics"]["accuracy"]["value"]
    assert accuracy >= 0.5  # a linear head that starts at random reaches 0.54 on all of validation, chance is 0.1
    assert best(scores, "frozen_backbone") > scores["floor"] + 0.2
    assert outcome["total_seconds"] < BUDGET * 1.1


@pytest.mark.xfail(
    strict=True,
    reason="On a new machine packaging a network of 22 million weights is guessed to take 55 s, so a minute does not "
    "try the pretrained ones.",
)
def test_questions_of_six_kinds(shared_data: Path, tmp_path: Path) -> None:
    if reason := text_backbone_available():
        pytest.skip(reason)
    import tensorflow_datasets as tfds

    stored = tfds.load("trec", data_dir=str(shared_data / "tfds"), download=False, split="train")
    taken: dict[int, int] = {}
    rows = []
    for example in tfds.as_numpy(stored):
        label = int(example["label-coarse"])
        taken[label] = taken.get(label, 0) + 1
        if taken[label] <= EACH + 40:
            split = "train" if taken[label] <= EACH else "test"
            rows.append([example["text"].decode("latin-1"), f"kind {label}", split])
    path = tmp_path / "questions.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["question", "kind", "split"], *rows])
    arguments = ("--target", "kind", "--text", "question", "--split", "split")
    outcome, scores = run(tmp_path, str(path), *arguments)
    accuracy = outcome["evaluation"]["metrics"]["accuracy"]["value"]
    assert accuracy >= 0.42  # of six kinds chance is 0.17
    assert best(scores, "frozen_text") > scores["floor"] + 0.1
    assert outcome["total_seconds"] < BUDGET * 1.1
