"""The answer to an epoch's report: the others are read where a rung was passed, and only there."""

import dataclasses
import time
from collections.abc import Callable

import pytest

from pipelines.governor import Governor
from pipelines.search import Assignment, LedgerOracle
from pipelines.stopping import ETA, FIRST_RUNG
from pipelines.trial import Workbench
from records.config import RunConfig
from records.trial import EpochReport, Lease, Proposal, Run, Trial, TrialResult, Verdict
from store.database import open_database
from store.home import Home
from store.leases import Leases
from store.ledger import Ledger


class CountingLedger(Ledger):
    """Tells how often it was asked for trials."""

    asked = 0

    def trials(self, run_id: str) -> list[Trial]:
        self.asked += 1
        return super().trials(run_id)


def epoch(number: int, score: float, seconds: float) -> EpochReport:
    return EpochReport(epoch=number, score=score, train_loss=1.0, val_loss=1.0, seconds=seconds)


def result(score: float) -> TrialResult:
    fields = {"best_step": 1, "steps": 1, "planned_steps": 1, "steps_per_epoch": 1, "num_parameters": 1}
    times = {"seconds": 1.0, "train_seconds": 1.0, "predict_seconds": 0.1, "peak_memory_bytes": 1}
    return TrialResult(score=score, **fields, **times)  # type: ignore[arg-type]


@pytest.fixture
def ask(bench: Workbench, run_record: Run, home: Home) -> Callable[..., tuple[LedgerOracle, CountingLedger, Lease]]:
    """An oracle in a run with four trials that had 0.8 after 20 s, and the lease of a fifth."""

    def make(stop: bool = False) -> tuple[LedgerOracle, CountingLedger, Lease]:
        engine = open_database(home)
        ledger, leases = CountingLedger(engine), Leases(engine)
        now = time.monotonic()
        assignment = Assignment(
            run_id=run_record.id,
            worker="worker",
            config=RunConfig(data="tiny"),
            governor=Governor(started=now, deadline=now + 600),
            folder=home.run_folder(run_record.id),
            stop_requested=lambda: stop,
        )
        oracle = LedgerOracle(assignment, bench, ledger, leases)
        lease = None
        for number in range(6):
            proposal = Proposal(space="cnn", values={"cnn/dropout_rate": number / 10}, seed=0, max_seconds=90.0)
            leased = leases.lease(run_record.id, "worker", lambda so_far, proposal=proposal: proposal)  # type: ignore[misc]
            assert leased is not None
            lease = leased[1]
            if number < 5:
                leases.record_epoch(lease, epoch(1, 0.5, 5.0))
                leases.record_epoch(lease, epoch(2, 0.8, FIRST_RUNG + 5))
                leases.complete(lease, result(0.8))
        assert lease is not None
        ledger.asked = 0
        return oracle, ledger, lease

    return make


def test_the_others_are_read_at_rungs_alone(ask: Callable) -> None:  # type: ignore[type-arg]
    oracle, ledger, lease = ask()
    for number in range(1, 15):
        assert oracle.verdict(lease, epoch(number, 0.1, float(number))) is Verdict.CONTINUE
    assert ledger.asked == 0
    for number in range(15, 40):
        assert oracle.verdict(lease, epoch(number, 0.9, float(number))) is Verdict.CONTINUE
    assert ledger.asked == 1
    assert oracle.verdict(lease, epoch(40, 0.9, FIRST_RUNG * ETA)) is Verdict.CONTINUE
    assert ledger.asked == 2


def test_a_trial_behind_is_ended_at_its_rung(ask: Callable) -> None:  # type: ignore[type-arg]
    oracle, _, lease = ask()
    assert oracle.verdict(lease, epoch(2, 0.1, FIRST_RUNG - 1)) is Verdict.CONTINUE
    assert oracle.verdict(lease, epoch(3, 0.7, FIRST_RUNG + 6)) is Verdict.PRUNE


def test_a_floor_is_never_behind(ask: Callable) -> None:  # type: ignore[type-arg]
    oracle, _, lease = ask()
    floor = dataclasses.replace(lease, number=0)
    assert oracle.verdict(floor, epoch(3, 0.1, FIRST_RUNG + 6)) is Verdict.CONTINUE


def test_who_asks_to_stop_is_heard_first(ask: Callable) -> None:  # type: ignore[type-arg]
    oracle, ledger, lease = ask(stop=True)
    assert oracle.verdict(lease, epoch(3, 0.1, FIRST_RUNG + 6)) is Verdict.STOP
    assert ledger.asked == 0
