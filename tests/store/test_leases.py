"""Trials: decided one after the other, leased to one worker each, told of by epoch, and ended once."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from records.trial import EpochReport, Lease, Proposal, Run, RunState, Trial, TrialResult, TrialState, Values
from store.leases import LeaseLost, Leases
from store.ledger import Ledger

MakeRun = Callable[..., Run]
Report = Callable[..., EpochReport]
Take = Callable[..., tuple[Trial, Lease]]


@pytest.fixture(autouse=True)
def _run(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())


def test_lease_numbers_trials_and_shows_all_before(ledger: Ledger, leases: Leases, report: Report) -> None:
    seen: list[list[Trial]] = []
    values: Values = {"cnn/filters": 32, "recipe/flip": True, "optimizer/learning_rate": 0.1 + 0.2, "head": "dense"}

    def decide(trials: list[Trial]) -> Proposal | None:
        seen.append(trials)
        new = Proposal(space="cnn", values=values, seed=2**31 - 1, max_seconds=9.5, origin="tpe")
        return new if len(trials) < 2 else None

    leased = leases.lease("r1", "w1", decide)
    assert leased is not None
    first = Trial(
        run_id="r1", number=0, space="cnn", values=values, state=TrialState.RUNNING, seed=2**31 - 1, origin="tpe"
    )
    assert leased == (first, Lease(run_id="r1", number=0, worker="w1", max_seconds=9.5, beat=0))
    leases.record_epoch(leased[1], report(1))
    second = leases.lease("r1", "w2", decide)
    assert second == (replace(first, number=1), replace(leased[1], number=1, worker="w2"))
    assert leases.lease("r1", "w3", decide) is None
    assert [len(trials) for trials in seen] == [0, 1, 2]
    assert seen[2] == ledger.trials("r1") == [replace(first, epochs=(report(1),)), replace(first, number=1)]
    assert leases.held("r1") == [leased[1], second[1]]


def test_a_decision_that_fails_leaves_no_trial(ledger: Ledger, leases: Leases) -> None:
    def fail(trials: list[Trial]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leases.lease("r1", "w1", fail)
    nan = Proposal(space="cnn", values={"optimizer/learning_rate": math.nan}, seed=1, max_seconds=1.0)
    with pytest.raises(ValueError, match="`optimizer/learning_rate` must be a finite number. Received: nan"):
        leases.lease("r1", "w1", lambda trials: nan)
    assert (ledger.trials("r1"), leases.held("r1")) == ([], [])


def test_an_ended_run_takes_no_more_trials(ledger: Ledger, take: Take) -> None:
    ledger.finish_run("r1", RunState.FAILED, error="out of time")
    with pytest.raises(LeaseLost, match="Run r1 is failed and takes no more trials"):
        take()
    with pytest.raises(ValueError, match="There is no run 'r2' in the ledger"):
        take("r2")


def test_only_a_waiting_trial_is_given_again(ledger: Ledger, leases: Leases, take: Take, result: TrialResult) -> None:
    _, lease = take()
    for state in ("running", "completed"):
        with pytest.raises(ValueError, match=f"Trial 0 of run r1 must be waiting. Received: {state}"):
            take(worker="w2", again=0)
        if state == "running":
            leases.complete(lease, result)
    with pytest.raises(ValueError, match="There is no trial 7 of run 'r1' in the ledger"):
        take(again=7)
    assert [trial.state for trial in ledger.trials("r1")] == [TrialState.COMPLETED]


def test_epochs_are_told_anew_after_a_checkpoint(ledger: Ledger, leases: Leases, take: Take, report: Report) -> None:
    _, lease = take()
    for epoch in (1, 2, 3, 4):
        leases.record_epoch(lease, report(epoch, 0.1 * epoch))
    leases.release("r1", "w1", "It died.", counts=True)
    _, again = take(worker="w2", again=0)
    leases.record_epoch(again, report(3, 0.75))
    assert ledger.trials("r1")[0].epochs == (report(1, 0.1), report(2, 0.2), report(3, 0.75))
    leases.record_epoch(again, report(3, 0.8))
    assert ledger.trials("r1")[0].epochs == (report(1, 0.1), report(2, 0.2), report(3, 0.8))


def test_losses_may_diverge_and_scores_may_not(
    ledger: Ledger, leases: Leases, take: Take, report: Report, result: TrialResult
) -> None:
    _, lease = take()
    leases.record_epoch(lease, report(1, train_loss=math.nan, val_loss=math.inf))
    (epoch,) = ledger.trials("r1")[0].epochs
    assert math.isnan(epoch.train_loss) and epoch.val_loss == math.inf
    with pytest.raises(ValueError, match="`score` must be a finite number. Received: nan"):
        leases.record_epoch(lease, report(2, math.nan))
    with pytest.raises(ValueError, match="`score` must be a finite number. Received: -inf"):
        leases.complete(lease, replace(result, score=-math.inf))
    with pytest.raises(ValueError, match="`log_loss` must be a finite number. Received: nan"):
        leases.complete(lease, replace(result, metrics={"log_loss": np.float32("nan")}))
    assert ledger.trials("r1")[0].state is TrialState.RUNNING


def test_numpys_scalars_are_numbers(ledger: Ledger, leases: Leases, report: Report, result: TrialResult) -> None:
    values = {"n": np.int64(3), "f": np.bool_(True)}
    seed, seconds = np.int64(7), np.float32(2.5)
    proposal = Proposal(space="cnn", values=values, seed=seed, max_seconds=seconds)  # type: ignore[arg-type]
    leased = leases.lease("r1", "w1", lambda trials: proposal)
    assert leased is not None and leased[0].values == {"n": 3, "f": True} and leases.held("r1")[0].max_seconds == 2.5
    leases.record_epoch(leased[1], report(np.int64(1), np.float32(0.5), train_loss=np.float32(0.25)))
    leases.complete(leased[1], replace(result, score=np.float32(0.5), metrics={"accuracy": np.float32(0.5)}))  # type: ignore[arg-type]
    (stored,) = ledger.trials("r1")
    assert stored.epochs == (report(1, 0.5, train_loss=0.25),)
    assert stored.result == replace(result, score=0.5, metrics={"accuracy": 0.5})


def test_a_finished_trial_never_changes_again(
    ledger: Ledger, leases: Leases, take: Take, report: Report, result: TrialResult
) -> None:
    held = [take()[1] for _ in range(3)]
    leases.record_epoch(held[0], report(1))
    leases.complete(held[0], result)
    leases.complete(held[1], replace(result, pruned=True))
    assert leases.fail("r1", 2, "out of memory")
    done, pruned, failed = before = ledger.trials("r1")
    assert (done.state, done.score, done.result, done.epochs) == (TrialState.COMPLETED, 0.8125, result, (report(1),))
    assert (pruned.state, pruned.scored) == (TrialState.PRUNED, True)
    assert (failed.state, failed.score, failed.error) == (TrialState.FAILED, None, "out of memory")
    for lease in held:
        changes: list[Callable[[], object]] = [
            lambda lease=lease: leases.record_epoch(lease, report(1, 0.1)),
            lambda lease=lease: leases.complete(lease, replace(result, score=0.1)),
            lambda lease=lease: leases.halve_batch(lease),
        ]
        for change in changes:
            with pytest.raises(LeaseLost, match=f"Trial {lease.number} of run r1 is not leased to w1 any more"):
                change()
        assert not leases.fail("r1", lease.number, "late")
    assert leases.release("r1", "w1", "gone", counts=True) == []
    assert leases.close("r1", "late") == 0
    assert ledger.trials("r1") == Ledger(ledger._engine).trials("r1") == before
    assert leases.held("r1") == []
    with pytest.raises(ValueError, match="There is no trial 3 of run 'r1' in the ledger"):
        leases.fail("r1", 3, "?")


def test_a_death_counts_once_and_the_second_ends_the_trial(ledger: Ledger, leases: Leases, take: Take) -> None:
    take()
    assert leases.release("r1", "w1", "The worker was killed.", counts=True) == [0]
    (trial,) = ledger.trials("r1")
    assert (trial.state, trial.attempt, trial.error, leases.held("r1")) == (TrialState.WAITING, 2, None, [])
    take(worker="w2", again=0)
    assert leases.release("r1", "w2", "The worker was killed.", counts=True) == [0]
    (trial,) = ledger.trials("r1")
    assert (trial.state, trial.error) == (
        TrialState.FAILED,
        "The worker was killed. It is not tried again: 2 workers ended with it.",
    )


def test_an_end_that_says_nothing_about_the_trial_does_not_count(ledger: Ledger, leases: Leases, take: Take) -> None:
    take()
    for worker in ("w1", "w2", "w3"):
        assert leases.release("r1", worker, "Ended with its supervisor.", counts=False) == [0]
        (trial,) = ledger.trials("r1")
        assert (trial.state, trial.attempt) == (TrialState.WAITING, 1)
        take(worker=f"w{int(worker[1]) + 1}", again=0)


def test_release_takes_back_what_this_worker_of_this_run_held(
    ledger: Ledger, leases: Leases, take: Take, make_run: MakeRun
) -> None:
    ledger.start_run(make_run("r2"))
    take("r1", "w1"), take("r1", "w2"), take("r2", "w1")
    assert leases.release("r1", "w1", "gone", counts=True) == [0]
    assert leases.release("r1", "w1", "gone", counts=True) == []
    assert [lease.worker for run_id in ("r1", "r2") for lease in leases.held(run_id)] == ["w2", "w1"]
    assert [trial.state.value for trial in ledger.trials("r1")] == ["waiting", "running"]


def test_a_worker_that_was_taken_for_dead_can_do_nothing_to_its_successor(
    ledger: Ledger, leases: Leases, take: Take, report: Report, result: TrialResult
) -> None:
    _, old = take()
    leases.release("r1", "w1", "It said nothing.", counts=True)
    _, new = take(worker="w2", again=0)
    assert new == Lease(run_id="r1", number=0, worker="w2", max_seconds=5.0, beat=0)
    late: list[Callable[[], object]] = [
        lambda: leases.record_epoch(old, report(1, 0.1)),
        lambda: leases.complete(old, result),
        lambda: leases.halve_batch(old),
        lambda: leases.fail("r1", 0, "late", lease=old),
    ]
    for change in late:
        with pytest.raises(LeaseLost):
            change()
    assert not leases.beat("r1", "w1")
    (trial,) = ledger.trials("r1")
    assert (trial.state, trial.epochs, trial.batch_divisor) == (TrialState.RUNNING, (), 1)
    leases.complete(new, result)


def test_a_beat_is_counted_for_each_lease_of_the_worker(leases: Leases, take: Take) -> None:
    take(), take(), take(worker="w2")
    assert leases.beat("r1", "w1") and leases.beat("r1", "w1")
    assert [lease.beat for lease in leases.held("r1")] == [2, 2, 0]
    assert not leases.beat("r1", "nobody") and not leases.beat("r2", "w1")


def test_half_the_batch_begins_the_trial_anew_under_the_same_lease(
    ledger: Ledger, leases: Leases, take: Take, report: Report, result: TrialResult
) -> None:
    _, lease = take()
    leases.record_epoch(lease, report(1))
    leases.halve_batch(lease)
    (trial,) = ledger.trials("r1")
    assert (trial.state, trial.batch_divisor, trial.epochs, trial.attempt) == (TrialState.RUNNING, 2, (), 1)
    leases.complete(lease, result)
    assert ledger.trials("r1")[0].batch_divisor == 2


def test_close_ends_what_waits_or_runs_in_this_run_only(
    ledger: Ledger, leases: Leases, take: Take, make_run: MakeRun, result: TrialResult
) -> None:
    ledger.start_run(make_run("r2"))
    leases.complete(take()[1], result)
    take(worker="gone"), take(), take("r2")
    leases.release("r1", "gone", "?", counts=False)
    assert leases.close("r1", "Its time was over.") == 2
    assert [(trial.state.value, trial.error) for trial in ledger.trials("r1")] == [
        ("completed", None),
        ("failed", "Its time was over."),
        ("failed", "Its time was over."),
    ]
    assert ([trial.state for trial in ledger.trials("r2")], len(leases.held("r2"))) == ([TrialState.RUNNING], 1)


@pytest.mark.parametrize("error", ["zero\0byte", "half \udc80 a pair", "Größe 漢字 \U0001f600"])
def test_any_text_can_be_the_reason(ledger: Ledger, leases: Leases, take: Take, error: str) -> None:
    take()
    assert leases.fail("r1", 0, error)
    assert ledger.trials("r1")[0].error == error.replace("\0", "?").replace("\udc80", "?")
