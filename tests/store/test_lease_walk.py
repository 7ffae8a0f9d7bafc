"""Whatever workers and supervisors do in whatever order, the rules of leases hold: held against a small model."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from records.trial import Again, EpochReport, Lease, Proposal, Run, Trial, TrialResult, TrialState
from store.leases import LeaseLost, Leases
from store.ledger import Ledger

NUM_STEPS = 250
WORKERS = ("w1", "w2", "w3")
WAITING, RUNNING = TrialState.WAITING, TrialState.RUNNING


@dataclass
class Model:
    """What must be in the ledger."""

    state: TrialState = RUNNING
    holder: str | None = None
    attempt: int = 1
    divisor: int = 1
    epochs: int = 0

    def end(self, state: TrialState) -> None:
        self.state, self.holder = state, None

    def released(self, counts: bool) -> None:
        if counts and self.attempt == 2:
            self.end(TrialState.FAILED)
        else:
            self.state, self.holder, self.attempt = WAITING, None, self.attempt + counts


def told(trial: Trial) -> Model:
    return Model(state=trial.state, attempt=trial.attempt, divisor=trial.batch_divisor, epochs=len(trial.epochs))


@pytest.mark.parametrize("seed", [0, 1])
def test_any_order_of_calls(
    ledger: Ledger, leases: Leases, make_run: Callable[..., Run], result: TrialResult, seed: int
) -> None:
    ledger.start_run(make_run())
    generator = random.Random(seed)
    model: list[Model] = []
    given: list[Lease] = []

    def take(worker: str) -> None:
        waiting = [number for number, one in enumerate(model) if one.state is WAITING]
        new = Proposal(space="cnn", values={}, seed=0, max_seconds=1.0)
        decision = Again(number=waiting[0], max_seconds=1.0) if waiting else new
        leased = leases.lease("r1", worker, lambda trials: decision)
        assert leased is not None and leased[0].number == (waiting[0] if waiting else len(model))
        if waiting:
            model[waiting[0]].state, model[waiting[0]].holder = RUNNING, worker
        else:
            model.append(Model(holder=worker))
        given.append(leased[1])

    def write(lease: Lease) -> None:
        """One of a worker's own calls, by one that may have lost its lease long ago."""
        one = model[lease.number]
        call = generator.choice(["epoch", "epoch", "complete", "halve", "fail"])
        if call == "fail" and one.state.finished:
            assert not leases.fail("r1", lease.number, "late", lease=lease)
            return
        calls: dict[str, Callable[[], object]] = {
            "epoch": lambda: leases.record_epoch(
                lease, EpochReport(epoch=one.epochs + 1, score=0.5, train_loss=1.0, val_loss=1.0, seconds=1.0)
            ),
            "complete": lambda: leases.complete(lease, result),
            "halve": lambda: leases.halve_batch(lease),
            "fail": lambda: leases.fail("r1", lease.number, "?", lease=lease),
        }
        if one.holder != lease.worker:
            with pytest.raises(LeaseLost):
                calls[call]()
            return
        calls[call]()
        if call == "epoch":
            one.epochs += 1
        elif call == "halve":
            one.divisor, one.epochs = one.divisor * 2, 0
        else:
            one.end(TrialState.COMPLETED if call == "complete" else TrialState.FAILED)

    def release(worker: str) -> None:
        counts = generator.random() < 0.5
        held = [number for number, one in enumerate(model) if one.holder == worker]
        assert sorted(leases.release("r1", worker, "gone", counts=counts)) == held
        for number in held:
            model[number].released(counts)

    for _ in range(NUM_STEPS):
        step = generator.choice(["take", "write", "write", "write", "release"])
        if step == "write" and given:
            write(generator.choice(given[-6:]))
        elif step == "release":
            release(generator.choice(WORKERS))
        else:
            take(generator.choice(WORKERS))
    trials = ledger.trials("r1")
    assert [trial.number for trial in trials] == list(range(len(model)))
    assert [told(trial) for trial in trials] == [replace(one, holder=None) for one in model]
    holders = {lease.number: lease.worker for lease in leases.held("r1")}
    assert holders == {number: one.holder for number, one in enumerate(model) if one.holder}
    assert len({one.state for one in model}) >= 3
    assert Ledger(ledger._engine).trials("r1") == trials
