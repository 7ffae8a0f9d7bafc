"""From the tables' rows to records."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from records.errors import ConfigError
from records.registry import ModelVersion
from records.trial import EpochReport, Run, RunState, Trial, TrialResult, TrialState
from store.schema import epochs, runs, trials

_EPOCH_COLUMNS = (
    epochs.c.number,
    epochs.c.epoch,
    epochs.c.score,
    epochs.c.train_loss,
    epochs.c.val_loss,
    epochs.c.seconds,
)
_MOST_NAMED = 500
"""Trials that a query names one by one: a database allows some thousand."""


def to_run(row: Row[Any]) -> Run:
    fields = {name: value for name, value in row._mapping.items() if name in Run.__slots__}
    return Run(**fields | {"state": RunState(row.state)})


def state_of_run(connection: Connection, run_id: str) -> RunState:
    """Raises ValueError for an unknown one."""
    state = connection.execute(select(runs.c.state).where(runs.c.id == run_id)).scalar_one_or_none()
    if state is None:
        raise unknown_run(run_id)
    return RunState(state)


def unknown_run(run_id: str) -> ValueError:
    return ValueError(f"There is no run {run_id!r} in the ledger.")


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


class Finished:
    """The finished trials of one run as they were read before. They never change again, and most trials are finished:
    reading a thousand with their epochs costs 0.2 s, the few others milliseconds."""

    def __init__(self) -> None:
        self._run_id = ""
        self._trials: dict[int, Trial] = {}

    def of(self, run_id: str) -> dict[int, Trial]:
        """Those of this run by number; of the run asked for last only, so that a page may look at many."""
        if run_id != self._run_id:
            self._run_id, self._trials = run_id, {}
        return self._trials


def read_trials(connection: Connection, run_id: str, finished: Finished) -> list[Trial]:
    """All trials of a run by number, with their epochs.

    Args:
        connection: In a transaction.
        run_id: The run.
        finished: Saves reading again what cannot have changed; what is finished now is added.
    """
    known = finished.of(run_id)
    numbers = connection.execute(select(trials.c.number).where(trials.c.run_id == run_id)).scalars().all()
    unknown = [number for number in numbers if number not in known]
    read = {trial.number: trial for trial in _read(connection, run_id, unknown)}
    known.update((number, trial) for number, trial in read.items() if trial.state.finished)
    return [read.get(number) or known[number] for number in sorted(numbers)]


def read_trial(connection: Connection, run_id: str, number: int) -> Trial:
    """One trial, which is there."""
    return _read(connection, run_id, [number])[0]


def _read(connection: Connection, run_id: str, numbers: Sequence[int]) -> list[Trial]:
    if not numbers:
        return []
    trial_query = select(trials).where(trials.c.run_id == run_id).order_by(trials.c.number)
    epoch_query = select(*_EPOCH_COLUMNS).where(epochs.c.run_id == run_id).order_by(epochs.c.number, epochs.c.epoch)
    if len(numbers) <= _MOST_NAMED:
        trial_query = trial_query.where(trials.c.number.in_(numbers))
        epoch_query = epoch_query.where(epochs.c.number.in_(numbers))
    reports: dict[int, list[EpochReport]] = defaultdict(list)
    for number, epoch, score, train_loss, val_loss, seconds in connection.execute(epoch_query).all():
        report = EpochReport(
            epoch=epoch,
            score=score,
            train_loss=math.nan if train_loss is None else train_loss,
            val_loss=math.nan if val_loss is None else val_loss,
            seconds=seconds,
        )
        reports[number].append(report)
    return [_to_trial(row, tuple(reports[row.number])) for row in connection.execute(trial_query)]


def _to_trial(row: Row[Any], reports: tuple[EpochReport, ...]) -> Trial:
    return Trial(
        run_id=row.run_id,
        number=row.number,
        space=row.space,
        values=row.hyperparameters,
        state=TrialState(row.state),
        seed=row.seed,
        origin=row.origin,
        attempt=row.attempt,
        batch_divisor=row.batch_divisor,
        score=row.score,
        error=row.error,
        result=None if row.result is None else TrialResult(**row.result),
        epochs=reports,
    )
