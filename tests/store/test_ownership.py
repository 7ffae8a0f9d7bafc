"""Whose a run is: of a living process, of one that is gone, or of the one that takes it up."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from records.errors import BusyError, ConfigError
from records.trial import Lease, Run, RunState, Trial, TrialResult, TrialState
from store import liveness
from store.leases import LeaseLost, Leases
from store.ledger import Ledger
from tests.store.owners import Own, beat, change, kill

MakeRun = Callable[..., Run]
Take = Callable[..., tuple[Trial, Lease]]


def test_runs_of_dead_processes_are_marked_and_others_are_not(ledger: Ledger, make_run: MakeRun, own: Own) -> None:
    ledger.start_run(make_run("mine"))
    killed, alive = own("killed"), own("alive")
    kill(killed)
    assert ledger.dead_runs() == ["killed"] and ledger.get_run("killed").state is RunState.RUNNING
    assert ledger.mark_dead_runs() == ["killed"]
    dead = ledger.get_run("killed")
    assert dead.state is RunState.INTERRUPTED and dead.ended_at is not None
    assert dead.error == f"Its process {killed.pid} ended without a word: it was killed, or the machine went down."
    assert [trial.state for trial in ledger.trials("killed")] == [TrialState.WAITING]
    assert [trial.state for trial in ledger.trials("alive")] == [TrialState.RUNNING]
    assert [ledger.get_run(run_id).state for run_id in ("mine", "alive")] == [RunState.RUNNING] * 2
    assert ledger.mark_dead_runs() == []
    assert beat(alive)


def test_take_up_makes_the_run_this_process_own(ledger: Ledger, leases: Leases, own: Own) -> None:
    killed = own("killed")
    assert beat(killed)
    kill(killed)
    run = ledger.take_up("kill")
    assert (run.id, run.state, run.process_id, run.used_seconds) == ("killed", RunState.RUNNING, os.getpid(), 33.0)
    assert (run.ended_at, run.error, leases.held("killed")) == (None, None, [])
    assert [(trial.state, trial.attempt) for trial in ledger.trials("killed")] == [(TrialState.WAITING, 1)]
    assert ledger.mark_dead_runs() == [] and ledger.beat("killed", 40.0)
    assert ledger.get_run("killed").used_seconds == 40.0


@pytest.mark.parametrize("state", [RunState.INTERRUPTED, RunState.FAILED])
def test_what_ended_before_its_time_is_taken_up(ledger: Ledger, take: Take, make_run: MakeRun, state: RunState) -> None:
    ledger.start_run(make_run())
    _, lease = take()
    ledger.finish_run("r1", state, error="The disk is full.")
    assert [trial.state for trial in ledger.trials("r1")] == [TrialState.WAITING]
    assert not ledger.beat("r1", 1.0)  # the heart may beat once more after the end
    run = ledger.take_up("r1")
    assert (run.state, run.error) == (RunState.RUNNING, None)
    assert take(worker="w2", again=0)[1].number == lease.number


def test_a_run_at_work_and_a_completed_one_are_not_taken_up(
    engine: Engine, ledger: Ledger, make_run: MakeRun, own: Own
) -> None:
    alive = own("alive")
    told = rf"^Run alive is at work in process {alive.pid} on .*\. Wait until it ends, or stop that process, then res"
    with pytest.raises(BusyError, match=told):
        ledger.take_up("alive")
    change(engine, "alive", host="elsewhere", process_mark="its-start/pid:[1]/77")
    told = r"on elsewhere\. It said so \d+ seconds ago; after 5 minutes of silence it is taken for dead\. Wait until"
    with pytest.raises(BusyError, match=told):
        ledger.take_up("alive")
    ledger.start_run(make_run("done"))
    ledger.finish_run("done", RunState.COMPLETED, model="shirts:1")
    with pytest.raises(ConfigError, match="Run done was completed: it made shirts:1. There is nothing to resume."):
        ledger.take_up("done")
    with pytest.raises(ConfigError, match="There is no run 'absent'"):
        ledger.take_up("absent")
    assert ledger.get_run("alive").process_id == alive.pid


def test_a_run_that_was_taken_for_dead_says_that_it_lives(ledger: Ledger, engine: Engine, own: Own) -> None:
    alive = own("alive")
    told = (datetime.now(UTC) - timedelta(minutes=6)).isoformat()
    mark = liveness.owner(alive.pid)["process_mark"]
    change(engine, "alive", host="elsewhere", process_mark="its-start/pid:[1]/77", beat_at=told)
    assert ledger.mark_dead_runs() == ["alive"]
    change(engine, "alive", host=liveness.owner(alive.pid)["host"], process_mark=mark)
    assert beat(alive)
    run = ledger.get_run("alive")
    assert (run.state, run.error, run.ended_at) == (RunState.RUNNING, None, None)


def test_a_process_whose_run_another_took_up_can_do_nothing_to_it(
    engine: Engine, ledger: Ledger, leases: Leases, take: Take, make_run: MakeRun, own: Own
) -> None:
    ledger.start_run(make_run())
    _, lease = take()
    successor = own("other")
    change(engine, "r1", **{name: value for name, value in liveness.owner(successor.pid).items()})
    assert not ledger.beat("r1", 99.0)
    with pytest.raises(BusyError, match=f"Run r1 is at work in process {successor.pid}"):
        ledger.finish_run("r1", RunState.COMPLETED, model="late:1")
    run = ledger.get_run("r1")
    assert (run.state, run.model, run.used_seconds) == (RunState.RUNNING, None, 0.0)


def test_a_dead_runs_worker_loses_its_lease(
    ledger: Ledger, leases: Leases, take: Take, own: Own, result: TrialResult
) -> None:
    killed = own("killed")
    _, lease = take("killed", "w2")
    kill(killed)
    ledger.mark_dead_runs()
    with pytest.raises(LeaseLost):
        leases.complete(lease, result)
    with pytest.raises(LeaseLost, match="Run killed is interrupted"):
        take("killed", "w2")


def test_a_run_that_was_taken_for_dead_may_still_end_well(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    ledger.finish_run("r1", RunState.INTERRUPTED, error="Its process ended without a word.")
    ledger.finish_run("r1", RunState.COMPLETED, model="shirts:1")
    run = ledger.get_run("r1")
    assert (run.state, run.error, run.model) == (RunState.COMPLETED, None, "shirts:1")
