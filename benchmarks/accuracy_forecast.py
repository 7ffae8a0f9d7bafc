"""How well the simple forecasts do on ETTh1, by the protocol of the papers.

7 columns, each a series of its own with shared weights, standardised by the first 12 months; 96 hours are forecast from
336; 12 months for training, 4 for validation, 4 for the test. `mse` and `mae` are means over all windows, all 96 steps
and all columns of standardised values, of the median. The windows that are trained on are those that `kerasmith run`
would take with `--target HUFL,HULL,MUFL,MULL,LUFL,LULL,OT`: every few hours one, since neighbours say nearly the same;
the training stops by itself on the scaled absolute error. The network is learnt by quantile loss relative to each
window, where the papers minimise this squared error itself.

The cells `validation-*` are for choosing; `test-*` read the test months, with what was chosen and three seeds. Papers:
DLinear 0.375 (Zeng 2023), PatchTST 0.370 to 0.375 (Nie 2023). `KERASMITH_BENCH_DATA` names the folder of datasets.
"""

from __future__ import annotations

import csv
import json
import os
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cells import Cell, run
from benchmarks.quality_data import data_folder

COLUMNS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
MONTH = 30 * 24
TRAIN, VALIDATION, TEST = 12 * MONTH, 16 * MONTH, 20 * MONTH
"""Hours at which each part ends."""
HISTORY, HORIZON = 336, 96
MOST_SECONDS = 600.0
"""Of one training."""
AT_ONCE = 512
"""Windows."""
CONFIGURATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "floor": ("floor", {}),
    "linear": ("linear_forecast", {}),
    "nlinear": ("linear_forecast", {"base": "last", "use_known": False}),
    "dlinear": ("linear_forecast", {"base": "level", "trend_kernel": 25, "use_known": False}),
    "climate": ("climate_forecast", {}),
    "dense": ("dense_forecast", {}),
}
"""Space, and the values that are not its defaults."""
CHOSEN = ("nlinear",)
"""By validation."""
FILES = (
    "benchmarks/accuracy_forecast.py",
    "pipelines/preparing/forecast*.py",
    "pipelines/train.py",
    "search_spaces/heads.py",
    "search_spaces/linear_forecast.py",
    "search_spaces/seasonal_naive.py",
    "search_spaces/forecasting/*.py",
    "serving/codecs/windows.py",
)
PACKAGES = ("keras", "tensorflow", "numpy")


def standardised(source: Path) -> tuple[list[str], np.ndarray]:
    """Times, and `<float64>[hours, columns]` with mean 0 and deviation 1 in the training months."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:TEST]
    values = np.array([[float(row[name]) for name in COLUMNS] for row in rows])
    training = values[:TRAIN]
    return [row["date"] for row in rows], (values - training.mean(axis=0)) / training.std(axis=0)


def write(path: Path, times: list[str], values: np.ndarray) -> None:
    """A csv as a person would have it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["date", *COLUMNS])
        writer.writerows([time, *row] for time, row in zip(times, values.tolist(), strict=True))


def measure(name: str, part: str, seed: int) -> dict[str, Any]:
    """Trains a configuration and judges it on every window of a part.

    Args:
        name: Of `CONFIGURATIONS`.
        part: "validation" or "test".
        seed: Of the weights and of the order of the batches.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipelines.train import train
    from pipelines.trial import Workbench, plan
    from records.config import RunConfig
    from records.data import Split
    from records.task import get_task
    from records.trial import Verdict
    from search_spaces.catalog import SPACES
    from store.home import open_home

    times, values = standardised(data_folder() / "datasets" / "forecasting" / "ETTh1.csv")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "etth1.csv", times, values)
        config = RunConfig(
            data=str(Path(folder) / "etth1.csv"), task="forecasting", target=",".join(COLUMNS), time="date",
            horizon=HORIZON, history=HISTORY, validation_fraction=0.2, test_fraction=0.2,
        )  # fmt: skip
        home = open_home(Path(folder) / "home")
        prepared = _prepare(config, home)
        space, chosen = CONFIGURATIONS[name]
        bench = Workbench(prepared=prepared, task=get_task("forecasting"), spaces=SPACES, home=home)
        trained = plan(bench, space, {f"{space}/{key}": value for key, value in chosen.items()}, seed)
        began = time.monotonic()
        history = train(
            trained.model, trained.recipe, trained.data, bench.task, lambda report: Verdict.CONTINUE, MOST_SECONDS
        )
        seconds = time.monotonic() - began
        errors = _errors(trained.model, prepared.codec, times, values, part)
        return {
            "space": space,
            "values": json.dumps(chosen),
            "mse": round(float((errors**2).mean()), 4),
            "mae": round(float(np.abs(errors).mean()), 4),
            "windows": len(errors),
            "train_windows": len(prepared.indices[Split.TRAIN]),
            "steps": history.steps,
            "train_seconds": round(seconds, 1),
        }


def _prepare(config: Any, home: Any) -> Any:
    from pipelines.datasets.catalog import open_source
    from pipelines.preparing.prepare import prepare

    return prepare(open_source(config), config, home)


def _errors(model: Any, saved: dict[str, Any], times: list[str], values: np.ndarray, part: str) -> np.ndarray:
    """`<float64>[windows, horizon]`: the median's errors in every window whose whole future lies in the part."""
    from serving.codecs.calendar import calendar_columns
    from serving.codecs.forecast import ForecastCodec
    from serving.codecs.windows import Windows

    codec = ForecastCodec.from_json(saved)
    median = codec.quantiles.index(0.5)
    first, last = {"validation": (TRAIN, VALIDATION), "test": (VALIDATION, TEST)}[part]
    calendar = calendar_columns(codec.calendar, np.array(times, "datetime64[us]").astype(np.int64))
    errors = []
    for column in range(values.shape[1]):
        for start in range(first, last - HORIZON + 1, AT_ONCE):
            origins = np.arange(start, min(start + AT_ONCE, last - HORIZON + 1))
            at = origins[:, None] + np.arange(-HISTORY, HORIZON)
            count = len(origins)
            windows = Windows(
                target=values[at[:, :HISTORY], column],
                past=np.zeros((count, HISTORY, 0)),
                known=np.zeros((count, HISTORY + HORIZON, 0)),
                calendar=calendar[at],
                present=np.ones((count, HISTORY), bool),
            )
            said = np.asarray(model.predict_on_batch(codec.encode_windows(windows)))[:, :, median]
            errors.append(said - values[at[:, HISTORY:], column])
    return np.concatenate(errors)


def _cell(name: str, part: str, seed: int) -> Cell:
    return Cell(
        bench="accuracy_forecast",
        name=f"{part}-{name}-seed{seed}",
        measure=partial(measure, name, part, seed),
        files=FILES,
        packages=PACKAGES,
    )


CELLS = (
    *(_cell(name, "validation", 0) for name in CONFIGURATIONS),
    *(_cell(name, "test", seed) for name in CHOSEN for seed in range(3)),
)

if __name__ == "__main__":
    run(CELLS)
