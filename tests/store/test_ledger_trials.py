"""Trials: proposed one after the other, told of by epoch, and ended once."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from records.trial import EpochReport, Run, RunState, Trial, TrialResult, TrialState, Values
from store.ledger import Ledger

MakeRun = Callable[..., Run]

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


def propose(ledger: Ledger, run_id: str = "r1", **values: object) -> Trial:
    trial = ledger.propose(run_id, lambda trials: ("cnn", values, 7))
    assert trial is not None
    return trial


def report(epoch: int, score: float = 0.5, **fields: float) -> EpochReport:
    return EpochReport(epoch=epoch, score=score, **{"train_loss": 1.0, "val_loss": 2.0, "seconds": 3.0, **fields})


def test_propose_numbers_trials_and_shows_all_before(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    seen: list[list[Trial]] = []
    values: Values = {"cnn/filters": 32, "recipe/flip": True, "optimizer/learning_rate": 0.1 + 0.2, "head": "dense"}

    def decide(trials: list[Trial]) -> tuple[str, Values, int] | None:
        seen.append(trials)
        return ("cnn", values, 2**31 - 1) if len(trials) < 2 else None

    first = ledger.propose("r1", decide)
    assert first == Trial(run_id="r1", number=0, space="cnn", values=values, state=TrialState.RUNNING, seed=2**31 - 1)
    ledger.record_epoch("r1", 0, report(1))
    assert ledger.propose("r1", decide) == replace(first, number=1)
    assert ledger.propose("r1", decide) is None
    assert [len(trials) for trials in seen] == [0, 1, 2]
    assert seen[2] == ledger.trials("r1") == [replace(first, epochs=(report(1),)), replace(first, number=1)]


def test_a_decision_that_fails_leaves_no_trial(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())

    def fail(trials: list[Trial]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.propose("r1", fail)
    with pytest.raises(ValueError, match="`optimizer/learning_rate` must be a finite number. Received: nan"):
        propose(ledger, **{"optimizer/learning_rate": math.nan})
    assert ledger.trials("r1") == []


def test_an_ended_run_takes_no_more_trials(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    ledger.finish_run("r1", RunState.FAILED, error="out of time")
    with pytest.raises(ValueError, match="Run r1 is failed and takes no more trials"):
        propose(ledger)
    with pytest.raises(ValueError, match="There is no run 'r2' in the ledger"):
        propose(ledger, "r2")


def test_an_epoch_that_is_told_twice_is_one(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    propose(ledger)
    for epoch, score in ((2, 0.25), (1, 0.5), (2, 0.75)):
        ledger.record_epoch("r1", 0, report(epoch, score))
    assert ledger.trials("r1")[0].epochs == (report(1, 0.5), report(2, 0.75))


def test_losses_may_diverge_and_scores_may_not(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    propose(ledger)
    ledger.record_epoch("r1", 0, report(1, train_loss=math.nan, val_loss=math.inf))
    (epoch,) = ledger.trials("r1")[0].epochs
    assert math.isnan(epoch.train_loss) and epoch.val_loss == math.inf
    with pytest.raises(ValueError, match="`score` must be a finite number. Received: nan"):
        ledger.record_epoch("r1", 0, report(2, math.nan))
    with pytest.raises(ValueError, match="`score` must be a finite number. Received: -inf"):
        ledger.complete_trial("r1", 0, replace(RESULT, score=-math.inf))
    with pytest.raises(ValueError, match="`log_loss` must be a finite number. Received: nan"):
        ledger.complete_trial("r1", 0, replace(RESULT, metrics={"log_loss": np.float32("nan")}))
    assert ledger.trials("r1")[0].state is TrialState.RUNNING


def test_numpys_scalars_are_numbers(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    trial = ledger.propose("r1", lambda trials: ("cnn", {"n": np.int64(3), "f": np.bool_(True)}, np.int64(7)))  # type: ignore[return-value,arg-type]
    assert trial is not None and trial.values == {"n": 3, "f": True}
    ledger.record_epoch("r1", 0, report(1, np.float32(0.5), train_loss=np.float32(0.25)))  # type: ignore[arg-type]
    ledger.complete_trial("r1", 0, replace(RESULT, score=np.float32(0.5), metrics={"accuracy": np.float32(0.5)}))  # type: ignore[arg-type]
    (stored,) = ledger.trials("r1")
    assert stored.epochs == (report(1, 0.5, train_loss=0.25),)
    assert stored.result == replace(RESULT, score=0.5, metrics={"accuracy": 0.5})


def test_a_finished_trial_never_changes_again(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    propose(ledger)
    propose(ledger)
    ledger.record_epoch("r1", 0, report(1))
    ledger.complete_trial("r1", 0, RESULT)
    ledger.fail_trial("r1", 1, "out of memory")
    done, failed = before = ledger.trials("r1")
    assert (done.state, done.score, done.result) == (TrialState.COMPLETED, 0.8125, RESULT)
    assert (failed.state, failed.score, failed.error) == (TrialState.FAILED, None, "out of memory")
    for number, state in ((0, "completed"), (1, "failed")):
        for change in (
            lambda n=number: ledger.record_epoch("r1", n, report(1, 0.1)),
            lambda n=number: ledger.complete_trial("r1", n, replace(RESULT, score=0.1)),
            lambda n=number: ledger.fail_trial("r1", n, "late"),
        ):
            with pytest.raises(ValueError, match=f"Trial {number} of run r1 is {state} and does not change any more"):
                change()
    assert ledger.fail_running("r1", "late") == 0
    assert ledger.trials("r1") == before
    with pytest.raises(ValueError, match="There is no trial 2 of run 'r1' in the ledger"):
        ledger.fail_trial("r1", 2, "?")


def test_fail_running_ends_what_runs_in_this_run_only(ledger: Ledger, make_run: MakeRun) -> None:
    for run_id in ("r1", "r2"):
        ledger.start_run(make_run(run_id))
        propose(ledger, run_id)
    ledger.complete_trial("r1", 0, RESULT)
    propose(ledger)
    assert ledger.fail_running("r1", "interrupted") == 1
    assert [trial.state for trial in ledger.trials("r1")] == [TrialState.COMPLETED, TrialState.FAILED]
    assert [trial.state for trial in ledger.trials("r2")] == [TrialState.RUNNING]
