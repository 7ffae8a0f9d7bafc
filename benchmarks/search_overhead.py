"""What the search costs beside its trainings.

N trials of a small convolutional network on the embedded digits, each a fixed number of epochs: once through the whole
search (proposals, ledger, KerasTuner, reports, saved weights), once as a bare loop that builds, compiles and trains the
same networks for the same steps with the same batches and validations, and once with `Model.fit` on arrays in memory.
The three run in turn in one process, each after a warm-up; `search over bare loop` is the median of their
ratios, pair by pair.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.cells import Cell, run

FILES = (
    "pipelines/search.py",
    "pipelines/proposing/estimator.py",
    "pipelines/trial.py",
    "pipelines/graph.py",
    "pipelines/judging.py",
    "pipelines/history.py",
    "pipelines/timetable.py",
    "pipelines/steps.py",
    "pipelines/train.py",
    "pipelines/batches.py",
    "pipelines/metrics.py",
    "pipelines/governor.py",
    "search_spaces/cnn.py",
    "search_spaces/floor.py",
    "search_spaces/heads.py",
    "search_spaces/recipes.py",
    "store/ledger.py",
    "store/leases.py",
    "pipelines/choosing.py",
    "pipelines/checkpoint.py",
    "pipelines/kept.py",
    "store/database.py",
    "benchmarks/search_overhead.py",
)
REPEATS = 3


def overhead(num_trials: int, epochs: int) -> dict[str, Any]:
    """Seconds of the search and of the loops, and their ratios."""
    with tempfile.TemporaryDirectory(prefix="kerasmith-benchmark-") as folder:
        bench = make_bench(Path(folder), epochs)
        values = searched(bench, num_trials)[1]
        ways: dict[str, Callable[[], float]] = {
            "search": lambda: searched(bench, num_trials)[0],
            "bare_loop": lambda: bare_loop(bench, values),
            "fit": lambda: fit_loop(bench, values, epochs),
        }
        for way in ways.values():
            way()
        seconds = {name: [] for name in ways}  # type: dict[str, list[float]]
        for _ in range(REPEATS):
            for name, way in ways.items():
                seconds[name].append(way())
        ratios = [a / b for a, b in zip(seconds["search"], seconds["bare_loop"], strict=True)]
        against_fit = [a / b for a, b in zip(seconds["search"], seconds["fit"], strict=True)]
        return {
            "trials": num_trials,
            "epochs": epochs,
            **{f"{name}_seconds": round(statistics.median(times), 2) for name, times in seconds.items()},
            "search_over_bare_loop": round(statistics.median(ratios), 3),
            "lowest": round(min(ratios), 3),
            "highest": round(max(ratios), 3),
            "search_over_fit": round(statistics.median(against_fit), 3),
        }


def make_bench(folder: Path, epochs: int) -> Any:
    """Data, task and one space whose trials all train for the same number of epochs."""
    from pipelines.bench import open_bench
    from pipelines.datasets.catalog import open_source
    from pipelines.preparing.prepare import prepare
    from records.config import RunConfig
    from records.task import get_task
    from search_spaces.cnn import CNN
    from store.home import Home

    config, home = RunConfig(data="digits", spaces=("cnn",)), Home(folder)
    prepared = prepare(open_source(config), config, home)
    bench, _ = open_bench(config, prepared, get_task("classification"), home)

    def recipe(values: dict[str, Any]) -> Any:
        return dataclasses.replace(CNN.recipe(values), max_epochs=epochs, patience=epochs + 1)

    return dataclasses.replace(bench, spaces={**bench.spaces, "cnn": dataclasses.replace(CNN, recipe=recipe)})


def start_run(home: Any) -> tuple[Any, Any, str]:
    """The database's engine, the ledger, and the id of a run that has begun."""
    from records.trial import Run, RunState
    from store.database import open_database
    from store.ledger import Ledger

    engine = open_database(home)
    ledger, run_id = Ledger(engine), f"run{time.monotonic_ns()}"
    ledger.start_run(
        Run(
            id=run_id,
            name="digits",
            state=RunState.RUNNING,
            config={},
            task="classification",
            objective="accuracy",
            started_at=datetime.now(UTC).isoformat(),
        )
    )
    return engine, ledger, run_id


def searched(bench: Any, num_trials: int) -> tuple[float, list[tuple[str, dict[str, Any], int]]]:
    """Seconds of a search, and the configurations that it tried."""
    from pipelines.governor import Governor
    from pipelines.search import Assignment, search
    from records.config import RunConfig
    from store.leases import Leases

    engine, ledger, run_id = start_run(bench.home)
    assignment = Assignment(
        run_id=run_id,
        worker="benchmark",
        config=RunConfig(data="digits", max_trials=num_trials, warm_start=False),
        governor=Governor(started=time.monotonic(), deadline=time.monotonic() + 36_000),
        folder=bench.home.run_folder(run_id),
        stop_requested=lambda: False,
    )
    began = time.perf_counter()
    search(assignment, bench, ledger, Leases(engine))
    seconds = time.perf_counter() - began
    trials = ledger.trials(run_id)
    if any(trial.error for trial in trials):
        raise SystemExit(f"A trial failed: {[trial.error for trial in trials if trial.error]}")
    return seconds, [(trial.space, trial.values, trial.seed) for trial in trials]


def bare_loop(bench: Any, configurations: list[tuple[str, dict[str, Any], int]]) -> float:
    """Seconds of the same trainings with nothing around them but what Keras itself needs between two models."""
    import keras

    from pipelines.train import train
    from pipelines.trial import plan
    from records.trial import Verdict

    began = time.perf_counter()
    for space, values, seed in configurations:
        keras.utils.clear_session()
        planned = plan(bench, space, values, seed)
        train(planned.model, planned.recipe, planned.data, bench.task, lambda _: Verdict.CONTINUE, 36_000.0)
    return time.perf_counter() - began


def fit_loop(bench: Any, configurations: list[tuple[str, dict[str, Any], int]], epochs: int) -> float:
    """Seconds of `Model.fit` on arrays, with validation data, for the same epochs and batch sizes."""
    import keras
    import numpy as np

    from pipelines.trial import plan

    began = time.perf_counter()
    for space, values, seed in configurations:
        keras.utils.clear_session()
        planned = plan(bench, space, values, seed)
        data, recipe = planned.data, planned.recipe
        inputs, targets = np.asarray(data.inputs), keras.utils.to_categorical(data.truth.targets, data.spec.num_classes)
        planned.model.compile(keras.optimizers.AdamW(recipe.learning_rate), "categorical_crossentropy")
        planned.model.fit(
            inputs[data.train_rows],
            targets[data.train_rows],
            batch_size=recipe.batch_size,
            epochs=min(epochs, recipe.max_epochs),
            validation_data=(inputs[data.validation_rows], targets[data.validation_rows]),
            verbose=0,
        )
    return time.perf_counter() - began


CELLS = tuple(
    Cell(
        bench="search_overhead",
        name=f"{num_trials}-trials-{epochs}-epochs",
        measure=partial(overhead, num_trials, epochs),
        files=FILES,
        packages=("keras", "tensorflow", "keras-tuner", "optuna"),
    )
    for num_trials, epochs in ((6, 3), (6, 10))
)

if __name__ == "__main__":
    run(CELLS)
