"""Parity of every metric with scikit-learn or plain numpy."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from pipelines.measuring.classes import calibration_error
from pipelines.measuring.ranking import Ranking
from pipelines.measuring.truth import Answered, Weighed, unweighed
from pipelines.metrics import METRIC_FUNCTIONS, Truth, example_losses, score
from records.task import METRICS, TASKS, Decision, get_task

NUM_CLASSES = 5
CLASSIFICATION, REGRESSION, FORECASTING = (get_task(name) for name in ("classification", "regression", "forecasting"))
Classes = tuple[np.ndarray, np.ndarray]


def some_answers(num_classes: int, num_examples: int = 211, empty: int = 1) -> Classes:
    """Targets that leave the last `empty` classes out, and probabilities with some ties."""
    rng = np.random.default_rng(1)
    targets = rng.integers(0, num_classes - empty, num_examples)
    logits = (rng.normal(size=(num_examples, num_classes)) + 1.5 * np.eye(num_classes)[targets]).round(1)
    return targets, (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def answers() -> Classes:
    return some_answers(NUM_CLASSES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", lambda y, p: reference.accuracy_score(y, p.argmax(1))),
        ("balanced_accuracy", lambda y, p: reference.recall_score(y, p.argmax(1), average="macro", labels=range(4))),
        ("f1_macro", lambda y, p: reference.f1_score(y, p.argmax(1), average="macro")),
        ("log_loss", lambda y, p: reference.log_loss(y, p, labels=range(NUM_CLASSES))),
        ("roc_auc", lambda y, p: np.mean([reference.roc_auc_score(y == k, p[:, k]) for k in range(4)])),
    ],
)
def test_metric_of_classes_agrees_with_scikit_learn(
    name: str, expected: Callable[..., float], answers: Classes
) -> None:
    targets, probabilities = answers
    told = score(CLASSIFICATION, Truth(targets=targets), probabilities)
    assert told[name] == pytest.approx(expected(targets, probabilities), rel=1e-5)


def test_area_of_two_classes_agrees_with_scikit_learn() -> None:
    targets, probabilities = some_answers(2, empty=0)
    told = score(CLASSIFICATION, Truth(targets=targets), probabilities)
    assert told["roc_auc"] == pytest.approx(reference.roc_auc_score(targets, probabilities[:, 1]), abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=30))
def test_weighed_area_counts_pairs(examples: list[tuple[bool, int, int]]) -> None:
    targets = np.array([int(positive) for positive, _, _ in examples])
    scores, weights = (np.array([float(one[i]) for one in examples]) for i in (1, 2))
    pairs = [
        (weights[i] * weights[j], (scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j]))
        for i in np.flatnonzero(targets == 1)
        for j in np.flatnonzero(targets == 0)
    ]
    possible = sum(weight for weight, _ in pairs)
    expected = sum(weight * right for weight, right in pairs) / possible if possible else 0.5
    area = Ranking(targets, np.stack([-scores, scores], axis=1)).areas(weights[:, None])
    assert area == pytest.approx([expected])


def test_projected_area_is_exact_without_weights_and_near_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    targets, probabilities = some_answers(7, num_examples=900, empty=0)
    weights = np.random.default_rng(3).poisson(1.0, (900, 40)).astype(np.float64)
    exact = Ranking(targets, probabilities)
    monkeypatch.setattr("pipelines.measuring.ranking.MOST_EXACT", 0)
    projected = Ranking(targets, probabilities)
    ones = np.ones((900, 1))
    assert projected.areas(ones) == pytest.approx(exact.areas(ones), abs=1e-12)
    differences = projected.areas(weights) - exact.areas(weights)
    assert np.abs(differences).max() < 0.15 * exact.areas(weights).std()


def test_costs_are_decided_by_and_counted() -> None:
    decision = Decision(costs=((0.0, 1.0), (5.0, 0.0)))
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.95, 0.05]], np.float32)
    told = score(CLASSIFICATION, Truth(targets=np.array([0, 1, 1]), decision=decision), probabilities)
    assert told["accuracy"] == pytest.approx(2 / 3)  # the second is answered 1: 5 * 0.3 is more than 0.7
    assert told["cost"] == pytest.approx(5 / 3)
    assert "cost" not in score(CLASSIFICATION, Truth(targets=np.array([0, 1, 1])), probabilities)


def test_threshold_decides() -> None:
    truth = Truth(targets=np.array([1, 1, 0]), decision=Decision(threshold=0.2))
    told = score(CLASSIFICATION, truth, np.array([[0.8, 0.2], [0.7, 0.3], [0.9, 0.1]], np.float32))
    assert told["accuracy"] == 1.0


def test_metric_of_numbers_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    targets = (1e4 + rng.normal(size=173)).astype(np.float32)
    predictions = (targets + rng.normal(size=173))[:, None].astype(np.float32)
    told = score(REGRESSION, Truth(targets=targets), predictions)
    assert told["rmse"] == pytest.approx(reference.root_mean_squared_error(targets, predictions[:, 0]), rel=1e-5)
    assert told["mae"] == pytest.approx(reference.mean_absolute_error(targets, predictions[:, 0]), rel=1e-5)
    wide = targets.astype(np.float64), predictions[:, 0].astype(np.float64)
    assert told["r2"] == pytest.approx(reference.r2_score(*wide), rel=1e-6)


def test_r2_of_a_constant_target_is_zero() -> None:
    told = score(REGRESSION, Truth(targets=np.full(9, 3.3, np.float32)), np.zeros((9, 1), np.float32))
    assert told["r2"] == 0.0


def test_metric_of_futures_agrees_with_numpy() -> None:
    rng = np.random.default_rng(4)
    targets = rng.normal(size=(31, 7)).astype(np.float32)
    predictions = np.sort(targets[..., None] + rng.normal(size=(31, 7, 3)), axis=-1).astype(np.float32)
    naive = rng.uniform(0.5, 2.0, 31)
    truth = Truth(targets=targets, naive_errors=naive, quantiles=(0.1, 0.5, 0.8))
    told = score(FORECASTING, truth, predictions)
    errors = predictions[..., 1].astype(np.float64) - targets
    assert told["mae"] == pytest.approx(np.abs(errors).mean())
    assert told["rmse"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert told["mase"] == pytest.approx(np.mean(np.abs(errors) / naive[:, None]))
    inside = (predictions[..., 0] <= targets) & (predictions[..., 2] >= targets)
    assert told["coverage"] == pytest.approx(inside.mean())
    losses = [
        reference.mean_pinball_loss(targets.T, predictions[..., i].T, alpha=q, multioutput="raw_values") / naive
        for i, q in enumerate(truth.quantiles)
    ]
    assert told["pinball"] == pytest.approx(np.mean(losses))
    np.testing.assert_allclose(example_losses(FORECASTING, truth, predictions), np.mean(losses, axis=0))


def test_a_naive_forecast_without_errors_does_not_divide_by_zero() -> None:
    truth = Truth(targets=np.zeros((2, 3)), naive_errors=np.array([0.0, 2.0]), quantiles=(0.5,))
    assert score(FORECASTING, truth, np.ones((2, 3, 1)))["mase"] == pytest.approx((1 + 0.5) / 2)


def test_every_metric_of_every_task_has_a_function() -> None:
    assert set(METRICS) == METRIC_FUNCTIONS.keys()
    for task in TASKS.values():
        assert set(task.metrics) <= METRICS.keys()
        assert task.objective in task.objectives and set(task.objectives) <= set(task.metrics)


def test_losses_of_examples_make_the_metric(answers: Classes) -> None:
    targets, probabilities = answers
    losses = example_losses(CLASSIFICATION, Truth(targets=targets), probabilities)
    assert losses.mean() == pytest.approx(score(CLASSIFICATION, Truth(targets=targets), probabilities)["log_loss"])


def test_log_loss_is_finite_for_a_certain_mistake() -> None:
    losses = example_losses(CLASSIFICATION, Truth(targets=np.array([0])), np.array([[0.0, 1.0]]))
    assert losses == pytest.approx([-np.log(1e-7)])


def test_one_class_alone_has_no_area() -> None:
    told = score(CLASSIFICATION, Truth(targets=np.zeros(4, int)), np.tile([0.7, 0.3], (4, 1)))
    assert told["roc_auc"] == 0.5


def test_calibration_error_of_a_known_case() -> None:
    # ten answers at 0.8, of which five are right: 0.3 too sure
    truth = Truth(targets=np.array([0] * 5 + [1] * 5))
    assert calibration_error(unweighed(Answered(truth, np.tile([0.8, 0.2], (10, 1))))) == pytest.approx([0.3])


@pytest.mark.parametrize("name", METRICS)
def test_drawing_an_example_twice_is_the_same_as_having_it_twice(name: str) -> None:
    rng = np.random.default_rng(5)
    twice = np.r_[np.arange(20), [3, 3, 7]]
    weights = np.bincount(twice, minlength=20)[:, None].astype(np.float64)
    if name in (*CLASSIFICATION.metrics, "cost"):
        targets, predictions = some_answers(4, num_examples=20)
        truth, repeated = Truth(targets=targets), Truth(targets=targets[twice])
    else:
        targets, predictions = rng.normal(size=(20, 3)), np.sort(rng.normal(size=(20, 3, 3)), axis=-1)
        if name == "r2":
            targets, predictions = targets[:, 0], predictions[:, 0, :1]
        truth = Truth(targets=targets, quantiles=(0.1, 0.5, 0.9))
        repeated = Truth(targets=targets[twice], quantiles=(0.1, 0.5, 0.9))
    function = METRIC_FUNCTIONS[name]
    drawn = function(Weighed(Answered(truth, predictions), weights))
    assert drawn == pytest.approx(function(unweighed(Answered(repeated, predictions[twice]))))
