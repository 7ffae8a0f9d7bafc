"""The reading of the test split: complete for every task, and fair to what a model is compared with."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from pipelines.evaluate import evaluate
from pipelines.measuring.baselines import seasonal_naive
from records.candidate import Candidate
from records.data import DataSpec, InputKind, Prepared, Split
from records.spec import ForecastLayout
from records.task import Decision, get_task
from records.trial import Trial, TrialState
from serving.honesty.conformal import sort_scores

NUM_TEST = 60
LAYOUT = ForecastLayout(history=9, horizon=5, season=4, quantiles=(0.1, 0.5, 0.9), past=(), known=("hour",))


def said(predictions: np.ndarray, inputs: np.ndarray, validation: int = 20) -> Candidate:
    """A candidate that answers as is given: its model finds a row by the row's first element."""

    def predict_on_batch(batch: np.ndarray) -> np.ndarray:
        rows = [int(np.flatnonzero((inputs == one).reshape(len(inputs), -1).all(axis=1))[0]) for one in batch]
        return predictions[rows]

    return Candidate(
        model=SimpleNamespace(predict_on_batch=predict_on_batch),
        trial=Trial(run_id="r", number=0, space="floor", values={}, state=TrialState.COMPLETED, seed=0),
        refitted=False,
        seconds=0.0,
        validation_predictions=predictions[:validation],
        validation_targets=np.zeros(validation, np.int64),
    )


def prepared_of(folder: Path, inputs: np.ndarray, targets: np.ndarray, spec: DataSpec, **fields: Any) -> Prepared:
    test = np.arange(len(inputs) - NUM_TEST, len(inputs))
    return Prepared(
        fingerprint="f",
        folder=folder,
        spec=spec,
        codec={},
        inputs=inputs,
        targets=targets,
        ids=tuple(f"row {i}" for i in range(len(inputs))),
        indices={Split.TRAIN: np.arange(10), Split.VALIDATION: np.arange(10, 20), Split.TEST: test},
        **fields,
    )


@pytest.fixture
def spam(tmp_path: Path) -> tuple[Prepared, np.ndarray]:
    """Two classes, and probabilities that are far too low for the second."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(100, 3)).astype(np.float32)
    targets = (rng.random(100) < 0.4).astype(np.int64)
    spec = DataSpec(
        kind=InputKind.TABLE, input_shape=(3,), dtype="float32", labels=("ham", "spam"), label_counts=(6, 4)
    )
    probability = np.where(targets == 1, 0.3, 0.1) + rng.uniform(0, 0.1, 100)
    probability[-3] = 0.95 if targets[-3] == 0 else 0.01  # wrong, and sure of it
    return prepared_of(tmp_path, inputs, targets, spec), np.stack([1 - probability, probability], 1).astype(np.float32)


def test_classes_are_judged_by_the_decision(spam: tuple[Prepared, np.ndarray]) -> None:
    prepared, probabilities = spam
    task = get_task("classification", "f1_macro")
    candidate = said(probabilities, prepared.inputs)
    plain = evaluate(candidate, candidate, prepared, task, 0).evaluation
    moved = evaluate(candidate, candidate, prepared, task, 0, Decision(threshold=0.25)).evaluation
    assert moved.metrics["accuracy"].value == pytest.approx(59 / 60)
    assert moved.metrics["accuracy"].low <= moved.metrics["accuracy"].value <= moved.metrics["accuracy"].high
    assert plain.metrics["accuracy"].value < 0.8
    assert plain.metrics["roc_auc"] == moved.metrics["roc_auc"]
    assert np.trace(moved.confusion) == 59 and np.sum(moved.confusion) == 60
    assert [one.label for one in moved.per_class] == ["ham", "spam"]
    assert sum(one.support for one in moved.per_class) == 60
    assert moved.worst == ("row 97",)
    assert moved.calibration_error is not None and moved.num_clusters is None
    assert "of the test examples" in moved.intervals


def test_a_threshold_does_not_make_the_baseline_answer_the_rare_class(spam: tuple[Prepared, np.ndarray]) -> None:
    prepared, probabilities = spam
    candidate = said(probabilities, prepared.inputs)
    told = evaluate(candidate, candidate, prepared, get_task("classification"), 0, Decision(threshold=0.25)).evaluation
    by_name = {one.baseline: one for one in told.comparisons}
    truth = np.asarray(prepared.targets)[prepared.indices[Split.TEST]]
    assert by_name["majority"].baseline_value == pytest.approx(np.mean(truth == 0))
    assert by_name["floor"].difference.value > 0  # the floor has no threshold: it was not chosen for it


def test_the_coverage_of_sets_is_measured_with_a_binomial_interval(spam: tuple[Prepared, np.ndarray]) -> None:
    prepared, probabilities = spam
    candidate, task = said(probabilities, prepared.inputs), get_task("classification")
    assert evaluate(candidate, None, prepared, task, 0).evaluation.conformal is None
    few = sort_scores(np.linspace(0.0, 1.0, 8))
    assert evaluate(candidate, None, prepared, task, 0, scores=few).evaluation.conformal is None
    scores = sort_scores(np.full(30, 0.25))
    found = evaluate(candidate, None, prepared, task, 0, scores=scores).evaluation.conformal
    rows = prepared.indices[Split.TEST]
    given, truth = probabilities[rows], np.asarray(prepared.targets)[rows]
    held = sum(g[t] >= 0.75 or g.argmax() == t for g, t in zip(given, truth, strict=True))
    exact = binomtest(int(held), len(rows)).proportion_ci(0.95, method="wilson")
    assert found is not None and found.num_scores == 30 and found.asked == 0.9
    assert found.found.value == held / 60 and found.mean_size == 1.0
    assert (found.found.low, found.found.high) == pytest.approx((exact.low, exact.high), abs=1e-5)
    moved = evaluate(candidate, None, prepared, task, 0, Decision(threshold=0.25), scores).evaluation.conformal
    assert moved is not None and moved.mean_size > 1.0  # what is answered is in the set, whatever decided it


def test_costs_are_reported_beside_the_others(spam: tuple[Prepared, np.ndarray]) -> None:
    prepared, probabilities = spam
    costs = Decision(costs=((0.0, 1.0), (9.0, 0.0)))
    told = evaluate(said(probabilities, prepared.inputs), None, prepared, get_task("classification"), 0, costs)
    figure = told.evaluation.metrics["cost"]
    assert figure.low < figure.value < figure.high
    assert [one.baseline for one in told.evaluation.comparisons] == ["majority"]


def test_numbers_are_compared_with_the_mean(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(100, 3)).astype(np.float32)
    targets = (50 + inputs[:, 0]).astype(np.float32)
    spec = DataSpec(
        kind=InputKind.TABLE,
        input_shape=(3,),
        dtype="float32",
        task="regression",
        num_train=10,
        target_mean=50.0,
        target_std=1.0,
    )
    prepared = prepared_of(tmp_path, inputs, targets, spec, clusters=np.arange(100) // 4)
    predictions = (targets + 0.1 * rng.normal(size=100)).astype(np.float32)[:, None]
    predictions[93] = 90.0
    task = get_task("regression")
    floor = said(np.full((100, 1), 49.0, np.float32), inputs)
    reading = evaluate(said(predictions, inputs), floor, prepared, task, 0)
    told = reading.evaluation
    by_name = {one.baseline: one for one in told.comparisons}
    truth = targets[-NUM_TEST:]
    assert by_name["mean"].baseline_value == pytest.approx(np.sqrt(np.mean((truth - 50) ** 2)), rel=1e-5)
    assert by_name["floor"].baseline_value == pytest.approx(np.sqrt(np.mean((truth - 49) ** 2)), rel=1e-5)
    assert told.metrics.keys() == {"rmse", "mae", "r2"}
    assert told.worst[0] == "row 93"
    assert told.num_clusters == 15 and "15 groups" in told.intervals
    assert (told.per_class, told.confusion, told.calibration_error, told.per_step) == ((), (), None, ())
    assert reading.predictions.shape == (NUM_TEST, 1) and reading.targets.shape == (NUM_TEST,)


def test_few_groups_do_not_make_a_winner(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(100, 3)).astype(np.float32)
    targets = inputs[:, 0]
    spec = DataSpec(kind=InputKind.TABLE, input_shape=(3,), dtype="float32", task="regression", num_train=10)
    for num_groups, better in ((5, False), (6, True)):
        prepared = prepared_of(tmp_path, inputs, targets, spec, clusters=np.arange(100) % num_groups)
        told = evaluate(said(targets[:, None], inputs), None, prepared, get_task("regression"), 0).evaluation
        assert told.comparisons[0].difference.low > 0
        assert told.comparisons[0].better is better


def windows(rng: np.random.Generator, count: int) -> np.ndarray:
    inputs = np.zeros((count, 14, 5), np.float32)
    inputs[:, :9, 0] = rng.normal(size=(count, 9))
    inputs[:, :9, -3] = 1
    inputs[:, :, -2], inputs[:, :, -1] = 100.0, 10.0
    return inputs


def test_futures_are_compared_with_the_season_before(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = windows(rng, 100)
    targets = (100 + 10 * rng.normal(size=(100, 5))).astype(np.float32)
    spec = DataSpec(
        kind=InputKind.FORECAST,
        input_shape=(14, 5),
        dtype="float32",
        task="forecasting",
        num_train=10,
        layout=LAYOUT,
    )
    scales = np.tile(np.array([100.0, 10.0, 8.0], np.float32), (100, 1))
    prepared = prepared_of(tmp_path, inputs, targets, spec, scales=scales)
    predictions = targets[..., None] + np.array([-1.0, 0.5, 1.0], np.float32)
    naive = seasonal_naive(LAYOUT, inputs)
    task = get_task("forecasting")
    told = evaluate(said(predictions, inputs), said(naive, inputs), prepared, task, 0).evaluation
    assert [one.baseline for one in told.comparisons] == ["floor"]  # it is the seasonal naive itself
    expected = np.abs(naive[-NUM_TEST:, :, 1] - targets[-NUM_TEST:]).mean() / 8
    assert told.comparisons[0].baseline_value == pytest.approx(expected, rel=1e-5)
    assert told.comparisons[0].better
    assert told.metrics["mae"].value == pytest.approx(0.5, rel=1e-4)
    assert told.metrics["coverage"].value == 1.0
    assert [step.value for step in told.per_step] == pytest.approx([0.5] * 5, rel=1e-4)
    other = evaluate(said(predictions, inputs), said(naive + 1, inputs), prepared, task, 0).evaluation
    assert [one.baseline for one in other.comparisons] == ["floor", "seasonal_naive"]


def test_seasonal_naive_repeats_the_last_season() -> None:
    inputs = windows(np.random.default_rng(0), 3)
    naive = seasonal_naive(LAYOUT, inputs)
    assert naive.shape == (3, 5, 3)
    past = inputs[:, :9, 0] * 10 + 100
    np.testing.assert_allclose(naive[..., 1], past[:, [5, 6, 7, 8, 5]], rtol=1e-6)
    longer = ForecastLayout(history=9, horizon=5, season=24, quantiles=(0.5,), past=(), known=("hour",))
    np.testing.assert_allclose(seasonal_naive(longer, inputs)[..., 0], past[:, [8] * 5], rtol=1e-6)
