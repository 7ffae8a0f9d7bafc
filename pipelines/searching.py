"""The search, seen from the supervisor: starts the workers, watches the clock and the goal, tells how it stands."""

from __future__ import annotations

import importlib
import os
import threading

from pipelines.context import Context, WatchedTrials
from pipelines.cores import num_cores
from pipelines.goal import parse_goal
from pipelines.interrupt import Interrupts
from pipelines.tensorboard_logs import LOGS, BoardLogs
from pipelines.workers.crew import crew_of
from pipelines.workers.job import Job
from pipelines.workers.local import supervise
from records.data import Prepared
from records.errors import SearchFailed
from records.trial import Trial, best_trial

SEARCHED = "searched"
"""The key in a run's summary that says that its search is over."""


def search_step(context: Context, prepared: Prepared, interrupts: Interrupts) -> tuple[list[Trial], Trial]:
    """Runs workers until the search is over. Meanwhile Keras is imported here, for the steps that follow.

    Returns:
        All trials by number, and the best one.

    Raises:
        SearchFailed: No trial gave a model.
    """
    threading.Thread(target=_import_ahead, daemon=True).start()
    if _has_work(context):
        _supervise(context, prepared, interrupts)
    trials = context.ledger.trials(context.run.id)
    best = best_trial(trials, context.task.direction)
    if best is None:
        reasons = "; ".join(trial.error or "" for trial in trials[:3]) or "no trial ended in time"
        folder = context.home.run_folder(context.run.id)
        raise SearchFailed(f"No trial gave a model: {reasons}. The workers' logs are in {folder}.")
    context.ledger.update_run(context.run.id, summary={SEARCHED: True})
    return trials, best


def _has_work(context: Context) -> bool:
    """Not where a run is gone on with that had searched already, or has no time left for more."""
    if context.run.summary.get(SEARCHED):
        return False
    trials = context.ledger.trials(context.run.id)
    best = best_trial(trials, context.task.direction)
    return best is None or context.governor.next_trial_seconds(trials, best) is not None


def _supervise(context: Context, prepared: Prepared, interrupts: Interrupts) -> None:
    job = Job(
        run_id=context.run.id,
        home=str(context.home.root),
        prepared=str(prepared.folder),
        config=context.config,
        task=context.task.name,
        objective=context.task.objective,
        started=context.governor.started,
        deadline=context.governor.deadline,
        num_test=context.governor.num_test,
        refit_examples_factor=context.governor.refit_examples_factor,
        costs=context.governor.costs,
        threads=num_cores(),
    )
    folder = context.home.run_folder(context.run.id)
    watched, goal = WatchedTrials(context), parse_goal(context.config.until)
    logs = BoardLogs(folder / LOGS, context.task.objective)

    def enough() -> bool:
        if not watched.best():
            return False
        return interrupts.asked() or (goal is not None and goal.reached(watched.trials(), context.task.objective))

    def tell() -> None:
        context.check_owner()
        trials = watched.trials()
        context.progress.search(trials, context.task.objective, context.governor.left, watched.leases())
        logs.update(trials)

    try:
        supervise(
            job,
            folder,
            context.ledger,
            context.leases,
            search_until=watched.search_until,
            stop_requested=enough,
            progress=tell,
            crew=crew_of(context.config, num_cores(), kind=prepared.spec.kind),
        )
    finally:
        logs.update(context.ledger.trials(context.run.id), at_once=True)
        if logs.problem:
            context.progress.note(logs.problem)


def _import_ahead() -> None:
    """What the steps after the search need takes seconds to import, and a core is idle while a worker starts."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    importlib.import_module("keras")
    for name in ("package", "reporting.papers", "proposing.estimator"):
        importlib.import_module(f"pipelines.{name}")
