"""Parity of every metric with scikit-learn, and of the intervals with a slow and plain bootstrap."""

import numpy as np
import pytest
from sklearn import metrics as reference

from pipelines import metrics
from pipelines.bootstrap import bootstrap, figure
from records.task import METRICS, TASKS, get_task

NUM_CLASSES = 5


@pytest.fixture
def answers() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    targets = rng.integers(0, NUM_CLASSES - 1, 211)  # the last class has no example
    logits = rng.normal(size=(211, NUM_CLASSES)) + 1.5 * np.eye(NUM_CLASSES)[targets]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return targets, probabilities.astype(np.float32)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", lambda y, p: reference.accuracy_score(y, p.argmax(1))),
        ("f1_macro", lambda y, p: reference.f1_score(y, p.argmax(1), average="macro")),
        ("log_loss", lambda y, p: reference.log_loss(y, p, labels=range(NUM_CLASSES))),
    ],
)
def test_metric_agrees_with_scikit_learn(name, expected, answers) -> None:  # type: ignore[no-untyped-def]
    assert metrics.METRIC_FUNCTIONS[name](*answers) == pytest.approx(expected(*answers), rel=1e-5)


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
def test_balanced_accuracy_is_the_mean_recall_of_classes_with_examples(answers) -> None:  # type: ignore[no-untyped-def]
    targets, probabilities = answers
    expected = reference.balanced_accuracy_score(targets, probabilities.argmax(1))
    assert metrics.balanced_accuracy(targets, probabilities) == pytest.approx(expected)


def test_every_metric_of_every_task_has_a_function() -> None:
    for task in TASKS.values():
        assert set(task.metrics) <= METRICS.keys() & metrics.METRIC_FUNCTIONS.keys()
        assert task.objective in task.metrics


def test_log_loss_is_finite_for_a_certain_mistake() -> None:
    assert metrics.log_loss(np.array([0]), np.array([[0.0, 1.0]])) == pytest.approx(-np.log(1e-7))


def test_calibration_error_of_a_known_case() -> None:
    # ten answers at 0.8, of which five are right: 0.3 too sure
    probabilities = np.tile([0.8, 0.2], (10, 1))
    targets = np.array([0] * 5 + [1] * 5)
    assert metrics.calibration_error(targets, probabilities) == pytest.approx(0.3)


def test_bootstrap_pairs_models_on_the_same_draws(answers) -> None:  # type: ignore[no-untyped-def]
    targets, probabilities = answers
    first, second = bootstrap(get_task("classification"), targets, [probabilities, probabilities], seed=7)
    for name in first.metrics:
        np.testing.assert_array_equal(first.metrics[name], second.metrics[name])


def test_bootstrap_interval_of_accuracy_is_the_binomial_one(answers) -> None:  # type: ignore[no-untyped-def]
    targets, probabilities = answers
    (sampled,) = bootstrap(get_task("classification"), targets, [probabilities], seed=7)
    value = metrics.accuracy(targets, probabilities)
    interval = figure(value, sampled.metrics["accuracy"])
    half = 1.96 * np.sqrt(value * (1 - value) / len(targets))
    assert interval.low == pytest.approx(value - half, abs=0.015)
    assert interval.high == pytest.approx(value + half, abs=0.015)
    assert sampled.per_class["recall"].shape == (2000, NUM_CLASSES)
