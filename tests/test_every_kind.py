"""Every kind of data on the same path: the command makes a model, and a training example that is sent over HTTP gets
the answer that the network gives to the prepared array."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from records.data import Prepared, Split
from serving.client import Client
from serving.model_store import folder_of
from serving.serve import start_server
from store.database import open_database
from store.home import Home, open_home
from store.registry import Registry

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def write_csv(path: Path, names: list[str], rows: list[list[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def make_text(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    words = {"praise": ["lovely", "bright", "warm", "clever"], "blame": ["dull", "loud", "cold", "clumsy"]}
    rows = []
    for i in range(160):
        label = ("praise", "blame")[i % 2]
        told = [*rng.choice(words[label], 3), *rng.choice(["film", "song", "house", "river", "train"], 5)]
        rows.append([f"{i}: " + " ".join(rng.permutation(told)), label])
    return write_csv(folder / "reviews.csv", ["review", "label"], rows)


def make_series(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    lines = ["@problemName waves", "@timestamps false", "@univariate true", "@equalLength false"]
    lines += ["@classLabel true slow fast", "@data"]
    for i in range(90):
        steps = int(rng.integers(20, 40))
        wave = np.sin(np.arange(steps) * (0.3, 0.9)[i % 2] + rng.uniform(0, 6)) + rng.normal(0, 0.1, steps)
        lines.append(",".join(f"{value:.4f}" for value in wave) + f":{('slow', 'fast')[i % 2]}")
    path = folder / "waves.ts"
    path.write_text("\n".join(lines) + "\n")
    return path


def make_rows(folder: Path) -> tuple[list[str], list[list[Any]]]:
    rng = np.random.default_rng(2)
    rows = []
    for _ in range(300):
        size, colour = rng.normal(10, 3), str(rng.choice(["red", "green", "blue"]))
        price = 3 * size + {"red": 20, "green": 0, "blue": -20}[colour] + rng.normal(0, 2)
        rows.append([f"{size:.3f}", colour if rng.random() > 0.05 else "", f"{price:.2f}"])
    return ["size", "colour", "price"], rows


def make_table(folder: Path) -> Path:
    names, rows = make_rows(folder)
    dear = [[*row[:2], "dear" if float(row[2]) > 30 else "cheap"] for row in rows]
    return write_csv(folder / "offers.csv", [*names[:2], "worth"], dear)


def make_prices(folder: Path) -> Path:
    return write_csv(folder / "prices.csv", *make_rows(folder))


def make_load(folder: Path) -> Path:
    hours = np.arange(24 * 70)
    rng = np.random.default_rng(3)
    # a slower wave on top: yesterday alone does not tell tomorrow
    load = 50 + 20 * np.sin(hours * 2 * np.pi / 24) + 15 * np.sin(hours * 2 * np.pi / 90) + rng.normal(0, 1, len(hours))
    start = np.datetime64("2024-03-01T00")
    rows = [
        [str(start + int(h)).replace("T", " ") + ":00:00", f"{value:.3f}"] for h, value in zip(hours, load, strict=True)
    ]
    return write_csv(folder / "load.csv", ["date", "load"], rows)


def text_of(prepared: Prepared, row: int, path: Path) -> Any:
    return line_of(prepared, row, path)["review"]


def row_of(prepared: Prepared, row: int, path: Path) -> Any:
    return line_of(prepared, row, path)


def line_of(prepared: Prepared, row: int, path: Path) -> dict[str, str]:
    """The line of the file that an id such as "row 17" names, without its answer."""
    number = int(prepared.ids[row].split()[-1])
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    cells = dict(zip(lines[0], lines[number - 1], strict=True))
    cells.pop(lines[0][-1])
    return cells


def series_of(prepared: Prepared, row: int, path: Path) -> Any:
    """The series of the line that an id such as "waves.ts:17" names."""
    line = path.read_text().splitlines()[int(prepared.ids[row].split(":")[-1]) - 1]
    return [float(value) for value in line.split(":")[0].split(",")]


@dataclass(frozen=True)
class Case:
    make: Callable[[Path], Path]
    arguments: tuple[str, ...]
    raw: Callable[[Prepared, int, Path], Any] | None
    """A training example as a client has it; `None`: the sample of the bundle is taken."""


CASES: dict[str, Case] = {
    "text": Case(make_text, ("--target", "label", "--space", "convolution1d"), text_of),
    "series": Case(make_series, ("--space", "convolution1d"), series_of),
    "table": Case(make_table, ("--target", "worth", "--space", "mlp"), row_of),
    "regression": Case(make_prices, ("--target", "price", "--space", "mlp"), row_of),
    "forecast": Case(
        make_load, ("--task", "forecasting", "--target", "load", "--time", "date", "--space", "linear_forecast"), None
    ),
}


@dataclass(frozen=True)
class Made:
    home: Home
    outcome: dict[str, Any]
    data: Path
    case: Case


def kerasmith(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines", *arguments],
        env=os.environ | {"KERASMITH_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=400,
    )


@pytest.fixture(scope="module", params=sorted(CASES))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """One run for each kind, that all tests share."""
    case = CASES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    data = case.make(folder)
    done = kerasmith(folder / "home", "run", str(data), *case.arguments, "--budget", "150s", "--trials", "2", "--json")
    assert done.returncode == 0, done.stderr
    yield Made(open_home(folder / "home"), json.loads(done.stdout), data, case)


def test_it_beats_its_floor_and_says_by_how_much(made: Made) -> None:
    evaluation = made.outcome["evaluation"]
    assert all(one["low"] <= one["value"] <= one["high"] for one in evaluation["metrics"].values())
    assert any(one["better"] for one in evaluation["comparisons"])
    report = Path(made.outcome["report"]).read_text("utf-8")
    assert report.lower().startswith("<!doctype html>")
    assert " image" not in re.sub(r"<style>.*?</style>", "", report, flags=re.DOTALL)


def test_a_training_example_over_http_gets_the_answer_of_training(made: Made) -> None:
    import keras

    from pipelines.preparing.prepare import load_prepared

    name = made.outcome["model"].split(":")[0]
    model = Registry(open_database(made.home)).resolve(name)
    folder = folder_of(made.home, model.name, model.bundle_id)
    network = keras.saving.load_model(folder / "model.keras", compile=False, safe_mode=True)
    (stored,) = [path for path in made.home.prepared.iterdir() if (path / "metadata.json").is_file()]
    prepared = load_prepared(stored)
    if made.case.raw is None:
        rows = np.array([prepared.sample_row])
        assert prepared.sample is not None
        raws: list[Any] = [prepared.sample]
    else:
        rows = prepared.indices[Split.TRAIN][:5]
        raws = [made.case.raw(prepared, int(row), made.data) for row in rows]
    trained = np.asarray(network.predict(np.asarray(prepared.inputs[rows]), verbose=0))
    with start_server(made.home, name) as url, Client(url) as client:
        answers = client.predict(raws).predictions
        described = client.describe()
    assert described.input_kind == prepared.spec.kind
    size = max(1.0, float(np.abs(trained).max()))
    for answer, expected in zip(answers, trained, strict=True):
        given: Any
        if prepared.spec.task == "classification":
            shares = {one.label: one.probability for one in answer.classes}  # type: ignore[union-attr]
            given = [shares[label] for label in described.labels]
        elif prepared.spec.task == "regression":
            given = [answer.value]  # type: ignore[union-attr]
        else:
            given, expected = list(answer.quantiles.values()), np.sort(expected, axis=-1).T  # type: ignore[union-attr]
        np.testing.assert_allclose(given, expected, atol=1e-4 * size)


def test_a_file_is_scored(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "scored.csv"
    name = made.outcome["model"].split(":")[0]
    done = kerasmith(made.home.root, "predict", name, str(made.data), "--out", str(out))
    assert done.returncode == 0, done.stderr
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 24
    assert ("forecast" if made.outcome["model"].startswith("load") else "prediction") in rows[0]
