"""Who trains what: a trial is leased to one worker, reported by it, and ended once.

Every method is one locked transaction. Whatever dies between two of them, a trial is waiting, leased or ended, and an
ended one never changes again.
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import asdict
from numbers import Real
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, insert, select, update

from records.trial import Again, EpochReport, Lease, Proposal, RunState, Trial, TrialResult, TrialState
from store.database import locked, reading
from store.rows import Finished, read_trial, read_trials, state_of_run
from store.schema import epochs, leases, trials

Decide = Callable[[list[Trial]], Proposal | Again | None]
"""From all trials so far to the next one, or to a waiting one; `None`: there is nothing to do now."""

MAX_ATTEMPTS = 2
"""Workers that may die on a trial before it is given up."""


class LeaseLost(Exception):
    """The trial, or the whole run, is not this worker's any more: it was taken for dead, or its supervisor ended it."""


class Leases:
    """The trials of runs, as their workers and supervisors write them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._finished = Finished()

    def lease(self, run_id: str, worker: str, decide: Decide) -> tuple[Trial, Lease] | None:
        """Asks `decide` what comes next, and gives it to `worker`, which is this process.

        Nobody else decides between the reading and the writing. `decide` must not use the database, and be quick. A
        new trial gets the next number, counted from 0.

        Raises:
            LeaseLost: The run does not run any more.
            ValueError: The run is unknown, a value is not finite, or the trial does not wait.
        """
        with locked(self._engine) as connection:
            state = state_of_run(connection, run_id)
            if state is not RunState.RUNNING:
                raise LeaseLost(f"Run {run_id} is {state} and takes no more trials.")
            so_far = read_trials(connection, run_id, self._finished)
            decision = decide(so_far)
            if decision is None:
                return None
            if isinstance(decision, Again):
                number = decision.number
                _require(connection, run_id, number, TrialState.WAITING)
                _write(connection, run_id, number, {"state": TrialState.RUNNING})
            else:
                number = so_far[-1].number + 1 if so_far else 0
                _insert(connection, run_id, number, decision)
            seconds = float(decision.max_seconds)
            lease = Lease(run_id=run_id, number=number, worker=worker, max_seconds=seconds, beat=0)
            process = {"host": platform.node(), "process_id": os.getpid()}
            connection.execute(insert(leases).values(**asdict(lease), **process))
            return read_trial(connection, run_id, number), lease

    def held(self, run_id: str) -> list[Lease]:
        """The leases of a run, by the trials' numbers."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(leases).where(leases.c.run_id == run_id).order_by(leases.c.number))
            return [Lease(**{name: row._mapping[name] for name in Lease.__slots__}) for row in rows]

    def beat(self, run_id: str, worker: str) -> bool:
        """Says that a worker lives. False: it holds nothing."""
        mine = (leases.c.run_id == run_id) & (leases.c.worker == worker)
        with locked(self._engine) as connection:
            return connection.execute(update(leases).where(mine).values(beat=leases.c.beat + 1)).rowcount > 0

    def record_epoch(self, lease: Lease, report: EpochReport) -> None:
        """Writes one epoch. The same epoch again replaces what was said of it and of all later ones: a trial that
        went on from a checkpoint tells them anew.

        Raises:
            LeaseLost: The trial is not this worker's any more.
            ValueError: The score is not finite.
        """
        _refuse_non_finite([("score", report.score)])
        row = {
            "epoch": int(report.epoch),  # a numpy scalar is welcome, and no driver knows it
            "score": float(report.score),
            "train_loss": _null_if_nan(report.train_loss),
            "val_loss": _null_if_nan(report.val_loss),
            "seconds": float(report.seconds),
        }
        with locked(self._engine) as connection:
            _require_lease(connection, lease)
            _forget_epochs(connection, lease.run_id, lease.number, from_epoch=report.epoch)
            connection.execute(insert(epochs).values(run_id=lease.run_id, number=lease.number, **row))

    def complete(self, lease: Lease, result: TrialResult) -> None:
        """Ends a trial with its result: completed, or pruned where the result says so.

        Raises:
            LeaseLost: The trial is not this worker's any more.
            ValueError: A figure is not finite.
        """
        figures = asdict(result)
        _refuse_non_finite([*figures.items(), *result.metrics.items()])
        state = TrialState.PRUNED if result.pruned else TrialState.COMPLETED
        with locked(self._engine) as connection:
            _require_lease(connection, lease)
            new = {"state": state, "score": float(result.score), "result": figures}
            _end(connection, lease.run_id, lease.number, new)

    def fail(self, run_id: str, number: int, error: str, *, lease: Lease | None = None) -> bool:
        """Ends a waiting or running trial with the reason why it gave nothing. False: it had ended already.

        Raises:
            LeaseLost: `lease`, the caller's where it is a worker, was lost: the trial may be another's by now.
        """
        with locked(self._engine) as connection:
            if _state_of(connection, run_id, number).finished:
                return False
            if lease is not None:
                _require_lease(connection, lease)
            _end(connection, run_id, number, {"state": TrialState.FAILED, "error": error})
            return True

    def halve_batch(self, lease: Lease) -> None:
        """Begins a trial anew with half the batch, under the same lease.

        Raises:
            LeaseLost: The trial is not this worker's any more.
        """
        with locked(self._engine) as connection:
            _require_lease(connection, lease)
            _forget_epochs(connection, lease.run_id, lease.number)
            _write(connection, lease.run_id, lease.number, {"batch_divisor": trials.c.batch_divisor * 2})

    def release(self, run_id: str, worker: str, reason: str, *, counts: bool) -> list[int]:
        """Takes back what a worker held, which is gone.

        Args:
            run_id: The run.
            worker: Its name.
            reason: How it ended.
            counts: Whether it died on its own. Then the trial gets one more attempt, and after that it has failed. A
                worker that was ended by its supervisor, or together with it, says nothing about its trial.

        Returns:
            The numbers of its trials.
        """
        with locked(self._engine) as connection:
            mine = (leases.c.run_id == run_id) & (leases.c.worker == worker)
            numbers = list(connection.execute(select(leases.c.number).where(mine)).scalars())
            for number in numbers:
                _take_back(connection, run_id, number, reason, counts=counts)
        return numbers

    def close(self, run_id: str, error: str) -> int:
        """Fails every trial that waits or runs, at the end of a search. Returns how many there were."""
        with locked(self._engine) as connection:
            unfinished = trials.c.state.in_((TrialState.WAITING, TrialState.RUNNING))
            query = select(trials.c.number).where((trials.c.run_id == run_id) & unfinished)
            numbers = list(connection.execute(query).scalars())
            for number in numbers:
                _end(connection, run_id, number, {"state": TrialState.FAILED, "error": error})
        return len(numbers)


def release_all(connection: Connection, run_id: str) -> None:
    """Takes back every lease of a run whose process is gone, without counting it against the trials."""
    connection.execute(delete(leases).where(leases.c.run_id == run_id))
    running = (trials.c.run_id == run_id) & (trials.c.state == TrialState.RUNNING)
    connection.execute(update(trials).where(running).values(state=TrialState.WAITING))


def _insert(connection: Connection, run_id: str, number: int, proposal: Proposal) -> None:
    _refuse_non_finite(proposal.values.items())
    row = {"run_id": run_id, "number": number, "space": proposal.space, "seed": int(proposal.seed)}
    connection.execute(
        insert(trials).values(**row, hyperparameters=proposal.values, origin=proposal.origin, state=TrialState.RUNNING)
    )


def _take_back(connection: Connection, run_id: str, number: int, reason: str, *, counts: bool) -> None:
    attempt = connection.execute(select(trials.c.attempt).where(_is(trials, run_id, number))).scalar_one()
    if counts and attempt >= MAX_ATTEMPTS:
        error = f"{reason} It is not tried again: {attempt} workers ended with it."
        _end(connection, run_id, number, {"state": TrialState.FAILED, "error": error})
        return
    new = {"state": TrialState.WAITING, "attempt": attempt + 1 if counts else attempt}
    connection.execute(delete(leases).where(_is(leases, run_id, number)))
    _write(connection, run_id, number, new)


def _require_lease(connection: Connection, lease: Lease) -> None:
    holder = select(leases.c.worker).where(_is(leases, lease.run_id, lease.number))
    if connection.execute(holder).scalar_one_or_none() != lease.worker:
        raise LeaseLost(f"Trial {lease.number} of run {lease.run_id} is not leased to {lease.worker} any more.")


def _require(connection: Connection, run_id: str, number: int, wanted: TrialState) -> None:
    state = _state_of(connection, run_id, number)
    if state is not wanted:
        raise ValueError(f"Trial {number} of run {run_id} must be {wanted}. Received: {state}.")


def _state_of(connection: Connection, run_id: str, number: int) -> TrialState:
    state = connection.execute(select(trials.c.state).where(_is(trials, run_id, number))).scalar_one_or_none()
    if state is None:
        raise ValueError(f"There is no trial {number} of run {run_id!r} in the ledger.")
    return TrialState(state)


def _end(connection: Connection, run_id: str, number: int, new: dict[str, Any]) -> None:
    connection.execute(delete(leases).where(_is(leases, run_id, number)))
    _write(connection, run_id, number, new)


def _write(connection: Connection, run_id: str, number: int, new: dict[str, Any]) -> None:
    connection.execute(update(trials).where(_is(trials, run_id, number)).values(**new))


def _forget_epochs(connection: Connection, run_id: str, number: int, from_epoch: int = 0) -> None:
    connection.execute(delete(epochs).where(_is(epochs, run_id, number) & (epochs.c.epoch >= from_epoch)))


def _is(table: Table, run_id: str, number: int) -> ColumnElement[bool]:
    return (table.c.run_id == run_id) & (table.c.number == number)


def _refuse_non_finite(figures: Iterable[tuple[str, Any]]) -> None:
    for name, value in figures:
        if isinstance(value, Real) and not math.isfinite(value):
            raise ValueError(f"`{name}` must be a finite number. Received: {value}.")


def _null_if_nan(loss: float) -> float | None:
    return None if math.isnan(loss) else float(loss)
