"""The one reading of the test split."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from pipelines.bootstrap import NUM_RESAMPLES, Measured, bootstrap, figure, measure, num_clusters
from pipelines.decisions import choose_decision
from pipelines.measuring.baselines import baseline
from pipelines.measuring.promises import measured_coverage
from pipelines.measuring.truth import Answered, truth_of, unweighed
from pipelines.measuring.worst import worst_first
from pipelines.steps import predict_batch
from records.candidate import Candidate
from records.data import InputKind, Prepared, Split
from records.evaluation import ClassFigures, Comparison, Evaluation, Figure
from records.task import MOST_LIKELY, Decision, Direction, TargetKind, Task
from serving.honesty.conformal import Scores

BATCH_SIZE = 64
ROWS_BATCH_SIZE = 1024
"""Of tables, whose examples are small."""
NUM_WORST = 10
FEWEST_CLUSTERS = 6
"""Below, not even the same difference in each of them would be certain: 2 / 2^5 is more than 5 % (sign test)."""


@dataclass(frozen=True, kw_only=True)
class TestReading:
    """What was seen: kept so that nothing needs to read the split again."""

    evaluation: Evaluation
    rows: np.ndarray
    """`<int64>[test]`: rows of the prepared arrays."""
    answered: Answered
    """The truth of these rows, and the candidate's predictions."""

    @property
    def targets(self) -> np.ndarray:
        """Of `rows`, as `Prepared.targets` has them."""
        return self.answered.truth.targets

    @property
    def predictions(self) -> np.ndarray:
        """`<float32>[test, ...]`, as `pipelines.metrics` describes them."""
        return self.answered.predictions


def evaluate(
    candidate: Candidate,
    floor: Candidate | None,
    prepared: Prepared,
    task: Task,
    seed: int,
    decision: Decision = MOST_LIKELY,
    scores: Scores | None = None,
) -> TestReading:
    """Figures with 95 % percentile bootstrap intervals, and paired comparisons with the floor and with no model at all.

    Args:
        candidate: The winner.
        floor: The trained baseline; may be the same as `candidate`, or `None` where its trial failed.
        prepared: The dataset; its test split is read here and nowhere else.
        task: Gives metrics and objective.
        seed: Of the resamples.
        decision: How the candidate's probabilities become answers. The floor's own is made in the same way.
        scores: What sets and intervals are found by; `None`: there are none.
    """
    rows = np.asarray(prepared.indices[Split.TEST])
    ours = Answered(truth_of(prepared, rows, decision), predict_rows(candidate.model, prepared, rows))
    others = _baselines(floor, prepared, task, rows, decision)
    sampled, *others_sampled = bootstrap(task, [ours, *others.values()], seed)
    plain, clusters = measure(task, unweighed(ours)), num_clusters(ours.truth)
    evaluation = Evaluation(
        num_examples=len(rows),
        objective=task.objective,
        metrics={name: figure(value[0], sampled.metrics[name]) for name, value in plain.metrics.items()},
        per_class=_per_class(prepared.spec.labels, ours, plain, sampled),
        comparisons=tuple(
            _compare(task, name, (plain, sampled), (measure(task, unweighed(theirs)), theirs_sampled), clusters)
            for (name, theirs), theirs_sampled in zip(others.items(), others_sampled, strict=True)
        ),
        confusion=_confusion(task, ours),
        calibration_error=_calibration(plain, sampled),
        conformal=measured_coverage(task, ours, scores),
        intervals=_intervals(clusters),
        num_clusters=clusters,
        per_step=_per_step(plain, sampled),
        worst=tuple(prepared.ids[row] for row in rows[worst_first(task, ours)[:NUM_WORST]]),
    )
    return TestReading(evaluation=evaluation, rows=rows, answered=ours)


def predict_rows(model: keras.Model, prepared: Prepared, rows: np.ndarray) -> np.ndarray:
    """`<float32>[rows, ...]`: what `model` predicts, as `pipelines.metrics` describes it."""
    size = ROWS_BATCH_SIZE if prepared.spec.kind is InputKind.TABLE else BATCH_SIZE
    return np.concatenate(
        [
            predict_batch(model, prepared.inputs[rows[start : start + size]], min(size, len(rows)))
            for start in range(0, len(rows), size)
        ]
    )


def _baselines(
    floor: Candidate | None, prepared: Prepared, task: Task, rows: np.ndarray, decision: Decision
) -> dict[str, Answered]:
    """What the candidate is compared with, by name. Where the floor says what the baseline says, it stands for both."""
    name, predictions = baseline(task, prepared, rows)
    # the baseline answers the most frequent class, whatever the threshold
    unmoved = decision if decision.costs is not None else MOST_LIKELY
    naive = {name: Answered(truth_of(prepared, rows, unmoved), predictions)}
    if floor is None:
        return naive
    if decision.costs is None:
        decision = choose_decision(task, np.asarray(floor.validation_targets), np.asarray(floor.validation_predictions))
    answered = Answered(truth_of(prepared, rows, decision), predict_rows(floor.model, prepared, rows))
    same = task.target is TargetKind.FUTURE and np.allclose(answered.points, naive[name].points, rtol=1e-3, atol=1e-6)
    return {"floor": answered} | ({} if same else naive)


def _compare(
    task: Task, name: str, ours: tuple[Measured, Measured], theirs: tuple[Measured, Measured], clusters: int | None
) -> Comparison:
    """Ours against theirs on the same resamples; each a pair of plain figures and those of the resamples."""
    sign = 1.0 if task.direction is Direction.MAX else -1.0
    plain, sampled = (
        sign * (mine.metrics[task.objective] - other.metrics[task.objective])
        for mine, other in zip(ours, theirs, strict=True)
    )
    difference = figure(plain[0], sampled)
    enough = clusters is None or clusters >= FEWEST_CLUSTERS
    return Comparison(
        baseline=name,
        metric=task.objective,
        baseline_value=float(theirs[0].metrics[task.objective][0]),
        difference=difference,
        better=enough and difference.low > 0,
    )


def _per_class(labels: tuple[str, ...], ours: Answered, plain: Measured, sampled: Measured) -> tuple[ClassFigures, ...]:
    support = np.bincount(ours.truth.targets, minlength=len(labels)) if labels else ()
    return tuple(
        ClassFigures(
            label=label,
            support=int(support[i]),
            **{name: figure(values[0, i], sampled.per_class[name][:, i]) for name, values in plain.per_class.items()},
        )
        for i, label in enumerate(labels)
    )


def _confusion(task: Task, ours: Answered) -> tuple[tuple[int, ...], ...]:
    if task.target is not TargetKind.CLASS:
        return ()
    return tuple(tuple(int(cell) for cell in row) for row in unweighed(ours).matrices[0])


def _calibration(plain: Measured, sampled: Measured) -> Figure | None:
    if plain.calibration_error is None or sampled.calibration_error is None:
        return None
    return figure(plain.calibration_error[0], sampled.calibration_error)


def _per_step(plain: Measured, sampled: Measured) -> tuple[Figure, ...]:
    if plain.per_step is None or sampled.per_step is None:
        return ()
    return tuple(figure(value, draws) for value, draws in zip(plain.per_step[0], sampled.per_step.T, strict=True))


def _intervals(clusters: int | None) -> str:
    drawn = "the test examples" if clusters is None else f"{clusters} groups of test examples"
    return f"95 % percentile bootstrap, {NUM_RESAMPLES} resamples of {drawn}"
