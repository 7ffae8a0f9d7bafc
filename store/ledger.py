"""What was run and tried. The search has no other memory: a new process that reads the ledger knows all of it."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from records.errors import BusyError, ConfigError
from records.trial import Run, RunState, Trial
from store.database import clock, locked, reading
from store.leases import release_all
from store.liveness import is_owner, lives, owner
from store.rows import Finished, find_run, read_trials, to_run, unknown_run
from store.schema import runs

SILENCE = timedelta(minutes=5)
"""After which a run of another machine is taken for dead: long beside the seconds between two signs of life, a restart
of the server, and what the clocks of two machines differ by."""


class Ledger:
    """Runs, and the reading of their trials; `store.leases` writes those."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._finished = Finished()

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
            told = {"sequence": (newest or 0) + 1, "beat_at": clock(connection).isoformat()}
            connection.execute(insert(runs).values(**row, **told))

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
        """Ends a run; from then on it is nobody's. One that was taken for dead, and was not, may still end.

        Raises:
            ValueError: It has ended already, or `state` is RUNNING.
            BusyError: Another process took it up and is at work.
        """
        if state is RunState.RUNNING:
            raise ValueError("A run ends as completed, failed or interrupted. Received: running.")
        with locked(self._engine) as connection:
            row = _row(connection, run_id)
            if row.state in (RunState.COMPLETED, RunState.FAILED):
                raise ValueError(f"Run {run_id} has ended already, as {row.state}. Received: {state}.")
            if not is_owner(row, os.getpid()):
                _refuse_living(connection, row)
            _end(connection, run_id, state, {"error": error, **_given(model=model)}, summary)

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

    def dead_runs(self) -> list[str]:
        """The running runs whose process is gone. Only looks, and waits for nobody.

        A process of another machine, in a database that several share, is gone when it has not told for five minutes
        that it lives.

        Returns:
            Their ids.
        """
        with reading(self._engine) as connection:
            return [row.id for row in _dead(connection)]

    def mark_dead_runs(self) -> list[str]:
        """Marks the dead runs as interrupted; their trials wait to be taken up again.

        Returns:
            Their ids.
        """
        if not self.dead_runs():
            return []
        with locked(self._engine) as connection:
            dead = _dead(connection)
            for row in dead:
                error = f"Its process {row.process_id} ended without a word: it was killed, or the machine went down."
                new = {"state": RunState.INTERRUPTED, "error": error, "ended_at": clock(connection).isoformat()}
                _write_run(connection, row.id, new)
                release_all(connection, row.id)
        return [row.id for row in dead]

    def take_up(self, run_id: str) -> Run:
        """Makes this process the owner of a run that ended before its time, for going on with it.

        What its workers held waits to be leased again, and none of it counts as an attempt.

        Returns:
            The run, running.

        Raises:
            ConfigError: There is no such run, or it was completed.
            BusyError: Its process lives.
        """
        with locked(self._engine) as connection:
            run = find_run(connection, run_id)
            if run.state is RunState.COMPLETED:
                raise ConfigError(f"Run {run.id} was completed: it made {run.model}. There is nothing to resume.")
            _refuse_living(connection, _row(connection, run.id))
            new = {"state": RunState.RUNNING, "error": None, "ended_at": None, "beat_at": clock(connection).isoformat()}
            _write_run(connection, run.id, new | owner(os.getpid()))
            release_all(connection, run.id)
            return find_run(connection, run.id)

    def beat(self, run_id: str, used_seconds: float) -> bool:
        """Says that the run's process, which is this one, lives, and how much of the budget was used so far.

        A run that was taken for dead runs again by this.

        Returns:
            False: it is this process's no more. Another one took it up, or it has ended.
        """
        alive = runs.c.state.in_((RunState.RUNNING, RunState.INTERRUPTED))
        mine = [runs.c[name] == value for name, value in owner(os.getpid()).items() if name != "process_started"]
        with locked(self._engine) as connection:
            told = {"beat": runs.c.beat + 1, "beat_at": clock(connection).isoformat()}
            new = told | {"state": RunState.RUNNING, "error": None, "ended_at": None}
            change = update(runs).where(runs.c.id == run_id, alive, *mine)
            return connection.execute(change.values(used_seconds=float(used_seconds), **new)).rowcount > 0

    def trials(self, run_id: str) -> list[Trial]:
        """All trials of a run with their epochs, by number."""
        with reading(self._engine) as connection:
            return read_trials(connection, run_id, self._finished)


def _row(connection: Connection, run_id: str) -> Row[Any]:
    row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    if row is None:
        raise unknown_run(run_id)
    return row


def _dead(connection: Connection) -> list[Row[Any]]:
    running = connection.execute(select(runs).where(runs.c.state == RunState.RUNNING)).all()
    return [row for row in running if not _lives(connection, row)]


def _lives(connection: Connection, row: Row[Any]) -> bool:
    alive = lives(row, shared=connection.dialect.name != "sqlite")
    return _silence(connection, row) <= SILENCE if alive is None else alive


def _silence(connection: Connection, row: Row[Any]) -> timedelta:
    """Since the process said that it lives. Negative where a clock was set back."""
    return clock(connection) - datetime.fromisoformat(row.beat_at or row.started_at)


def _refuse_living(connection: Connection, row: Row[Any]) -> None:
    if row.state != RunState.RUNNING or not _lives(connection, row):
        return
    told = ""
    if lives(row, shared=True) is None:
        told = (
            f" It said so {max(0.0, _silence(connection, row).total_seconds()):.0f} seconds ago; after "
            f"{SILENCE.total_seconds() / 60:.0f} minutes of silence it is taken for dead."
        )
    raise BusyError(
        f"Run {row.id} is at work in process {row.process_id} on {row.host}.{told} "
        "Wait until it ends, or stop that process, then resume."
    )


def _end(
    connection: Connection, run_id: str, state: RunState, new: dict[str, Any], summary: dict[str, Any] | None
) -> None:
    ended = {"state": state, "ended_at": clock(connection).isoformat(), "process_mark": None}
    _write_run(connection, run_id, new | ended, summary)
    release_all(connection, run_id)


def _given(**fields: str | None) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _write_run(
    connection: Connection, run_id: str, new: dict[str, Any], more_summary: dict[str, Any] | None = None
) -> None:
    summary = connection.execute(select(runs.c.summary).where(runs.c.id == run_id)).scalar_one_or_none()
    if summary is None:
        raise unknown_run(run_id)
    new = new | {"summary": summary | (more_summary or {})}
    connection.execute(update(runs).where(runs.c.id == run_id).values(**new))
