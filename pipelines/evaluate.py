"""The one reading of the test split."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from pipelines import metrics
from pipelines.bootstrap import Sampled, bootstrap, figure
from records.candidate import Candidate
from records.data import Prepared, Split
from records.evaluation import ClassFigures, Comparison, Evaluation
from records.task import Direction, Task

BATCH_SIZE = 64
NUM_WORST = 10


@dataclass(frozen=True, kw_only=True)
class TestReading:
    """What was seen: kept so that nothing needs to read the split again."""

    evaluation: Evaluation
    rows: np.ndarray
    """Rows of the prepared arrays."""
    targets: np.ndarray
    probabilities: np.ndarray
    """`<float32>[test, classes]` of the candidate."""


def evaluate(candidate: Candidate, floor: Candidate | None, prepared: Prepared, task: Task, seed: int) -> TestReading:
    """Figures with 95 % percentile bootstrap intervals, and paired comparisons with the floor and the majority class.

    Args:
        candidate: The winner.
        floor: The trained linear baseline; may be the same as `candidate`, or `None` where its trial failed.
        prepared: The dataset; its test split is read here and nowhere else.
        task: Gives metrics and objective.
        seed: Of the resamples.
    """
    rows = np.asarray(prepared.indices[Split.TEST])
    targets = np.asarray(prepared.targets)[rows]
    probabilities = predict_rows(candidate.model, prepared, rows)
    baselines = {"floor": predict_rows(floor.model, prepared, rows)} if floor else {}
    baselines["majority"] = _majority(prepared, len(rows))
    sampled, *baselines_sampled = bootstrap(task, targets, [probabilities, *baselines.values()], seed)
    matrix = metrics.confusion_matrix(targets, probabilities.argmax(axis=1), prepared.spec.num_classes)
    evaluation = Evaluation(
        num_examples=len(rows),
        objective=task.objective,
        metrics={
            name: figure(value, sampled.metrics[name])
            for name, value in metrics.score(task, targets, probabilities).items()
        },
        per_class=_per_class(prepared.spec.labels, matrix, sampled),
        comparisons=tuple(
            _compare(task, name, targets, (probabilities, sampled), (baselines[name], theirs))
            for name, theirs in zip(baselines, baselines_sampled, strict=True)
        ),
        confusion=tuple(tuple(int(cell) for cell in row) for row in matrix),
        calibration_error=figure(metrics.calibration_error(targets, probabilities), sampled.calibration_error),
        worst=tuple(prepared.ids[row] for row in rows[_worst(targets, probabilities)]),
    )
    return TestReading(evaluation=evaluation, rows=rows, targets=targets, probabilities=probabilities)


def predict_rows(model: keras.Model, prepared: Prepared, rows: np.ndarray) -> np.ndarray:
    """`<float32>[rows, classes]`."""
    return np.concatenate(
        [
            np.asarray(model.predict_on_batch(prepared.inputs[rows[start : start + BATCH_SIZE]]))
            for start in range(0, len(rows), BATCH_SIZE)
        ]
    )


def _majority(prepared: Prepared, num_examples: int) -> np.ndarray:
    """The share of each class in the training split, for every example alike."""
    shares = np.asarray(prepared.spec.label_counts, np.float32) / prepared.spec.num_train
    return np.repeat(shares[None], num_examples, axis=0)


def _compare(
    task: Task,
    name: str,
    targets: np.ndarray,
    ours: tuple[np.ndarray, Sampled],
    theirs: tuple[np.ndarray, Sampled],
) -> Comparison:
    """Ours minus theirs on the same resamples; each a pair of probabilities and figures."""
    metric = metrics.METRIC_FUNCTIONS[task.objective]
    sign = 1.0 if task.direction is Direction.MAX else -1.0
    theirs_value = metric(targets, theirs[0])
    sampled = sign * (ours[1].metrics[task.objective] - theirs[1].metrics[task.objective])
    difference = figure(sign * (metric(targets, ours[0]) - theirs_value), sampled)
    return Comparison(
        baseline=name,
        metric=task.objective,
        baseline_value=theirs_value,
        difference=difference,
        better=difference.low > 0,
    )


def _per_class(labels: tuple[str, ...], matrix: np.ndarray, sampled: Sampled) -> tuple[ClassFigures, ...]:
    values = {f.__name__: f(matrix) for f in (metrics.precision, metrics.recall, metrics.f1)}
    return tuple(
        ClassFigures(
            label=label,
            support=int(matrix[i].sum()),
            **{name: figure(values[name][i], sampled.per_class[name][:, i]) for name in values},
        )
        for i, label in enumerate(labels)
    )


def _worst(targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Positions of the wrong answers, the most confident first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != targets)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:NUM_WORST]
