"""What people have on their disks is read in full, and gone on with."""

import math
import os
import platform

import pytest

from records.trial import Again, Lease, RunState, TrialState
from store.database import locked, open_database
from store.home import Home
from store.leases import Leases
from store.ledger import Ledger
from store.migrations import MIGRATIONS
from store.registry import Registry
from tests.store.old_databases import load


@pytest.mark.usefixtures("kind")
def test_a_database_of_the_first_release_is_read_in_full(home: Home) -> None:
    load(home, 1)
    engine = open_database(home)
    ledger, registry = Ledger(engine), Registry(engine)
    run = ledger.get_run("3f2a")
    assert (run.model, run.summary, run.config["seed"], run.process_id) == ("shirts:1", {"accuracy": 0.875}, 7, 4242)
    assert (run.used_seconds, run.state) == (0.0, RunState.COMPLETED)
    done, failed = ledger.trials("3f2a")
    assert done.values == {"cnn/filters": 32, "optimizer/learning_rate": 0.001, "recipe/flip": True}
    assert done.result is not None and done.result.metrics == {"accuracy": 0.875, "log_loss": 0.5}
    assert (done.result.loss, done.result.pruned, done.result.resumed_at_step) == (0.0, False, 0)
    assert (done.origin, done.attempt, done.batch_divisor, done.scored) == ("", 1, 1, True)
    assert [(e.epoch, e.score, math.isnan(e.train_loss)) for e in done.epochs] == [(1, 0.875, False), (2, 0.75, True)]
    assert (failed.state, failed.error) == (TrialState.FAILED, "out of memory")
    assert registry.resolve("shirts").bundle_id == "b3f2a"
    engine.dispose()


@pytest.mark.usefixtures("kind")
def test_what_the_first_release_left_running_waits_to_be_taken_up(home: Home) -> None:
    load(home, 1)
    before = open_database(home, MIGRATIONS[:1])
    with locked(before) as connection:
        connection.exec_driver_sql("UPDATE trials SET state = 'running', score = NULL, result = NULL WHERE number = 0")
        connection.exec_driver_sql("UPDATE runs SET state = 'running', model = NULL, ended_at = NULL")
        connection.exec_driver_sql(f"UPDATE runs SET host = '{platform.node()}'")
    before.dispose()
    engine = open_database(home)
    ledger, leases = Ledger(engine), Leases(engine)
    assert ledger.mark_dead_runs() == ["3f2a"]
    assert ledger.take_up("3f2a").process_id == os.getpid()
    assert [trial.state for trial in ledger.trials("3f2a")] == [TrialState.WAITING, TrialState.FAILED]
    leased = leases.lease("3f2a", "w1", lambda trials: Again(number=0, max_seconds=9.0))
    assert leased is not None and (leased[0].attempt, len(leased[0].epochs)) == (1, 2)
    engine.dispose()


@pytest.mark.usefixtures("kind")
def test_a_database_of_the_second_version_is_read_in_full(home: Home) -> None:
    load(home, 2)
    engine = open_database(home)
    ledger, leases = Ledger(engine), Leases(engine)
    run = ledger.get_run("5c1d")
    assert (run.state, run.used_seconds, run.config["until"]) == (RunState.RUNNING, 61.5, "accuracy=0.97")
    trials = ledger.trials("5c1d")
    assert [trial.state.value for trial in trials] == ["completed", "pruned", "failed", "waiting", "running"]
    assert [trial.origin for trial in trials] == ["floor", "portfolio: small images", "tpe", "tpe", "tpe"]
    assert [(trial.attempt, trial.batch_divisor) for trial in trials] == [(1, 1), (1, 2), (1, 1), (2, 1), (1, 1)]
    assert trials[1].result is not None and trials[1].result.pruned and trials[1].result.resumed_at_step == 5
    assert leases.held("5c1d") == [Lease(run_id="5c1d", number=4, worker="w3", max_seconds=30.0, beat=1)]
    assert ledger.mark_dead_runs() == ["5c1d"]  # of another machine, and silent for long
    assert ledger.trials("5c1d")[4].state is TrialState.WAITING
    engine.dispose()
