"""The whole path: load, prepare, search, refit, evaluate, package. `run` is the story on one screen."""

from __future__ import annotations

import importlib
import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pipelines.context import Context, WatchedTrials
from pipelines.cores import num_cores
from pipelines.datasets.catalog import open_source
from pipelines.decisions import decision_for, parse_costs
from pipelines.governor import Governor
from pipelines.interrupt import Interrupts, listening
from pipelines.names import model_name
from pipelines.objective import check_metric, metric_for
from pipelines.preparing.kinds import SECONDS_PER_EXAMPLE
from pipelines.preparing.prepare import prepare
from pipelines.progress import Progress, Silent
from pipelines.workers.job import Job
from pipelines.workers.local import supervise
from records.bundle import REPORT, Manifest
from records.config import RunConfig
from records.data import Prepared, Source, Split
from records.errors import KerasmithError, SearchFailed
from records.registry import ModelVersion
from records.task import get_task
from records.trial import Run, RunState, Trial, best_trial
from serving.model_store import folder_of, remove_unregistered
from store.database import open_database
from store.home import Home, open_home
from store.ledger import Ledger
from store.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run ended with."""

    run: Run
    model: ModelVersion
    manifest: Manifest
    trials: tuple[Trial, ...]
    report: Path
    """The HTML report, inside the bundle."""
    prepared: Prepared


def run(
    config: RunConfig, home: Home | None = None, progress: Progress | None = None, started: float | None = None
) -> Outcome:
    """Makes a model: from data to a registered bundle.

    Args:
        config: What is asked for.
        home: Where everything is kept; `None`: KERASMITH_HOME, or the user's data folder.
        progress: Told how it goes; `None`: nobody is.
        started: The monotonic second that the budget counts from; `None`: now.

    Raises:
        KerasmithError: Says in a sentence what is wrong; the class tells the kind.
        KeyboardInterrupt: It was interrupted twice, or before there was anything to finish with.

    Example:
        outcome = run(RunConfig(data="photos/", budget_seconds=600))
        print(outcome.model.ref, outcome.manifest.evaluation.metrics["accuracy"])
    """
    started = time.monotonic() if started is None else started
    home = home or open_home()
    progress = progress or Silent()
    check_metric(config)
    source = open_source(config)
    name = model_name(config, source)
    run_id = uuid.uuid4().hex[:12]
    governor = Governor(started=started, deadline=started + config.budget_seconds)
    governor.check_start(SECONDS_PER_EXAMPLE[source.kind] * (source.num_examples or 0))
    with home.exclusive(f"run {run_id}"), listening(progress.note) as interrupts:
        engine = open_database(home)
        try:
            context = Context(
                config=config,
                home=home,
                ledger=Ledger(engine),
                registry=Registry(engine),
                governor=governor,
                run=_record(run_id, name, config),
                progress=progress,
            )
            context.ledger.mark_dead_runs()
            remove_unregistered(home, context.registry.bundle_ids())
            context.ledger.start_run(context.run)
            return _recorded(context, source, interrupts)
        finally:
            engine.dispose()


def _record(run_id: str, name: str, config: RunConfig) -> Run:
    asked = asdict(config) | {"data_dir": None if config.data_dir is None else str(config.data_dir)}
    return Run(
        id=run_id,
        name=name,
        state=RunState.RUNNING,
        config=asked,
        task=config.task or "",
        objective=config.metric or "",
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _recorded(context: Context, source: Source, interrupts: Interrupts) -> Outcome:
    """Runs the steps, and writes down how they ended if they did not end well."""
    try:
        return _run(context, source, interrupts)
    except BaseException as error:
        state = RunState.FAILED if isinstance(error, Exception) else RunState.INTERRUPTED
        reason = str(error) if isinstance(error, KerasmithError) else f"{type(error).__name__}: {error}"
        if isinstance(error, KeyboardInterrupt):
            reason = "It was interrupted."
        context.ledger.finish_run(context.run.id, state, error=reason, summary={"seconds": context.seconds})
        raise


def _run(context: Context, source: Source, interrupts: Interrupts) -> Outcome:
    with context.step("prepare"):
        prepared = prepare(source, context.config, context.home, context.progress.amount)
        _tell(prepared, context.progress)
        task = get_task(prepared.spec.task, metric_for(context.config, prepared.spec))
        context.learn(task, prepared.fingerprint)
        parse_costs(context.config.costs, prepared.spec.labels)
    context.governor = _with_counts(context.governor, prepared)
    context.governor.check_start(0.0)
    with interrupts.polite():
        with context.step("search"):
            trials, best = _search(context, prepared, interrupts)
        return _finish(context, source, prepared, trials, best, in_a_hurry=interrupts.asked)


def _search(context: Context, prepared: Prepared, interrupts: Interrupts) -> tuple[list[Trial], Trial]:
    """Runs the worker and watches it; meanwhile Keras is imported here, for the steps that follow."""
    folder = context.home.run_folder(context.run.id)
    threading.Thread(target=_import_keras, daemon=True).start()
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
        threads=num_cores(),
    )
    watched = WatchedTrials(context)
    supervise(
        job,
        folder,
        context.ledger,
        search_until=watched.search_until,
        stop_requested=lambda: interrupts.asked() and bool(watched.best()),
        progress=lambda: context.progress.search(watched.trials(), context.task.objective, context.governor.left),
    )
    trials = context.ledger.trials(context.run.id)
    best = best_trial(trials, context.task.direction)
    if best is None:
        reasons = "; ".join(trial.error or "" for trial in trials[:3]) or "no trial ended in time"
        raise SearchFailed(f"No trial gave a model: {reasons}. The worker's log is in {folder}.")
    return trials, best


def _finish(
    context: Context,
    source: Source,
    prepared: Prepared,
    trials: list[Trial],
    best: Trial,
    in_a_hurry: Callable[[], bool],
) -> Outcome:
    """Everything after the search. Imported late: the modules load Keras."""
    from pipelines.bench import open_bench
    from pipelines.evaluate import evaluate
    from pipelines.package import Package, package
    from pipelines.refit import from_trial, refit
    from pipelines.reporting.papers import papers

    folder = context.home.run_folder(context.run.id)
    with context.step("refit"):
        bench, left_out = open_bench(context.config, prepared, context.task, context.home)
        floor = from_trial(trials[0], bench, folder) if trials[0].score is not None else None
        seconds = context.governor.left - context.governor.finish_seconds(best)
        candidate = refit(best, bench, folder, 0.0 if in_a_hurry() else seconds)
    with context.step("evaluate"):
        decision = decision_for(context.config, context.task, prepared.spec.labels, candidate)
        reading = evaluate(candidate, floor, prepared, context.task, context.config.seed, decision)
    with context.step("package"):
        parts = Package(
            run=context.run,
            task=context.task,
            candidate=candidate,
            prepared=prepared,
            reading=reading,
            decision=decision,
            write_papers=papers(context.run, source, prepared, trials, candidate, reading, left_out, context.seconds),
        )
        model, manifest = package(parts, context.home, context.registry)
    summary = {
        "seconds": context.seconds,
        "total_seconds": round(time.monotonic() - context.governor.started, 2),
        "refitted": candidate.refitted,
        "left_out": left_out,
        "evaluation": manifest.evaluation.model_dump(mode="json"),
        "findings": [asdict(finding) for finding in prepared.findings],
    }
    context.ledger.finish_run(context.run.id, RunState.COMPLETED, model=model.ref, summary=summary)
    return Outcome(
        run=context.ledger.get_run(context.run.id),
        model=model,
        manifest=manifest,
        trials=tuple(trials),
        report=folder_of(context.home, model.name, model.bundle_id) / REPORT,
        prepared=prepared,
    )


def _with_counts(governor: Governor, prepared: Prepared) -> Governor:
    train, validation, test = (len(prepared.indices[split]) for split in Split)
    return replace(governor, num_test=test, refit_examples_factor=(train + validation) / train)


def _tell(prepared: Prepared, progress: Progress) -> None:
    for one in prepared.understood:
        progress.note(f"{one.what} {f'({one.override} says otherwise.)' if one.override else ''}".strip())
    for finding in prepared.findings:
        progress.note(f"{finding.what} {finding.done}")
    if prepared.reused:
        progress.note("The same data was prepared by an earlier run: that is used again.")


def _import_keras() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    importlib.import_module("keras")
