"""Intervals: paired between models, as wide as theory says, and by clusters where examples are not independent."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipelines.bootstrap import bootstrap, figure, num_clusters
from pipelines.measuring.truth import Answered
from pipelines.metrics import Truth, score
from records.task import Decision, get_task

CLASSIFICATION, REGRESSION, FORECASTING = (get_task(name) for name in ("classification", "regression", "forecasting"))


def some_answers(num_classes: int, num_examples: int = 211) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    targets = rng.integers(0, num_classes, num_examples)
    logits = rng.normal(size=(num_examples, num_classes)) + 1.5 * np.eye(num_classes)[targets]
    return targets, (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)


def test_models_are_paired_on_the_same_draws() -> None:
    targets, probabilities = some_answers(5)
    first, second = bootstrap(
        CLASSIFICATION,
        [Answered(Truth(targets=targets), probabilities), Answered(Truth(targets=targets), probabilities)],
        seed=7,
    )
    for name in first.metrics:
        np.testing.assert_array_equal(first.metrics[name], second.metrics[name])


def test_interval_of_accuracy_is_the_binomial_one() -> None:
    targets, probabilities = some_answers(5)
    (sampled,) = bootstrap(CLASSIFICATION, [Answered(Truth(targets=targets), probabilities)], seed=7)
    value = score(CLASSIFICATION, Truth(targets=targets), probabilities)["accuracy"]
    interval = figure(value, sampled.metrics["accuracy"])
    half = 1.96 * np.sqrt(value * (1 - value) / len(targets))
    assert interval.low == pytest.approx(value - half, abs=0.015)
    assert interval.high == pytest.approx(value + half, abs=0.015)
    assert sampled.per_class["recall"].shape == (2000, 5)
    assert sampled.calibration_error is not None and sampled.calibration_error.shape == (2000,)


def test_interval_of_the_area_is_that_of_a_plain_bootstrap() -> None:
    targets, probabilities = some_answers(2, num_examples=90)
    (sampled,) = bootstrap(CLASSIFICATION, [Answered(Truth(targets=targets), probabilities)], seed=7)
    rng = np.random.default_rng(11)
    draws = rng.integers(0, 90, (500, 90))
    plain = [roc_auc_score(targets[rows], probabilities[rows, 1]) for rows in draws]
    expected = np.percentile(plain, [2.5, 50, 97.5])
    assert np.percentile(sampled.metrics["roc_auc"], [2.5, 50, 97.5]) == pytest.approx(expected, abs=0.015)


def test_interval_of_a_mean_is_the_normal_one() -> None:
    rng = np.random.default_rng(2)
    targets = rng.normal(size=400).astype(np.float32)
    predictions = (targets + rng.exponential(size=400))[:, None].astype(np.float32)
    (sampled,) = bootstrap(REGRESSION, [Answered(Truth(targets=targets), predictions)], seed=3)
    error = np.abs(predictions[:, 0] - targets).std() / np.sqrt(400)
    assert sampled.metrics["mae"].std() == pytest.approx(error, rel=0.1)
    assert sampled.per_step is None and sampled.per_class == {}


def test_examples_of_a_cluster_are_drawn_together() -> None:
    # ten copies of each example know no more than one
    rng = np.random.default_rng(2)
    targets = np.zeros(40, np.float32)
    predictions = rng.normal(size=(40, 1)).astype(np.float32)
    alone = Truth(targets=targets)
    copies = Truth(targets=np.repeat(targets, 10), clusters=np.repeat(np.arange(40) + 1000, 10))
    (once,) = bootstrap(REGRESSION, [Answered(alone, predictions)], seed=3)
    (tenfold,) = bootstrap(REGRESSION, [Answered(copies, np.repeat(predictions, 10, axis=0))], seed=3)
    np.testing.assert_allclose(tenfold.metrics["rmse"], once.metrics["rmse"])
    assert num_clusters(copies) == 40
    assert num_clusters(alone) is None


def test_clusters_of_unequal_size_count_by_their_examples() -> None:
    errors = np.array([0.0] * 9 + [1.0], np.float32)
    truth = Truth(targets=np.zeros(10, np.float32), clusters=np.array([0] * 9 + [1]))
    (sampled,) = bootstrap(REGRESSION, [Answered(truth, errors[:, None])], seed=3)
    assert set(sampled.metrics["mae"].round(6)) == {0.0, 0.1, 1.0}


def test_futures_have_an_interval_for_each_step() -> None:
    rng = np.random.default_rng(2)
    targets = rng.normal(size=(50, 6)).astype(np.float32)
    predictions = np.zeros((50, 6, 3), np.float32)
    truth = Truth(targets=targets, naive_errors=np.ones(50), quantiles=(0.1, 0.5, 0.9))
    (sampled,) = bootstrap(FORECASTING, [Answered(truth, predictions)], seed=3)
    assert sampled.per_step is not None and sampled.per_step.shape == (2000, 6)
    assert sampled.per_step.mean(axis=0) == pytest.approx(np.abs(targets).mean(axis=0), rel=0.02)
    assert sampled.per_step.mean(axis=1) == pytest.approx(sampled.metrics["mae"])


def test_costs_have_an_interval() -> None:
    targets, probabilities = some_answers(3)
    costs = ((0.0, 1.0, 1.0), (4.0, 0.0, 1.0), (1.0, 1.0, 0.0))
    truth = Truth(targets=targets, decision=Decision(costs=costs))
    (sampled,) = bootstrap(CLASSIFICATION, [Answered(truth, probabilities)], seed=3)
    assert sampled.metrics["cost"].std() > 0


@pytest.mark.parametrize("num_classes", [2, 4])
def test_the_way_that_draws_are_cut_into_parts_changes_nothing(
    num_classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets, probabilities = some_answers(num_classes, num_examples=60)
    (whole,) = bootstrap(CLASSIFICATION, [Answered(Truth(targets=targets), probabilities)], seed=7)
    monkeypatch.setattr("pipelines.bootstrap.MOST_WEIGHTS", 60 * 7)
    (parts,) = bootstrap(CLASSIFICATION, [Answered(Truth(targets=targets), probabilities)], seed=7)
    for name, values in whole.metrics.items():
        np.testing.assert_allclose(parts.metrics[name], values)
