"""What the home remembers, read for the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from records.bundle import REPORT
from records.data import Severity
from records.errors import BundleError, ConfigError
from records.evaluation import Evaluation
from records.task import METRICS, Direction
from records.trial import Run, RunState, Trial
from serving.model_store import folder_of
from store.database import open_database
from store.home import Home, open_home
from store.ledger import Ledger
from store.registry import Registry

MOST_RUNS = 200
CLOCK_SECONDS = 10.0
"""Steps in which the page shows how much of a running run's time is left."""


@dataclass(frozen=True)
class Stores:
    """The home's stores, open."""

    home: Home
    ledger: Ledger
    registry: Registry


@contextmanager
def read_home() -> Iterator[Stores]:
    """The stores of the home, for as long as the body runs.

    Raises:
        KerasmithError: The home or its database cannot be used.
    """
    home = open_home()
    engine = open_database(home)
    try:
        yield Stores(home, Ledger(engine), Registry(engine))
    finally:
        engine.dispose()


def model_names() -> list[str]:
    """Of the registered models, the newest first, each once."""
    with read_home() as stores:
        return list(dict.fromkeys(model.name for model in stores.registry.versions()))


def newest_runs() -> list[Run]:
    """The newest runs. One whose process is gone is marked so before."""
    with read_home() as stores:
        runs = stores.ledger.runs(MOST_RUNS)
        if any(run.state is RunState.RUNNING for run in runs) and stores.ledger.mark_dead_runs():
            runs = stores.ledger.runs(MOST_RUNS)
        return runs


def trials_of(run: Run) -> list[Trial]:
    """With their epochs, by number."""
    with read_home() as stores:
        return stores.ledger.trials(run.id)


def report_of(run: Run) -> Path | str:
    """The report in the bundle of the run's model, or the sentence that says why there is none."""
    if run.model is None:
        return "A report is written when the run ends with a model."
    try:
        with read_home() as stores:
            model = stores.registry.resolve(run.model)
            path = folder_of(stores.home, model.name, model.bundle_id) / REPORT
    except (BundleError, ConfigError) as error:
        return str(error)
    return path if path.is_file() else f"The bundle of {run.model} holds no report."


def evaluation_of(run: Run) -> Evaluation | None:
    """The one reading of the test split; `None` before, and where an older version wrote another form."""
    try:
        return Evaluation.model_validate(run.summary["evaluation"])
    except (KeyError, ValidationError):
        return None


def ranked(trials: list[Trial], objective: str) -> list[Trial]:
    """Trials with a score, the best first; among equals the earlier."""
    done = [trial for trial in trials if trial.scored]
    metric = METRICS.get(objective)
    sign = 1.0 if metric is not None and metric.direction is Direction.MIN else -1.0
    return sorted(done, key=lambda trial: (sign * (trial.score or 0.0), trial.number))


def findings_of(run: Run) -> list[dict[str, Any]]:
    """What was seen in the data, warnings first; each with `what`, `done`, `severity` and `examples`."""
    found = [one for one in run.summary.get("findings") or [] if isinstance(one, dict)]
    return sorted(found, key=lambda one: one.get("severity") != Severity.WARNING)


def budget_of(run: Run) -> float | None:
    """Seconds that it was given."""
    given = run.config.get("budget_seconds")
    return float(given) if isinstance(given, (int, float)) else None


def time_left(run: Run) -> float | None:
    """Seconds of the budget that a running run has left, as it told last; `None` where it did not tell."""
    budget = budget_of(run)
    if run.state is not RunState.RUNNING or budget is None or not run.used_seconds:
        return None
    return max(0.0, budget - run.used_seconds)


def signature(runs: list[Run], trials: list[Trial]) -> tuple[object, ...]:
    """Changes whenever there is something new to show."""
    return (
        *((run.id, run.state, run.model, run.used_seconds // CLOCK_SECONDS) for run in runs),
        *((trial.number, trial.state, trial.attempt, len(trial.epochs)) for trial in trials),
    )
