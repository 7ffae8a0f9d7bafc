"""Workers that are killed at any moment: what they were told is kept stays, and nothing is half written."""

import json
import subprocess
from collections.abc import Callable

from sqlalchemy import Engine

from records.trial import Run, TrialState
from store.database import reading
from store.leases import Leases
from store.ledger import Ledger

NUM_KILLS = 30

KILL_WORKERS = """
import itertools, json, os, random, signal, sys, time
from records.trial import Again, EpochReport, Proposal, TrialState
from store.database import open_database
from store.home import open_home
from store.leases import Leases
from tests.store.owners import RESULT

def decide(trials):
    waiting = [trial.number for trial in trials if trial.state is TrialState.WAITING]
    if waiting:
        return Again(number=waiting[0], max_seconds=1.0)
    return Proposal(space="cnn", values={}, seed=len(trials), max_seconds=1.0)

def work(worker):
    leases = Leases(open_database(open_home()))
    while True:
        trial, lease = leases.lease("r1", worker, decide)
        for epoch in (1, 2, 3):
            leases.record_epoch(lease, EpochReport(epoch=epoch, score=0.5, train_loss=1.0, val_loss=1.0, seconds=1.0))
            leases.beat("r1", worker)
            time.sleep(0.005)  # SQLite's waiting is not fair: two that never rest would starve the third
        leases.complete(lease, RESULT)
        os.write(1, (json.dumps(trial.number) + chr(10)).encode())

names, living, generator = itertools.count(), {}, random.Random(0)
for kill in range(int(sys.argv[1])):
    while len(living) < 2:
        name = str(next(names))
        child = os.fork()
        if child == 0:
            work(name)
        living[child] = name
    time.sleep(generator.uniform(0.01, 0.25))
    victim = generator.choice(sorted(living))
    os.kill(victim, signal.SIGKILL)
    os.waitpid(victim, 0)
    engine = open_database(open_home())
    Leases(engine).release("r1", living.pop(victim), "It was killed.", counts=False)
    engine.dispose()
for child in living:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"""


def test_killed_workers_lose_nothing_that_they_were_told_is_kept(
    engine: Engine,
    ledger: Ledger,
    leases: Leases,
    make_run: Callable[..., Run],
    program: Callable[..., "subprocess.Popen[str]"],
    kind: str,
) -> None:
    ledger.start_run(make_run())
    killer = program(KILL_WORKERS, NUM_KILLS)
    output, errors = killer.communicate(timeout=300)
    assert (errors, killer.returncode) == ("", 0)
    told = [json.loads(line) for line in output.splitlines()]
    trials = ledger.trials("r1")
    assert len(told) == len(set(told)) > 0
    assert [trial.number for trial in trials] == list(range(len(trials)))
    completed = [trial for trial in trials if trial.state is TrialState.COMPLETED]
    assert set(told) <= {trial.number for trial in completed}
    assert len(completed) <= len(told) + NUM_KILLS + 2  # killed between the commit and the word
    for trial in trials:
        done = trial.state is TrialState.COMPLETED
        assert (trial.result is not None, trial.score is not None) == (done, done)
        assert [epoch.epoch for epoch in trial.epochs] == list(range(1, len(trial.epochs) + 1))
        assert not done or len(trial.epochs) == 3
    unfinished = {trial.number: trial.state for trial in trials if not trial.state.finished}
    running = {number for number, state in unfinished.items() if state is TrialState.RUNNING}
    assert {lease.number for lease in leases.held("r1")} == running  # of the last two, whom nobody released
    assert len(unfinished) <= 3
    if kind == "sqlite":
        with reading(engine) as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
