"""Temperatures against an independent minimiser, and what they do to a candidate; scores of the right examples."""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import roc_auc_score

from pipelines.calibrating import Unseen, calibrated, conformal_scores, fit_temperature, judge, tempered, unseen
from pipelines.measuring.truth import Truth
from pipelines.metrics import score
from pipelines.outside import save_outside
from records.bundle import Average, Part
from records.candidate import Candidate
from records.data import Prepared, Split
from records.task import get_task
from records.trial import Trial, TrialState
from search_spaces import heads

TASK = get_task("classification")


def answers(temperature: float, count: int = 700, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right after a division of their logarithms by `temperature`; and the true classes."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, classes))
    right = softmax(logits, axis=1)
    targets = np.array([rng.choice(classes, p=row) for row in right])
    return softmax(logits * temperature, axis=1).astype(np.float32), targets


def seen_of(predictions: np.ndarray, targets: np.ndarray, clusters: np.ndarray | None = None) -> Unseen:
    return Unseen(truth=Truth(targets=targets, clusters=clusters), predictions=predictions)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5, 7.0])
@pytest.mark.parametrize("classes", [2, 9])
def test_a_temperature_is_the_one_that_another_minimiser_finds(temperature: float, classes: int) -> None:
    predictions, targets = answers(temperature, classes=classes)
    logits = np.log(predictions.astype(np.float64))

    def loss(logarithm: float) -> float:
        scaled = log_softmax(logits / np.exp(logarithm), axis=1)
        return float(-scaled[np.arange(len(targets)), targets].mean())

    best = np.exp(minimize_scalar(loss, bounds=(np.log(0.25), np.log(10)), method="bounded", options={"xatol": 1e-9}).x)
    assert fit_temperature(predictions, targets, doubt=0.0) == pytest.approx(best, rel=2e-3)
    assert fit_temperature(predictions, targets) == pytest.approx(best, rel=0.05)
    assert best == pytest.approx(temperature, rel=0.2)


def test_a_model_without_a_mistake_is_not_made_as_sure_as_can_be() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 4, 270)
    perfect = tempered(np.eye(4, dtype=np.float32)[targets] * 400 + rng.random((270, 4), np.float32) + 0.1, 1.0)
    assert (perfect.argmax(axis=1) == targets).all()
    assert fit_temperature(perfect, targets, doubt=0.0) == 0.25  # what the log-loss alone would have
    found = judge(TASK, seen_of(perfect, targets))
    assert found.temperature == 1.0 and found.log_loss_after == found.log_loss_before


def test_doubt_is_what_another_minimiser_finds_with_one_mistake_more() -> None:
    predictions, targets = answers(0.5, count=150)
    logits = np.log(predictions.astype(np.float64))
    wrong = np.where(np.eye(4, dtype=bool)[targets], 0.0, predictions)
    wrong /= wrong.sum(axis=1, keepdims=True)

    def loss(inverse: float) -> float:
        scaled = log_softmax(logits * inverse, axis=1)
        right = scaled[np.arange(150), targets]
        return float(-(151 * right.mean() + (wrong * scaled).sum(axis=1).mean()))

    best = minimize_scalar(loss, bounds=(0.1, 4), method="bounded", options={"xatol": 1e-9}).x
    assert fit_temperature(predictions, targets) == pytest.approx(1 / best, rel=2e-3)


def test_a_temperature_keeps_its_bounds() -> None:
    sure = np.tile(np.array([[0.999, 0.001]], np.float32), (200, 1))
    assert fit_temperature(sure, np.arange(200) % 2) == 10.0
    unsure = np.tile(np.array([[0.6, 0.4]], np.float32), (200, 1))
    assert fit_temperature(unsure, np.zeros(200, np.int64), doubt=0.0) == 0.25
    assert fit_temperature(np.array([[1, 0], [0, 1]], np.float32), np.array([0, 1])) >= 0.25


def test_what_was_too_sure_gets_closer_to_the_truth_and_nothing_changes_its_place() -> None:
    predictions, targets = answers(3.0)
    found = judge(TASK, seen_of(predictions, targets))
    assert found.temperature == pytest.approx(3.0, rel=0.2) and found.num_examples == 700
    assert found.log_loss_after < 0.8 * found.log_loss_before
    assert found.error_after < 0.5 * found.error_before
    given = np.clip(predictions[np.arange(700), targets], 1e-7, 1.0)
    assert found.log_loss_before == pytest.approx(-np.log(given).mean(), rel=1e-5)
    after = tempered(predictions, found.temperature)
    np.testing.assert_array_equal(after.argmax(axis=1), predictions.argmax(axis=1))
    new, targets = answers(3.0, seed=1)
    before, after = (score(TASK, Truth(targets=targets), one) for one in (new, tempered(new, found.temperature)))
    assert after["log_loss"] < 0.8 * before["log_loss"] and after["accuracy"] == before["accuracy"]


def test_of_two_classes_the_ranking_of_examples_stays() -> None:
    predictions, targets = answers(2.0, classes=2)
    before = roc_auc_score(targets, predictions[:, 1])
    assert roc_auc_score(targets, tempered(predictions, 2.0)[:, 1]) == pytest.approx(before, abs=1e-6)


def test_what_is_right_already_is_left_alone() -> None:
    untouched = [judge(TASK, seen_of(*answers(1.0, seed=seed))).temperature == 1.0 for seed in range(20)]
    assert sum(untouched) >= 14  # a gain of one standard error comes by chance now and then
    found = judge(TASK, seen_of(*answers(1.0, seed=untouched.index(True))))
    assert (found.log_loss_after, found.error_after) == (found.log_loss_before, found.error_before)


def test_few_examples_or_few_groups_fit_no_temperature() -> None:
    predictions, targets = answers(4.0, count=99)
    assert judge(TASK, seen_of(predictions, targets)).temperature == 1.0
    predictions, targets = answers(4.0, count=100)
    assert judge(TASK, seen_of(predictions, targets)).temperature > 1.0
    assert judge(TASK, seen_of(predictions, targets, clusters=np.arange(100) % 4)).temperature == 1.0


def candidate_of(model: Any, predictions: np.ndarray, **fields: Any) -> Candidate:
    trial = Trial(run_id="r", number=1, space="cnn", values={}, state=TrialState.COMPLETED, seed=0)
    return Candidate(
        model=model,
        trial=trial,
        refitted=True,
        seconds=1.0,
        validation_predictions=predictions,
        validation_targets=np.zeros(len(predictions), np.int64),
        **fields,
    )


def test_the_candidate_gets_the_temperature_in_its_network() -> None:
    inputs = keras.Input((4,))
    logits = keras.layers.Identity(name=heads.EMBEDDING)(inputs)
    model = keras.Model(inputs, heads.probabilities(logits))
    predictions, targets = answers(3.0)
    given = candidate_of(model, predictions[:50])
    made, seen = calibrated(given, seen_of(predictions, targets), TASK)
    assert made.calibration is not None
    temperature = made.calibration.temperature
    rows = np.log(predictions[:9])
    np.testing.assert_allclose(np.asarray(made.model(rows)), tempered(predictions[:9], temperature), atol=1e-6)
    np.testing.assert_array_equal(seen.predictions, tempered(predictions, temperature))
    np.testing.assert_array_equal(made.validation_predictions, tempered(predictions[:50], temperature))
    few, _ = calibrated(given, seen_of(predictions[:50], targets[:50]), TASK)
    assert few.model is model and few.calibration is not None and few.calibration.temperature == 1.0
    number, _ = calibrated(given, seen_of(predictions, targets), get_task("regression"))
    assert number is given


def test_where_trials_were_judged_on_folds_all_these_examples_count(prepared: Prepared, tmp_path: Path) -> None:
    rows = np.concatenate([prepared.indices[Split.TRAIN], prepared.indices[Split.VALIDATION]])
    validation = prepared.indices[Split.VALIDATION]
    rng = np.random.default_rng(0)
    first, second = rng.dirichlet([1, 1, 1], (2, len(rows))).astype(np.float32)
    folders = [tmp_path / "0001", tmp_path / "0002"]
    save_outside(folders[0], rows, first)
    save_outside(folders[1], rows[:-2], second[:-2])
    alone = candidate_of(None, first[-len(validation) :])
    seen = unseen(alone, prepared, folders[:1])
    np.testing.assert_array_equal(seen.predictions, first)
    np.testing.assert_array_equal(seen.truth.targets, np.asarray(prepared.targets)[rows])
    parts = tuple(
        Part(trial=number, space="cnn", values={}, weight=weight, refitted=True)
        for number, weight in ((1, 0.75), (2, 0.25))
    )
    average = Average(parts=parts, score=0.9, single_score=0.8, num_examples=9)
    both = unseen(dataclasses.replace(alone, average=average), prepared, folders)
    np.testing.assert_allclose(both.predictions, 0.75 * first[:-2] + 0.25 * second[:-2], atol=1e-6)
    without = unseen(alone, prepared, [tmp_path / "nowhere"])
    np.testing.assert_array_equal(without.predictions, alone.validation_predictions)
    np.testing.assert_array_equal(without.truth.targets, np.asarray(prepared.targets)[validation])


def test_there_are_scores_for_every_task() -> None:
    predictions, targets = answers(1.0, count=30)
    made = conformal_scores(TASK, seen_of(predictions, targets))
    assert made is not None and made.num_examples == 30 and 0 <= made.values[0] <= made.values[-1] <= 1
    numbers = np.arange(30, dtype=np.float32)
    made = conformal_scores(get_task("regression"), seen_of(numbers[:, None] + 1, numbers))
    assert made is not None and (made.values == 1.0).all()
    futures = np.stack([numbers - 1, numbers, numbers + 1], axis=-1)[None].repeat(7, axis=0)
    made = conformal_scores(get_task("forecasting"), seen_of(futures, np.tile(numbers, (7, 1))))
    assert made is not None and made.values.shape == (7, 30) and (made.values == -0.5).all()
    assert conformal_scores(TASK, seen_of(predictions[:0], targets[:0])) is None
