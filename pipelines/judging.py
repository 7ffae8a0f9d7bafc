"""Trains a trial and says what it is compared by: on its one split, or, where examples are few, on all folds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from pipelines.batches import TrainingData
from pipelines.checkpoint import Checkpoint, Keeper
from pipelines.folds import further_folds
from pipelines.graph import Graph
from pipelines.history import History, Progress
from pipelines.metrics import example_losses, score
from pipelines.train import Resumption, train
from records.task import Task
from records.trial import EpochReport, Recipe, Report, Verdict


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a trial is compared by."""

    metrics: dict[str, float]
    loss: float
    rows: np.ndarray
    """`<int64>[examples]`, of what was trained on: those that were predicted by a network that had not seen them."""
    predictions: np.ndarray
    """`<float32>[examples, ...]`, of `rows`."""
    pruned: bool
    """It was told to stop, since others are ahead."""


def train_and_judge(
    graph: Graph,
    recipe: Recipe,
    data: TrainingData,
    task: Task,
    report: Report,
    max_seconds: float,
    keeper: Keeper,
    start: Progress | None,
) -> tuple[History, Judged]:
    """Trains on the given split and leaves its best weights in the network; then on the other folds, if there are any.

    Args:
        graph: At the start of a training.
        recipe: How to train.
        data: What to train on.
        task: What is learnt.
        report: Hears of the given split's epochs. Unless it always says to go on, the other folds are left out.
        max_seconds: Wall clock for all of it.
        keeper: Keeps checkpoints; knows which folds are done.
        start: Where the training at hand stands.

    Raises:
        NotFinite: A training diverged.
    """
    verdict = Verdict.CONTINUE

    def watched(epoch: EpochReport) -> Verdict:
        nonlocal verdict
        verdict = report(epoch)
        return verdict

    trainings = [data, *further_folds(data, recipe.seed)]
    initial = graph.variables() if len(trainings) > 1 else []
    share = max_seconds / max(1, len(trainings) - keeper.finished.trainings_done)
    # one that goes on gets no more for each than it began with, so that it ends as it would have ended
    share = min(share, keeper.finished.training_seconds)
    keeper.finished = dataclasses.replace(keeper.finished, training_seconds=share)
    for number in range(keeper.finished.trainings_done, len(trainings)):
        if number > 0:
            if start is None:
                keeper.keep(None)
            graph.restart(initial)
        listener = watched if number == 0 else _carry_on
        resumption = Resumption(start=start, keep=keeper.keep)
        history = train(graph, recipe, trainings[number], task, listener, share, resumption=resumption)
        keeper.finished, start = _finished(keeper.finished, history, graph), None
        if verdict is not Verdict.CONTINUE:
            break
    done = keeper.finished
    assert done.first is not None
    graph.model.set_weights(done.first_weights)
    rows = np.concatenate([part.validation_rows for part in trainings[: done.trainings_done]])
    answers = np.concatenate([done.first.predictions, *done.predictions])
    truth = data.truth.of(rows)
    return done.first, Judged(
        metrics=score(task, truth, answers),
        loss=float(example_losses(task, truth, answers).mean()),
        rows=rows,
        predictions=answers,
        pruned=verdict is Verdict.PRUNE,
    )


def _carry_on(_: EpochReport) -> Verdict:
    return Verdict.CONTINUE


def _finished(so_far: Checkpoint, history: History, graph: Graph) -> Checkpoint:
    """With one more training."""
    if so_far.first is None:
        return dataclasses.replace(so_far, first=history, first_weights=tuple(graph.model.get_weights()))
    return dataclasses.replace(so_far, predictions=(*so_far.predictions, history.predictions))
