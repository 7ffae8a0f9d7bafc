"""From the tables' rows to records."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, Row, func, select

from records.errors import ConfigError
from records.registry import ModelVersion
from records.trial import EpochReport, Run, RunState, Trial, TrialResult, TrialState
from store.schema import epochs, runs, trials


def to_run(row: Row[Any]) -> Run:
    fields = {name: value for name, value in row._mapping.items() if name in Run.__slots__}
    return Run(**fields | {"state": RunState(row.state)})


def find_run(connection: Connection, beginning: str) -> Run:
    """The run with this id, or the only one whose id begins so; `Ledger.get_run` says more."""
    newest_first = select(runs).order_by(runs.c.sequence.desc())
    matching = newest_first.where(func.substr(runs.c.id, 1, len(beginning)) == beginning)  # LIKE would ignore case
    found = connection.execute(matching).all() if beginning else []
    exact = [row for row in found if row.id == beginning]
    if len(exact or found) == 1:
        return to_run((exact or found)[0])
    if found:
        known = ", ".join(row.id for row in found[:10])
        raise ConfigError(f"{len(found)} runs begin with {beginning!r}. Expected more of the id. Among them: {known}.")
    known = ", ".join(row.id for row in connection.execute(newest_first.limit(10)))
    raise ConfigError(f"There is no run {beginning!r}. {f'Newest: {known}' if known else 'None was made yet'}.")


def to_model(row: Row[Any]) -> ModelVersion:
    return ModelVersion(**{name: value for name, value in row._mapping.items() if name in ModelVersion.__slots__})


def read_trials(connection: Connection, run_id: str, number: int | None = None) -> list[Trial]:
    """The trials of a run by number, or the one of that number, with their epochs."""
    trial_query = select(trials).where(trials.c.run_id == run_id).order_by(trials.c.number)
    epoch_query = select(epochs).where(epochs.c.run_id == run_id).order_by(epochs.c.number, epochs.c.epoch)
    if number is not None:
        trial_query = trial_query.where(trials.c.number == number)
        epoch_query = epoch_query.where(epochs.c.number == number)
    reports: dict[int, list[EpochReport]] = defaultdict(list)
    for row in connection.execute(epoch_query):
        reports[row.number].append(_to_report(row))
    return [_to_trial(row, tuple(reports[row.number])) for row in connection.execute(trial_query)]


def _to_report(row: Row[Any]) -> EpochReport:
    return EpochReport(
        epoch=row.epoch,
        score=row.score,
        train_loss=math.nan if row.train_loss is None else row.train_loss,
        val_loss=math.nan if row.val_loss is None else row.val_loss,
        seconds=row.seconds,
    )


def _to_trial(row: Row[Any], reports: tuple[EpochReport, ...]) -> Trial:
    return Trial(
        run_id=row.run_id,
        number=row.number,
        space=row.space,
        values=row.hyperparameters,
        state=TrialState(row.state),
        seed=row.seed,
        score=row.score,
        error=row.error,
        result=None if row.result is None else TrialResult(**row.result),
        epochs=reports,
    )
