"""The whole path: load, prepare, search, refit, evaluate, package. `run` is the story on one screen."""

from __future__ import annotations

import time
import uuid
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from pipelines.backend import check_backend
from pipelines.context import Context
from pipelines.costs import RUNS_READ, corrected
from pipelines.datasets.catalog import open_source
from pipelines.decisions import parse_costs
from pipelines.finishing import Outcome as Outcome
from pipelines.finishing import completed, finish, registered
from pipelines.goal import check_goal, parse_goal
from pipelines.governor import Governor
from pipelines.interrupt import Interrupts
from pipelines.names import model_name
from pipelines.objective import check_metric, metric_for
from pipelines.preparing.kinds import SECONDS_PER_EXAMPLE
from pipelines.preparing.prepare import prepare
from pipelines.progress import Progress, Silent
from pipelines.searching import SEARCHED, search_step
from pipelines.session import Stores, opened, recorded
from pipelines.warm_start import SHAPE, shape_of
from pipelines.workers.job import config_from_json
from records.config import RunConfig
from records.data import Prepared, Source, Split
from records.errors import ConfigError
from records.task import get_task
from records.trial import Run, RunState
from store.home import Home, open_home

FOLDER = "folder"
"""The key in a run's summary that says where it was begun: relative paths count from there."""


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
    home, progress = home or open_home(), progress or Silent()
    check_backend()
    check_metric(config)
    parse_goal(config.until)
    source = open_source(config)
    name = model_name(config, source)
    run_id = uuid.uuid4().hex[:12]
    with opened(home, f"run {run_id}", progress) as (stores, interrupts):
        costs = corrected(stores.ledger.runs(RUNS_READ))
        governor = Governor(started=started, deadline=started + config.budget_seconds, costs=costs)
        governor.check_start(SECONDS_PER_EXAMPLE[source.kind] * (source.num_examples or 0))
        record = _record(run_id, name, config)
        stores.ledger.start_run(record)
        return _run(_context(stores, config, governor, record, progress), source, interrupts)


def resume(
    run_id: str,
    home: Home | None = None,
    progress: Progress | None = None,
    started: float | None = None,
    extra_seconds: float | None = None,
) -> Outcome:
    """Goes on with a run that was killed, interrupted or failed. Trials that ended are not run again; the others go on
    from their checkpoints.

    Args:
        run_id: The run's id, or how it begins.
        home: As for `run`.
        progress: As for `run`.
        started: The monotonic second from which this process uses the budget; `None`: now.
        extra_seconds: Wall clock from `started` on; `None`: what is left of the run's own budget. A run that has
            trials and no time left is packaged with the best of them.

    Raises:
        ConfigError: There is no such run, it was completed, or its data changed.
        BusyError: It is at work.
        KerasmithError: As `run`.
    """
    started = time.monotonic() if started is None else started
    home, progress = home or open_home(), progress or Silent()
    check_backend()
    with opened(home, f"resume {run_id}", progress) as (stores, interrupts):
        record = stores.ledger.get_run(run_id)
        config = config_from_json(record.config)
        if extra_seconds is not None:
            config = replace(config, budget_seconds=record.used_seconds + extra_seconds)
        source = open_source(config)
        record = stores.ledger.take_up(record.id)
        began = started - record.used_seconds
        costs = corrected(stores.ledger.runs(RUNS_READ))
        governor = Governor(started=began, deadline=began + config.budget_seconds, costs=costs)
        if extra_seconds is not None:
            record = replace(record, summary={**record.summary, SEARCHED: False})
        context = _context(stores, config, governor, record, progress)
        return _run(context, source, interrupts)


def _context(stores: Stores, config: RunConfig, governor: Governor, record: Run, progress: Progress) -> Context:
    return Context(
        config=config,
        home=stores.home,
        ledger=stores.ledger,
        leases=stores.leases,
        registry=stores.registry,
        governor=governor,
        run=record,
        progress=progress,
    )


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
        summary={FOLDER: str(Path.cwd())},
    )


def _run(context: Context, source: Source, interrupts: Interrupts) -> Outcome:
    with recorded(context):
        with context.step("prepare"):
            prepared = _prepare(context, source)
        context.governor = _with_counts(context.governor, prepared)
        if made := registered(context):
            return completed(context, prepared, made)
        with interrupts.polite():
            with context.step("search"):
                trials, best = search_step(context, prepared, interrupts)
            return finish(context, source, prepared, trials, best, in_a_hurry=interrupts.asked)


def _prepare(context: Context, source: Source) -> Prepared:
    prepared = prepare(source, context.config, context.home, context.progress.amount)
    before = context.run.data_fingerprint
    if before not in (None, prepared.fingerprint):
        raise ConfigError(
            f"The data changed since run {context.run.id} began: its trials were judged on other examples. "
            f"Expected the fingerprint {before}. Received: {prepared.fingerprint}. Begin a new run."
        )
    _tell(prepared, context.progress)
    task = get_task(prepared.spec.task, metric_for(context.config, prepared.spec))
    check_goal(parse_goal(context.config.until), task)
    context.learn(task, prepared.fingerprint)
    context.ledger.update_run(context.run.id, summary={SHAPE: shape_of(prepared.spec)})
    parse_costs(context.config.costs, prepared.spec.labels)
    if not any(trial.scored for trial in context.ledger.trials(context.run.id)):
        context.governor.check_start(0.0)
    return prepared


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
