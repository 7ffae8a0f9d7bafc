"""A made-up search in which everything that can happen to a trial has happened once."""

from dataclasses import replace
from typing import Any

from records.trial import EpochReport, Lease, Trial, TrialResult, TrialState

WHY = "portfolio: On photographs a linear head is strong within seconds."


def trial(number: int, space: str, state: TrialState, score: float | None = None, **fields: Any) -> Trial:
    """One with as many epochs as its number says, at 2 s each; 60 of 120 steps where it was pruned."""
    epochs = tuple(
        EpochReport(epoch=i + 1, score=0.1 * (i + 1), train_loss=1.0, val_loss=1.0, seconds=2.0 * (i + 1))
        for i in range(number)
    )
    result = TrialResult(
        score=score or 0.0,
        best_step=10,
        steps=60 if state is TrialState.PRUNED else 120,
        planned_steps=120,
        steps_per_epoch=10,
        seconds=31.0,
        train_seconds=30.0,
        predict_seconds=0.001,
        num_parameters=1000,
        peak_memory_bytes=1,
        pruned=state is TrialState.PRUNED,
    )
    values = {} if space == "floor" else {f"{space}/filters": 32}
    made = Trial(run_id="r", number=number, space=space, values=values, state=state, seed=0, score=score, epochs=epochs)
    return replace(made, result=None if score is None else result, **fields)


def trials() -> list[Trial]:
    """Of 8: 4 done, one of them stopped early, 2 running, 1 waiting, 1 failed."""
    done, again = TrialState.COMPLETED, trial(3, "cnn", TrialState.COMPLETED, 0.7)
    assert again.result is not None
    resumed = replace(again.result, graph_reused=True, resumed_at_step=1200)
    return [
        trial(0, "floor", done, 0.6, origin="floor"),
        trial(1, "frozen_backbone", done, 0.9, origin=WHY, batch_divisor=2),
        trial(2, "cnn", TrialState.PRUNED, 0.8, origin="tpe"),
        replace(again, origin="tpe", attempt=2, result=resumed),
        trial(4, "cnn", TrialState.FAILED, origin="tpe", error="The loss became nan.\nTraceback"),
        trial(5, "finetuned_backbone_of_a_long_name", TrialState.RUNNING, origin="tpe"),
        replace(trial(6, "cnn", TrialState.RUNNING, origin="tpe"), epochs=()),
        trial(7, "cnn", TrialState.WAITING, origin="warm start: 0.91 in run 3f2a."),
    ]


def leases() -> list[Lease]:
    return [Lease(run_id="r", number=number, worker="w", max_seconds=80.0, beat=0) for number in (5, 6)]
