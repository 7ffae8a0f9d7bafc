"""Many processes on one database at once, and some of them killed."""

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable

import pytest

from records.trial import Run, TrialState
from store.database import open_database, reading
from store.home import Home
from store.ledger import Ledger
from store.registry import Registry

NUM_PROCESSES = 3

SEARCH = """
import json, os, sys
from records.trial import EpochReport, TrialResult
from store.database import open_database
from store.home import open_home
from store.ledger import Ledger
ledger = Ledger(open_database(open_home()))
limit = int(sys.argv[1])

def decide(trials):
    if sum(t.values["process"] == os.getpid() for t in trials) == limit:
        return None
    return "cnn", {"process": os.getpid(), "before": [t.number for t in trials][-1] if trials else -1}, len(trials)

print("ready", flush=True)
sys.stdin.readline()
while (trial := ledger.propose("r1", decide)) is not None:
    report = EpochReport(epoch=1, score=0.5, train_loss=1.0, val_loss=1.0, seconds=1.0)
    ledger.record_epoch("r1", trial.number, report)
    result = TrialResult(score=0.5, best_step=1, steps=1, planned_steps=1, steps_per_epoch=1, seconds=1.0,
        train_seconds=1.0, predict_seconds=1.0, num_parameters=1, peak_memory_bytes=1)
    ledger.complete_trial("r1", trial.number, result)
    print(json.dumps([trial.number, trial.values["before"]]), flush=True)
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


@pytest.mark.usefixtures("engine")
def test_no_two_processes_propose_from_the_same_state(
    ledger: Ledger, make_run: Callable[..., Run], program: Program
) -> None:
    ledger.start_run(make_run())
    lines = finish(race(program, SEARCH, 60 // NUM_PROCESSES))
    told = sorted(json.loads(line) for output in lines for line in output)
    assert told == [[number, number - 1] for number in range(60)]
    trials = ledger.trials("r1")
    assert [trial.number for trial in trials] == list(range(60))
    assert {trial.state for trial in trials} == {TrialState.COMPLETED}
    assert list(Counter(trial.values["process"] for trial in trials).values()) == [60 // NUM_PROCESSES] * NUM_PROCESSES


def test_killed_processes_lose_nothing_that_they_were_told_is_kept(
    home: Home, make_run: Callable[..., Run], program: Program
) -> None:
    engine = open_database(home)
    ledger = Ledger(engine)
    ledger.start_run(make_run())
    generator = random.Random(0)
    told: list[int] = []
    for _ in range(3):
        processes = race(program, SEARCH, 10**9)
        time.sleep(generator.uniform(0.05, 0.4))
        for process in processes:
            process.send_signal(signal.SIGKILL)
        for process in processes:
            lines = process.communicate(timeout=30)[0].splitlines(keepends=True)
            told += [json.loads(line)[0] for line in lines if line.endswith("\n")]
    assert told
    trials = ledger.trials("r1")
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert {trials[number].state for number in told} == {TrialState.COMPLETED}
    for trial in trials:
        complete = trial.state is TrialState.COMPLETED
        assert (trial.result is not None, trial.score is not None) == (complete, complete)
        assert not complete or len(trial.epochs) == 1
    assert sum(trial.state is TrialState.RUNNING for trial in trials) <= 3 * NUM_PROCESSES
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    number_next = ledger.propose("r1", lambda trials: ("cnn", {}, 0))
    assert number_next is not None and number_next.number == len(trials)
    engine.dispose()


def test_every_bundle_gets_one_version_and_every_version_one_bundle(registry: Registry, program: Program) -> None:
    lines = finish(race(program, REGISTER, "#"))
    pairs = [line.split() for output in lines for line in output]
    assert sorted(int(own) for own, _ in pairs) == list(range(1, 20 * NUM_PROCESSES + 1))
    assert Counter(int(shared) for _, shared in pairs) == dict.fromkeys(range(1, 21), NUM_PROCESSES)
    assert sorted(model.version for model in registry.versions("socks")) == list(range(1, 21))
