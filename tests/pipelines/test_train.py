"""The training loop: what is learnt, what is kept, when it stops, and that a seed decides it all."""

import dataclasses
import math
import threading

import keras
import numpy as np
import pytest

from pipelines.graph import Graph
from pipelines.optimizers import averages
from pipelines.pace import Pace
from pipelines.train import NotFinite, Resumption, Schedule, predict, train
from pipelines.trial import Workbench, input_data, plan
from records.task import get_task
from records.trial import EpochReport, Recipe, Verdict

TASK = get_task("classification")
QUICK = Recipe(learning_rate=1e-2, batch_size=16, max_epochs=6, patience=6)


def carry_on(_: EpochReport) -> Verdict:
    return Verdict.CONTINUE


def make_model(bench: Workbench, seed: int = 1, norm: str = "batch") -> keras.Model:
    values = {"cnn/filters": 16, "cnn/num_blocks": 2, "cnn/convolutions": 1, "cnn/dropout_rate": 0.1, "cnn/norm": norm}
    return plan(bench, "cnn", values, seed).model


def test_learns_what_can_be_learnt(bench: Workbench) -> None:
    data = input_data(bench.prepared)
    history = train(make_model(bench), dataclasses.replace(QUICK, max_epochs=12), data, TASK, carry_on, 60.0)
    majority = max(bench.prepared.spec.label_counts) / bench.prepared.spec.num_train
    assert history.best_score > majority + 0.2


def test_model_keeps_the_weights_of_its_best_epoch(bench: Workbench) -> None:
    data, model = input_data(bench.prepared), make_model(bench)
    history = train(model, QUICK, data, TASK, carry_on, 60.0)
    np.testing.assert_allclose(predict(model, data), history.predictions, atol=1e-6)
    assert history.best_score == max(report.score for report in history.reports)
    assert history.best_step <= history.steps


def test_same_seed_gives_the_same_weights(bench: Workbench) -> None:
    data = input_data(bench.prepared)
    recipe = dataclasses.replace(QUICK, max_epochs=2, flip=True, crop_fraction=0.1)
    fixed = Schedule(planned_steps=8, stop_after=8)
    weights = []
    for _ in range(2):
        model = make_model(bench)
        train(model, recipe, data, TASK, carry_on, 60.0, fixed)
        weights.append(model.get_weights())
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)


def test_stops_when_it_is_told_to(bench: Workbench) -> None:
    history = train(make_model(bench), QUICK, input_data(bench.prepared), TASK, lambda _: Verdict.STOP, 60.0)
    assert len(history.reports) == 1


def test_stops_when_nothing_gets_better(bench: Workbench) -> None:
    recipe = dataclasses.replace(QUICK, learning_rate=1e-12, patience=2, max_epochs=30)
    model = make_model(bench, norm="none")  # without averages that settle while nothing is learnt
    history = train(model, recipe, input_data(bench.prepared), TASK, carry_on, 60.0)
    assert len(history.reports) <= 4


def test_of_equal_scores_the_lower_loss_is_kept(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.train.score", lambda task, truth, predictions: {task.objective: 1.0})
    history = train(make_model(bench), QUICK, input_data(bench.prepared), TASK, carry_on, 60.0)
    assert history.best_loss == min(report.val_loss for report in history.reports)


def test_schedule_is_laid_out_so_that_it_ends_in_time(bench: Workbench) -> None:
    recipe = dataclasses.replace(QUICK, max_epochs=100_000, patience=100_000)
    history = train(make_model(bench), recipe, input_data(bench.prepared), TASK, carry_on, 6.0)
    assert history.planned_steps < 100_000
    assert 3.0 < history.seconds < 8.0
    assert history.steps == history.planned_steps or history.seconds >= 6.0


def test_fixed_schedule_takes_exactly_its_steps(bench: Workbench) -> None:
    data = input_data(bench.prepared).with_validation_in_training()
    history = train(make_model(bench), QUICK, data, TASK, carry_on, 60.0, Schedule(planned_steps=20, stop_after=13))
    assert history.steps == 13
    assert history.reports == []


@pytest.mark.filterwarnings("ignore:.*encountered in.*:RuntimeWarning")
def test_a_diverging_training_says_so(bench: Workbench) -> None:
    recipe = dataclasses.replace(QUICK, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(NotFinite, match="became"):
        train(make_model(bench), recipe, input_data(bench.prepared), TASK, carry_on, 60.0)


def test_one_step_changes_every_trainable_weight(bench: Workbench) -> None:
    model = make_model(bench)
    before = [np.asarray(weight) for weight in model.trainable_weights]
    train(model, QUICK, input_data(bench.prepared), TASK, carry_on, 60.0, Schedule(planned_steps=2, stop_after=2))
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert not np.array_equal(np.asarray(weight), old), weight.path


@pytest.mark.parametrize("validated", [True, False])
def test_averaged_weights_are_judged_and_kept_and_the_others_trained(bench: Workbench, validated: bool) -> None:
    data = input_data(bench.prepared)
    data = data if validated else data.with_validation_in_training()
    fixed, kept = Schedule(planned_steps=10, stop_after=10), []
    for recipe in (QUICK, dataclasses.replace(QUICK, ema_decay=0.9)):
        model = make_model(bench, norm="none")
        graph = Graph(model, recipe, data, TASK, Pace())
        seen: list[list[np.ndarray]] = []
        keep = Resumption(keep=lambda progress, seen=seen: seen.append(progress().variables))  # type: ignore[misc]
        history = train(graph, recipe, data, TASK, carry_on, 60.0, fixed, resumption=keep)
        kept.append((seen[-1], model.get_weights(), averages(graph.optimizer)))
        if validated:
            np.testing.assert_allclose(predict(model, data), history.predictions, atol=1e-6)
    (plain, _, _), (trained, found, running) = kept
    for one, other in zip(plain, trained, strict=True):
        np.testing.assert_array_equal(one, other)  # judging the averages changes nothing of the training
    if not validated:
        for one, other in zip(found, running, strict=True):
            np.testing.assert_array_equal(one, other.numpy())


def test_reports_count_up_and_are_finite(bench: Workbench) -> None:
    reports: list[EpochReport] = []

    def collect(report: EpochReport) -> Verdict:
        reports.append(report)
        return Verdict.CONTINUE

    train(make_model(bench), QUICK, input_data(bench.prepared), TASK, collect, 60.0)
    assert [report.epoch for report in reports] == list(range(1, len(reports) + 1))
    assert all(math.isfinite(report.train_loss) and math.isfinite(report.val_loss) for report in reports)
    assert [report.seconds for report in reports] == sorted(report.seconds for report in reports)


def test_the_training_loss_is_the_mean_of_the_epochs_batches(bench: Workbench) -> None:
    recipe = dataclasses.replace(QUICK, learning_rate=1e-12, max_epochs=1)
    values = {"cnn/filters": 16, "cnn/num_blocks": 2, "cnn/dropout_rate": 0.0, "cnn/norm": "none"}
    data, model = input_data(bench.prepared), plan(bench, "cnn", values, 1).model
    history = train(model, recipe, data, TASK, carry_on, 60.0)
    said = model.predict_on_batch(data.inputs[data.train_rows])
    mean = -np.log(said[np.arange(len(said)), data.truth.targets[data.train_rows]]).mean()
    assert history.reports[0].train_loss == pytest.approx(float(mean), rel=1e-4)


def test_batches_made_ahead_change_nothing(bench: Workbench) -> None:
    data, fixed = input_data(bench.prepared), Schedule(planned_steps=6, stop_after=6)
    weights = []
    for ahead in (0, 2):
        model = make_model(bench)
        train(model, QUICK, data, TASK, carry_on, 60.0, fixed, Pace(prefetch=ahead))
        weights.append(model.get_weights())
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second)
    assert "prefetch" not in {thread.name for thread in threading.enumerate()}
