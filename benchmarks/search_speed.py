"""What makes a search faster: a second worker, and features that are computed once.

`workers`: `kerasmith run` on the embedded digits with networks of one shape and a fixed number of epochs, on one worker
with all cores and on two that share them; trials an hour once all workers are warm, in turn, and the mean ratio.
`cached-heads`: four heads of ten epochs on a frozen EfficientNet-Lite0 at 96 pixels, the features computed once and
cached, over the same trainings through the backbone, features and exports included.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.cells import Cell, run

FILES = (
    "pipelines/search.py",
    "pipelines/trial.py",
    "pipelines/train.py",
    "pipelines/features.py",
    "pipelines/workers/*.py",
    "store/leases.py",
    "search_spaces/frozen_backbone.py",
    "benchmarks/search_speed.py",
)
REPEATS = 2
TRIALS = 16
WARM = 4
"""Finished trials from which on the clock runs."""
HEADS, HEAD_EPOCHS = 4, 10
SPACE = """
import dataclasses
from search_spaces.cnn import CNN
from search_spaces.space import Replay

def choices(hp, spec):
    rate = hp.Float("steady/learning_rate", 1e-4, 1e-2, sampling="log", default=1e-3)
    return {**CNN.choices(Replay({}), spec), "learning_rate": rate}

def recipe(values):
    return dataclasses.replace(CNN.recipe(values), max_epochs=10, patience=100)

steady = dataclasses.replace(CNN, name="steady", choices=choices, recipe=recipe)
"""


def workers() -> dict[str, Any]:
    """Trials an hour with one and with two workers."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(REPEATS):
        for count in rates:
            rates[count].append(rate(count))
    pairs = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    return {
        "one_worker_trials_an_hour": round(statistics.mean(rates[1])),
        "two_workers_trials_an_hour": round(statistics.mean(rates[2])),
        "two_over_one": round(statistics.mean(pairs), 3),
        "lowest": round(min(pairs), 3),
        "highest": round(max(pairs), 3),
    }


def rate(count: int) -> float:
    """Trials an hour on so many workers, from the moment when a few have ended until all but one have."""
    from store.database import open_database
    from store.home import open_home
    from store.ledger import Ledger

    with tempfile.TemporaryDirectory(prefix="kerasmith-benchmark-") as folder:
        space = Path(folder) / "steady.py"
        space.write_text(SPACE, "utf-8")
        home = open_home(Path(folder) / "home")
        engine = open_database(home)
        ledger = Ledger(engine)
        flags = (
            "--space",
            f"{space}:steady",
            "--trials",
            str(TRIALS),
            "--workers",
            str(count),
            "--algorithm",
            "random",
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines", "run", "digits", "--budget", "1h", *flags],
            env={**os.environ, "KERASMITH_HOME": str(home.root)},
            stdout=subprocess.DEVNULL,
        )
        began: tuple[float, int] | None = None
        while True:
            time.sleep(0.05)
            runs = ledger.runs(1)
            done = sum(trial.state.finished for trial in ledger.trials(runs[0].id)) if runs else 0
            if began is None and done >= WARM:
                began = time.monotonic(), done
            if began is not None and done >= TRIALS - 1:
                hourly = 3600.0 * (done - began[1]) / (time.monotonic() - began[0])
                break
            if process.poll() is not None:
                raise SystemExit(f"The run ended with exit code {process.returncode} after {done} trials.")
        process.kill()
        process.wait()
        engine.dispose()
        return hourly


def cached_heads() -> dict[str, Any]:
    """Seconds of the same head trainings in both ways."""
    from pipelines.bench import open_bench
    from pipelines.datasets.catalog import open_source
    from pipelines.preparing.prepare import prepare
    from records.config import RunConfig
    from records.task import get_task
    from store.home import Home

    with tempfile.TemporaryDirectory(prefix="kerasmith-benchmark-") as folder:
        config, home = RunConfig(data="digits", spaces=("frozen_backbone",)), Home(Path(folder))
        prepared = prepare(open_source(config), config, home)
        bench, _ = open_bench(config, prepared, get_task("classification"), home)
        shutil.rmtree(home.features, ignore_errors=True)
        cached = sum(head_seconds(bench, seed, through=False) for seed in range(HEADS))
        through = sum(head_seconds(bench, seed, through=True) for seed in range(HEADS))
        return {
            "heads": HEADS,
            "epochs": HEAD_EPOCHS,
            "cached_seconds": round(cached, 1),
            "through_seconds": round(through, 1),
            "through_over_cached": round(through / cached, 1),
        }


def head_seconds(bench: Any, seed: int, through: bool) -> float:
    """One head, on cached features (the first call computes them) or by `fit` on the images, the backbone frozen."""
    import keras

    from pipelines.train import train
    from pipelines.trial import input_data, plan
    from records.trial import Verdict

    keras.utils.clear_session()
    began = time.perf_counter()
    planned = plan(bench, "frozen_backbone", {"frozen_backbone/resolution": 96}, seed)
    recipe = dataclasses.replace(planned.recipe, max_epochs=HEAD_EPOCHS, patience=HEAD_EPOCHS + 1)
    if not through:
        train(planned.model, recipe, planned.data, bench.task, lambda _: Verdict.CONTINUE, 36_000.0)
        return time.perf_counter() - began
    began = time.perf_counter()  # this way needs no features
    data, model = input_data(bench.prepared), planned.network("whole")
    assert planned.encoder is not None
    planned.encoder.trainable = False
    targets = keras.utils.to_categorical(data.truth.targets, data.spec.num_classes)
    model.compile(keras.optimizers.AdamW(recipe.learning_rate), "categorical_crossentropy")
    model.fit(
        data.inputs[data.train_rows],
        targets[data.train_rows],
        batch_size=recipe.batch_size,
        epochs=HEAD_EPOCHS,
        validation_data=(data.inputs[data.validation_rows], targets[data.validation_rows]),
        verbose=0,
    )
    return time.perf_counter() - began


CELLS = (
    Cell(bench="search_speed", name="workers", measure=workers, files=FILES, packages=("keras", "tensorflow")),
    Cell(
        bench="search_speed",
        name="cached-heads",
        measure=cached_heads,
        files=FILES,
        packages=("keras", "tensorflow", "onnxruntime"),
    ),
)

if __name__ == "__main__":
    run(CELLS)
