"""Processes that own a run, what is done to them and to their rows, and what a trial gave."""

import os
import signal
import subprocess
from collections.abc import Callable

from sqlalchemy import Engine, update

from records.trial import TrialResult
from store import schema
from store.database import locked

RESULT = TrialResult(
    score=0.8125,
    best_step=30,
    steps=50,
    planned_steps=60,
    steps_per_epoch=10,
    seconds=4.5,
    train_seconds=3.25,
    predict_seconds=0.001,
    num_parameters=94_000,
    peak_memory_bytes=600_000_000,
    metrics={"accuracy": 0.8125, "log_loss": 0.1 + 0.2},
)
"""What a trial gave."""

Own = Callable[[str], "subprocess.Popen[str]"]

OWN_A_RUN = """
import sys
from records.trial import Proposal, Run, RunState
from store.database import open_database
from store.home import open_home
from store.leases import Leases
from store.ledger import Ledger
engine = open_database(open_home())
ledger = Ledger(engine)
fields = {"name": "n", "config": {}, "task": "t", "objective": "o", "started_at": "2026-01-02T03:04:05+00:00"}
ledger.start_run(Run(id=sys.argv[1], state=RunState.RUNNING, **fields))
Leases(engine).lease(sys.argv[1], "w", lambda trials: Proposal(space="cnn", values={}, seed=0, max_seconds=1.0))
print("started", flush=True)
for line in sys.stdin:
    print(ledger.beat(sys.argv[1], 33.0), flush=True)
"""


def beat(process: "subprocess.Popen[str]") -> bool:
    """Lets the process say that it lives; what the ledger answered."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline() == "True\n"


def kill(process: "subprocess.Popen[str]") -> None:
    """A zombie is dead too: nobody waits for it."""
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def change(engine: Engine, run_id: str, **fields: object) -> None:
    with locked(engine) as connection:
        connection.execute(update(schema.runs).where(schema.runs.c.id == run_id).values(**fields))
