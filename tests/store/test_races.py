"""Many processes on one database at once."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from sqlalchemy import Engine

from records.trial import Run, RunState, Trial, TrialState
from store.leases import Leases
from store.ledger import Ledger
from store.registry import Registry

NUM_PROCESSES = 3

SEARCH = """
import json, os, sys
from records.trial import EpochReport, Proposal
from store.database import open_database
from store.home import open_home
from store.leases import Leases
from tests.store.owners import RESULT
leases = Leases(open_database(open_home()))
worker, limit = sys.argv[1], int(sys.argv[2])

def decide(trials):
    if sum(t.values["worker"] == worker for t in trials) == limit:
        return None
    before = trials[-1].number if trials else -1
    return Proposal(space="cnn", values={"worker": worker, "before": before}, seed=len(trials), max_seconds=1.0)

print("ready", flush=True)
sys.stdin.readline()
while (leased := leases.lease("r1", worker, decide)) is not None:
    trial, lease = leased
    for epoch in (1, 2):
        leases.record_epoch(lease, EpochReport(epoch=epoch, score=0.5, train_loss=1.0, val_loss=1.0, seconds=1.0))
    leases.beat("r1", worker)
    leases.complete(lease, RESULT)
    print(json.dumps([trial.number, trial.values["before"]]), flush=True)
"""

TAKE_WAITING = """
import sys
from records.trial import Again, TrialState
from store.database import open_database
from store.home import open_home
from store.leases import Leases
leases = Leases(open_database(open_home()))

def decide(trials):
    waiting = [t.number for t in trials if t.state is TrialState.WAITING]
    return Again(number=waiting[0], max_seconds=1.0) if waiting else None

print("ready", flush=True)
sys.stdin.readline()
while (leased := leases.lease("r1", sys.argv[1], decide)) is not None:
    print(leased[0].number, flush=True)
"""

TAKE_UP = """
import sys
from records.errors import BusyError
from store.database import open_database
from store.home import open_home
from store.ledger import Ledger
ledger = Ledger(open_database(open_home()))
print("ready", flush=True)
sys.stdin.readline()
try:
    print("took", ledger.take_up("r1").process_id, flush=True)
except BusyError as error:
    print(error, flush=True)
sys.stdin.readline()
"""

REGISTER = """
import sys
from store.database import open_database
from store.home import open_home
from store.registry import Registry
registry = Registry(open_database(open_home()))
print("ready", flush=True)
sys.stdin.readline()
for i in range(20):
    own = registry.register("shirts", f"{sys.argv[1]}-{i}", "r", "c")
    shared = registry.register("socks", f"shared-{i}", "r", "c")
    print(own.version, shared.version, flush=True)
"""

Program = Callable[..., "subprocess.Popen[str]"]


def race(program: Program, text: str, *args: object) -> list["subprocess.Popen[str]"]:
    """Starts the processes and lets them go together. An argument "#" becomes the process's own number."""
    numbers = range(NUM_PROCESSES)
    processes = [program(text, *(i if arg == "#" else arg for arg in args)) for i in numbers]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def finish(processes: list["subprocess.Popen[str]"]) -> list[list[str]]:
    """What each process printed after it was let go."""
    ended = [process.communicate(timeout=120) for process in processes]
    assert [(error, process.returncode) for (_, error), process in zip(ended, processes, strict=True)] == [
        ("", 0)
    ] * len(processes)
    return [output.splitlines() for output, _ in ended]


def test_no_trial_is_given_twice_and_none_is_lost(
    ledger: Ledger, leases: Leases, make_run: Callable[..., Run], program: Program
) -> None:
    ledger.start_run(make_run())
    lines = finish(race(program, SEARCH, "#", 20))
    told = sorted(json.loads(line) for output in lines for line in output)
    assert told == [[number, number - 1] for number in range(20 * NUM_PROCESSES)]
    trials = ledger.trials("r1")
    assert [trial.number for trial in trials] == list(range(20 * NUM_PROCESSES))
    assert {(trial.state, len(trial.epochs)) for trial in trials} == {(TrialState.COMPLETED, 2)}
    assert list(Counter(trial.values["worker"] for trial in trials).values()) == [20] * NUM_PROCESSES
    assert leases.held("r1") == []


def test_a_waiting_trial_is_taken_by_one(
    ledger: Ledger, leases: Leases, make_run: Callable[..., Run], take: Callable[..., object], program: Program
) -> None:
    ledger.start_run(make_run())
    for _ in range(30):
        take()
    leases.release("r1", "w1", "gone", counts=False)
    lines = finish(race(program, TAKE_WAITING, "#"))
    assert sorted(int(line) for output in lines for line in output) == list(range(30))
    assert Counter(lease.worker for lease in leases.held("r1")) == {str(i): len(o) for i, o in enumerate(lines) if o}


def test_a_run_is_taken_up_by_one(ledger: Ledger, make_run: Callable[..., Run], program: Program) -> None:
    ledger.start_run(make_run())
    ledger.finish_run("r1", RunState.INTERRUPTED, error="?")
    processes = race(program, TAKE_UP)
    told = [process.stdout.readline() for process in processes if process.stdout is not None]
    (winner,) = [process.pid for process, line in zip(processes, told, strict=True) if line.startswith("took")]
    refused = [line for line in told if line.startswith(f"Run r1 is at work in process {winner} on ")]
    assert len(refused) == NUM_PROCESSES - 1
    assert (ledger.get_run("r1").state, ledger.get_run("r1").process_id) == (RunState.RUNNING, winner)


def test_a_reader_sees_whole_trials_while_others_write(
    engine: Engine, ledger: Ledger, make_run: Callable[..., Run], program: Program
) -> None:
    ledger.start_run(make_run())
    processes = race(program, SEARCH, "#", 20)
    seen: list[list[Trial]] = []
    while any(process.poll() is None for process in processes):
        seen.append(ledger.trials("r1"))
    finish(processes)
    assert len({len(trials) for trials in seen}) > 10
    for before, after in pairwise([*seen, ledger.trials("r1")]):
        assert [trial.number for trial in after] == list(range(len(after)))
        assert all(trial == later for trial, later in zip(before, after, strict=False) if trial.state.finished)
        assert all(
            later.epochs[: len(trial.epochs)] == trial.epochs for trial, later in zip(before, after, strict=False)
        )
        assert all(len(trial.epochs) == 2 for trial in after if trial.state.finished)
    assert Ledger(engine).trials("r1") == ledger.trials("r1")


def test_every_bundle_gets_one_version_and_every_version_one_bundle(registry: Registry, program: Program) -> None:
    lines = finish(race(program, REGISTER, "#"))
    pairs = [line.split() for output in lines for line in output]
    assert sorted(int(own) for own, _ in pairs) == list(range(1, 20 * NUM_PROCESSES + 1))
    assert Counter(int(shared) for _, shared in pairs) == dict.fromkeys(range(1, 21), NUM_PROCESSES)
    assert sorted(model.version for model in registry.versions("socks")) == list(range(1, 21))
