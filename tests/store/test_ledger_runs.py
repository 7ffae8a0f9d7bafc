"""Runs: begun, ended, found again, and told from those whose process is gone."""

import os
import signal
import subprocess
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, update

from records.errors import ConfigError
from records.trial import Run, RunState, TrialState
from store import schema
from store.database import locked
from store.ledger import Ledger

MakeRun = Callable[..., Run]

OWN_A_RUN = """
import sys
from records.trial import Run, RunState
from store.database import open_database
from store.home import open_home
from store.ledger import Ledger
ledger = Ledger(open_database(open_home()))
fields = {"name": "n", "config": {}, "task": "t", "objective": "o", "started_at": "s"}
ledger.start_run(Run(id=sys.argv[1], state=RunState.RUNNING, **fields))
ledger.propose(sys.argv[1], lambda trials: ("cnn", {}, 0))
print("started", flush=True)
sys.stdin.readline()
"""


def test_a_run_is_read_as_it_was_written(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    assert ledger.get_run("r1") == make_run(process_id=os.getpid())


def test_update_run_writes_what_is_given_and_adds_to_the_summary(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run(summary={"load": 1.5, "search": 2}))
    ledger.update_run("r1", data_fingerprint="fp", summary={"search": 3, "refit": None})
    ledger.update_run("r1", name="socks")
    expected = make_run(
        process_id=os.getpid(), data_fingerprint="fp", name="socks", summary={"load": 1.5, "search": 3, "refit": None}
    )
    assert ledger.get_run("r1") == expected


def test_finish_run_ends_it_once(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    ledger.finish_run("r1", RunState.COMPLETED, model="shirts:1", summary={"accuracy": 0.875})
    run = ledger.get_run("r1")
    assert (run.state, run.model, run.summary, run.error) == (RunState.COMPLETED, "shirts:1", {"accuracy": 0.875}, None)
    assert run.ended_at is not None and run.ended_at.endswith("+00:00")
    with pytest.raises(ValueError, match="Run r1 has ended already, as completed. Received: failed"):
        ledger.finish_run("r1", RunState.FAILED, error="late")
    with pytest.raises(ValueError, match="A run ends as completed, failed or interrupted. Received: running"):
        ledger.finish_run("r1", RunState.RUNNING)
    assert ledger.get_run("r1") == run


def test_a_run_may_not_begin_twice(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    with pytest.raises(ValueError, match="There is a run 'r1' in the ledger already"):
        ledger.start_run(make_run(name="other"))
    assert [run.name for run in ledger.runs()] == ["shirts"]


def test_runs_are_listed_newest_first_whatever_the_clock_said(ledger: Ledger, make_run: MakeRun) -> None:
    for run_id, year in (("a", "2027"), ("b", "2025"), ("c", "2026")):
        ledger.start_run(make_run(run_id, started_at=f"{year}-01-01T00:00:00+00:00"))
    assert [run.id for run in ledger.runs()] == ["c", "b", "a"]
    assert [run.id for run in ledger.runs(limit=2)] == ["c", "b"]


def test_get_run_takes_the_beginning_of_an_id(ledger: Ledger, make_run: MakeRun) -> None:
    for run_id in ("3f2a", "3f2", "3f91", "4_b1", "4xb1"):
        ledger.start_run(make_run(run_id))
    assert [ledger.get_run(text).id for text in ("3f2", "3f2a", "3f9", "4_")] == ["3f2", "3f2a", "3f91", "4_b1"]
    with pytest.raises(ConfigError) as caught:
        ledger.get_run("3f")
    assert str(caught.value) == "3 runs begin with '3f'. Expected more of the id. Among them: 3f91, 3f2, 3f2a."


@pytest.mark.parametrize("run_id", ["9", "", "%", "3f2abc", "3F"])
def test_get_run_of_an_unknown_id_lists_what_there_is(ledger: Ledger, make_run: MakeRun, run_id: str) -> None:
    with pytest.raises(ConfigError, match="There is no run '.*'. None was made yet."):
        ledger.get_run(run_id)
    for known in ("3f2a", "4b11"):
        ledger.start_run(make_run(known))
    with pytest.raises(ConfigError, match="There is no run '.*'. Newest: 4b11, 3f2a."):
        ledger.get_run(run_id)


def test_runs_of_dead_processes_are_marked_and_others_are_not(
    ledger: Ledger, make_run: MakeRun, program: Callable[..., "subprocess.Popen[str]"]
) -> None:
    ledger.start_run(make_run("mine"))
    owners = {run_id: program(OWN_A_RUN, run_id) for run_id in ("killed", "alive")}
    for owner in owners.values():
        assert owner.stdout is not None and owner.stdout.readline() == "started\n"
    owners["killed"].send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, owners["killed"].pid, os.WEXITED | os.WNOWAIT)  # a zombie is dead too
    assert ledger.mark_dead_runs() == ["killed"]
    dead = ledger.get_run("killed")
    assert dead.state is RunState.INTERRUPTED and dead.ended_at is not None
    assert dead.error == (
        f"Its process {owners['killed'].pid} ended without a word: it was killed, or the machine went down."
    )
    assert [trial.state for trial in ledger.trials("killed")] == [TrialState.FAILED]
    assert [trial.state for trial in ledger.trials("alive")] == [TrialState.RUNNING]
    assert {run.id: run.state for run in ledger.runs()} | {"killed": None} == {
        "mine": RunState.RUNNING,
        "alive": RunState.RUNNING,
        "killed": None,
    }
    assert ledger.mark_dead_runs() == []


def test_a_process_number_that_was_given_again_is_another_process(
    engine: Engine, ledger: Ledger, make_run: MakeRun
) -> None:
    for run_id in ("reused", "elsewhere"):
        ledger.start_run(make_run(run_id))
    table = schema.runs
    with locked(engine) as connection:
        earlier = {"process_started": table.c.process_started - 3600}
        connection.execute(update(table).values(**earlier))
        connection.execute(update(table).where(table.c.id == "elsewhere").values(host="another-machine"))
    assert ledger.mark_dead_runs() == ["reused"]
    assert ledger.get_run("elsewhere").state is RunState.RUNNING


def test_a_run_that_was_taken_for_dead_may_still_end_well(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    ledger.finish_run("r1", RunState.INTERRUPTED, error="Its process ended without a word.")
    ledger.finish_run("r1", RunState.COMPLETED, model="shirts:1")
    run = ledger.get_run("r1")
    assert (run.state, run.error, run.model) == (RunState.COMPLETED, None, "shirts:1")
