"""The last fit: the best trial's configuration once more, on training and validation examples together."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from pipelines.batches import steps_per_epoch
from pipelines.metrics import score
from pipelines.train import NotFinite, Schedule, predict, train
from pipelines.trial import Plan, Workbench, load_validation, load_weights, plan
from records.candidate import Candidate
from records.data import Split
from records.task import Direction, Task
from records.trial import Trial, TrialResult, Verdict
from search_spaces.floor import FLOOR

WORST_LOSS = 0.02
"""Part of the objective. A refit that knows its validation examples by heart less well than the trial that never saw
them has gone wrong."""


def from_trial(trial: Trial, bench: Workbench, run_folder: Path, note: str = "") -> Candidate:
    """The candidate with the trial's own best weights, which costs next to nothing."""
    began = time.perf_counter()
    planned = plan(bench, trial.space, trial.values, trial.seed, batch_divisor=trial.batch_divisor)
    load_weights(trial_folder(run_folder, trial), planned.model)
    return _candidate(trial, bench, planned, run_folder, refitted=False, began=began, note=note)


def refit(trial: Trial, bench: Workbench, run_folder: Path, max_seconds: float) -> Candidate:
    """Fits a trial's configuration on everything but the test split, for as many epochs as were best for the trial.

    The trial's own weights are kept where that cannot be done in time, diverges, or ends worse on the examples that
    the trial was chosen by.

    Args:
        trial: A completed one.
        bench: Data, task and spaces.
        run_folder: Where the trial's weights lie.
        max_seconds: Wall clock for the fit.
    """
    if trial.space == FLOOR.name:
        return from_trial(trial, bench, run_folder, "The floor is kept as the search trained it.")
    if trial.result is None or max_seconds < 1.0:
        return from_trial(trial, bench, run_folder, "There was no time for a fit on all examples.")
    began = time.perf_counter()
    planned = plan(bench, trial.space, trial.values, trial.seed, batch_divisor=trial.batch_divisor)
    data = planned.data.with_validation_in_training()
    schedule = scaled_schedule(trial.result, steps_per_epoch(len(data.train_rows), planned.recipe.batch_size))
    try:
        history = train(
            planned.model, planned.recipe, data, bench.task, lambda _: Verdict.CONTINUE, max_seconds, schedule
        )
    except NotFinite as error:
        return from_trial(trial, bench, run_folder, f"The fit on all examples diverged: {error}")
    if history.steps < schedule.stop_after:
        return from_trial(trial, bench, run_folder, "The fit on all examples did not end in time.")
    if _lost(planned, bench.task, load_validation(trial_folder(run_folder, trial))):
        return from_trial(trial, bench, run_folder, "The fit on all examples ended worse than the trial.")
    return _candidate(trial, bench, planned, run_folder, refitted=True, began=began, note="")


def scaled_schedule(result: TrialResult, new_steps_per_epoch: int) -> Schedule:
    """The trial's schedule in epochs, laid out over more steps an epoch."""
    factor = new_steps_per_epoch / max(1, result.steps_per_epoch)
    planned = max(1, round(result.planned_steps * factor))
    return Schedule(planned_steps=planned, stop_after=min(planned, max(1, round(result.best_step * factor))))


def _candidate(
    trial: Trial, bench: Workbench, planned: Plan, run_folder: Path, *, refitted: bool, began: float, note: str
) -> Candidate:
    rows = bench.prepared.indices[Split.VALIDATION]
    return Candidate(
        model=planned.network(trial.space),
        trial=trial,
        refitted=refitted,
        seconds=time.perf_counter() - began,
        validation_predictions=load_validation(trial_folder(run_folder, trial)),
        validation_targets=np.asarray(bench.prepared.targets)[rows],
        note=note,
    )


def _lost(planned: Plan, task: Task, before: np.ndarray) -> bool:
    """Whether the objective on the validation examples is worse than that of the trial, which never saw them."""
    truth = planned.data.validation_truth
    old = score(task, truth, before)[task.objective]
    new = score(task, truth, predict(planned.model, planned.data))[task.objective]
    loss = old - new if task.direction is Direction.MAX else new - old
    return loss > WORST_LOSS * max(abs(old), abs(new))


def trial_folder(run_folder: Path, trial: Trial) -> Path:
    """Where a trial keeps its weights and predictions."""
    return run_folder / "trials" / f"{trial.number:04d}"
