"""What was run and tried. The search has no other memory: a new process that reads the ledger knows all of it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from numbers import Real
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, func, insert, select, update

from records.trial import EpochReport, Run, RunState, Trial, TrialResult, TrialState, Values
from store.database import locked, reading
from store.liveness import is_here, lives, owner
from store.rows import find_run, read_trials, to_run
from store.schema import epochs, runs, trials

Decide = Callable[[list[Trial]], tuple[str, Values, int] | None]
"""From all trials so far to the next one's space, hyperparameters and seed; `None`: there is nothing left to try."""


class Ledger:
    """Runs, their trials, and the trials' epochs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def start_run(self, run: Run) -> None:
        """Writes a new run, owned by `run.process_id`, or by this process where that is `None`.

        Raises:
            ValueError: There is a run with this id.
        """
        row = asdict(run) | owner(os.getpid() if run.process_id is None else run.process_id)
        with locked(self._engine) as connection:
            if connection.execute(select(runs.c.id).where(runs.c.id == run.id)).first() is not None:
                raise ValueError(f"There is a run {run.id!r} in the ledger already.")
            newest = connection.execute(select(func.max(runs.c.sequence))).scalar()
            connection.execute(insert(runs).values(**row, sequence=(newest or 0) + 1))

    def update_run(
        self,
        run_id: str,
        *,
        name: str | None = None,
        task: str | None = None,
        objective: str | None = None,
        data_fingerprint: str | None = None,
        model: str | None = None,
        summary: dict[str, Any] | None = None,
    ) -> None:
        """Writes what is given; `summary` is added to the summary that is there, key by key."""
        with locked(self._engine) as connection:
            given = _given(name=name, task=task, objective=objective, data_fingerprint=data_fingerprint, model=model)
            _write_run(connection, run_id, given, summary)

    def finish_run(
        self,
        run_id: str,
        state: RunState,
        error: str | None = None,
        model: str | None = None,
        summary: dict[str, Any] | None = None,
    ) -> None:
        """Ends a run. One that was taken for dead, and was not, may still end.

        Raises:
            ValueError: It has ended already, or `state` is RUNNING.
        """
        if state is RunState.RUNNING:
            raise ValueError("A run ends as completed, failed or interrupted. Received: running.")
        with locked(self._engine) as connection:
            before = _state_of_run(connection, run_id)
            if before in (RunState.COMPLETED, RunState.FAILED):
                raise ValueError(f"Run {run_id} has ended already, as {before}. Received: {state}.")
            new = {"state": state, "error": error, "ended_at": _now(), **_given(model=model)}
            _write_run(connection, run_id, new, summary)

    def get_run(self, run_id: str) -> Run:
        """The run with this id, or the only one whose id begins so.

        Raises:
            ConfigError: There is none, or more than one.
        """
        with reading(self._engine) as connection:
            return find_run(connection, run_id)

    def runs(self, limit: int | None = None) -> list[Run]:
        """Newest first."""
        with reading(self._engine) as connection:
            query = select(runs).order_by(runs.c.sequence.desc()).limit(limit)
            return [to_run(row) for row in connection.execute(query)]

    def mark_dead_runs(self) -> list[str]:
        """Marks the running runs of this host whose process is gone as interrupted, with their running trials failed.

        Returns:
            Their ids.
        """
        with locked(self._engine) as connection:
            running = connection.execute(select(runs).where(runs.c.state == RunState.RUNNING)).all()
            dead = [row for row in running if is_here(row.host) and not lives(row.process_id, row.process_started)]
            for row in dead:
                error = f"Its process {row.process_id} ended without a word: it was killed, or the machine went down."
                new = {"state": RunState.INTERRUPTED, "error": error, "ended_at": _now()}
                _write_run(connection, row.id, new)
                _fail_running(connection, row.id, error)
        return [row.id for row in dead]

    def propose(self, run_id: str, decide: Decide) -> Trial | None:
        """Asks `decide` for the next trial, and writes it as running under the next number, counted from 0.

        Nobody else proposes between the reading and the writing. `decide` must not use the ledger, and be quick.

        Raises:
            ValueError: The run is unknown or has ended.
        """
        with locked(self._engine) as connection:
            state = _state_of_run(connection, run_id)
            if state is not RunState.RUNNING:
                raise ValueError(f"Run {run_id} is {state} and takes no more trials.")
            so_far = read_trials(connection, run_id)
            decision = decide(so_far)
            if decision is None:
                return None
            space, values, seed = decision
            _refuse_non_finite(values.items())
            number = so_far[-1].number + 1 if so_far else 0
            new = {"run_id": run_id, "number": number, "space": space, "seed": int(seed), "state": TrialState.RUNNING}
            connection.execute(insert(trials).values(**new, hyperparameters=values))
            return read_trials(connection, run_id, number)[0]

    def record_epoch(self, run_id: str, number: int, report: EpochReport) -> None:
        """Writes one epoch of a running trial. The same epoch again replaces what was said of it.

        Raises:
            ValueError: The trial is unknown or finished, or the score is not finite.
        """
        _refuse_non_finite([("score", report.score)])
        row = {
            "epoch": report.epoch,
            "score": float(report.score),  # a numpy scalar is welcome, and no driver knows it
            "train_loss": _null_if_nan(report.train_loss),
            "val_loss": _null_if_nan(report.val_loss),
            "seconds": float(report.seconds),
        }
        same = (epochs.c.run_id == run_id) & (epochs.c.number == number) & (epochs.c.epoch == report.epoch)
        with locked(self._engine) as connection:
            _require_running(connection, run_id, number)
            if connection.execute(update(epochs).where(same).values(**row)).rowcount == 0:
                connection.execute(insert(epochs).values(run_id=run_id, number=number, **row))

    def complete_trial(self, run_id: str, number: int, result: TrialResult) -> None:
        """Ends a running trial with its result.

        Raises:
            ValueError: The trial is unknown or finished, or a figure is not finite.
        """
        figures = asdict(result)
        _refuse_non_finite([*figures.items(), *result.metrics.items()])
        with locked(self._engine) as connection:
            new = {"state": TrialState.COMPLETED, "score": float(result.score), "result": figures}
            _end_trial(connection, run_id, number, new)

    def fail_trial(self, run_id: str, number: int, error: str) -> None:
        """Ends a running trial with the reason why it gave nothing.

        Raises:
            ValueError: The trial is unknown or finished.
        """
        with locked(self._engine) as connection:
            _end_trial(connection, run_id, number, {"state": TrialState.FAILED, "error": error})

    def fail_running(self, run_id: str, error: str) -> int:
        """Ends every running trial of a run; returns how many there were."""
        with locked(self._engine) as connection:
            return _fail_running(connection, run_id, error)

    def trials(self, run_id: str) -> list[Trial]:
        """All trials of a run with their epochs, by number."""
        with reading(self._engine) as connection:
            return read_trials(connection, run_id)


def _given(**fields: str | None) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _write_run(
    connection: Connection, run_id: str, new: dict[str, Any], more_summary: dict[str, Any] | None = None
) -> None:
    summary = connection.execute(select(runs.c.summary).where(runs.c.id == run_id)).scalar_one_or_none()
    if summary is None:
        raise _unknown_run(run_id)
    new = new | {"summary": summary | (more_summary or {})}
    connection.execute(update(runs).where(runs.c.id == run_id).values(**new))


def _state_of_run(connection: Connection, run_id: str) -> RunState:
    state = connection.execute(select(runs.c.state).where(runs.c.id == run_id)).scalar_one_or_none()
    if state is None:
        raise _unknown_run(run_id)
    return RunState(state)


def _unknown_run(run_id: str) -> ValueError:
    return ValueError(f"There is no run {run_id!r} in the ledger.")


def _end_trial(connection: Connection, run_id: str, number: int, new: dict[str, Any]) -> None:
    _require_running(connection, run_id, number)
    connection.execute(update(trials).where(_is_trial(run_id, number)).values(**new))


def _require_running(connection: Connection, run_id: str, number: int) -> None:
    state = connection.execute(select(trials.c.state).where(_is_trial(run_id, number))).scalar_one_or_none()
    if state is None:
        raise ValueError(f"There is no trial {number} of run {run_id!r} in the ledger.")
    if state != TrialState.RUNNING:
        raise ValueError(f"Trial {number} of run {run_id} is {state} and does not change any more.")


def _fail_running(connection: Connection, run_id: str, error: str) -> int:
    running = (trials.c.run_id == run_id) & (trials.c.state == TrialState.RUNNING)
    return connection.execute(update(trials).where(running).values(state=TrialState.FAILED, error=error)).rowcount


def _is_trial(run_id: str, number: int) -> ColumnElement[bool]:
    return (trials.c.run_id == run_id) & (trials.c.number == number)


def _refuse_non_finite(figures: Iterable[tuple[str, Any]]) -> None:
    for name, value in figures:
        if isinstance(value, Real) and not math.isfinite(value):
            raise ValueError(f"`{name}` must be a finite number. Received: {value}.")


def _null_if_nan(loss: float) -> float | None:
    return None if math.isnan(loss) else float(loss)


def _now() -> str:
    return datetime.now(UTC).isoformat()
