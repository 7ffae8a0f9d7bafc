"""Few examples are judged in turn: each is validated on exactly once, and nobody is told what it is tested by."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.batches import TrainingData
from pipelines.folds import further_folds, is_cross_validated
from pipelines.metrics import Truth
from records.spec import DataSpec, ForecastLayout, InputKind


def make_data(num_train: int = 60, num_validation: int = 30, clusters: np.ndarray | None = None) -> TrainingData:
    count = num_train + num_validation
    return TrainingData(
        inputs=np.zeros((count, 3), np.float32),
        truth=Truth(targets=np.arange(count) % 3, clusters=clusters),
        spec=DataSpec(
            kind=InputKind.SERIES, input_shape=(3,), dtype="float32", labels=("a", "b", "c"), label_counts=(9, 9, 9)
        ),
        train_rows=np.arange(num_train),
        validation_rows=np.arange(num_train, count),
    )


@pytest.mark.parametrize(
    ("num_train", "num_validation", "folds"), [(60, 30, 2), (85, 15, 4), (200, 30, 4), (30, 30, 1)]
)
def test_each_example_is_validated_on_once(num_train: int, num_validation: int, folds: int) -> None:
    data = make_data(num_train, num_validation)
    further = further_folds(data, seed=3)
    if folds == 1:  # the training rows are one part: nothing would be left to train on but the validation rows
        assert further == []
        return
    assert len(further) == folds
    seen = np.concatenate([data.validation_rows, *(fold.validation_rows for fold in further)])
    assert sorted(seen) == list(range(num_train + num_validation))
    for fold in further:
        assert not set(fold.train_rows) & set(fold.validation_rows)
        assert len(fold.train_rows) + len(fold.validation_rows) == num_train + num_validation


def test_parts_have_their_share_of_every_class() -> None:
    for fold in further_folds(make_data(), seed=0):
        assert np.bincount(fold.truth.targets[fold.validation_rows]).tolist() == [10, 10, 10]


def test_numbers_are_shared_out_low_and_high() -> None:
    data = make_data()
    data = replace(data, truth=Truth(targets=np.arange(90.0)), spec=replace(data.spec, labels=(), label_counts=()))
    means = [fold.truth.targets[fold.validation_rows].mean() for fold in further_folds(data, seed=1)]
    assert np.ptp(means) < 5


def test_clusters_stay_together() -> None:
    clusters = np.arange(90) // 5
    for fold in further_folds(make_data(clusters=clusters), seed=2):
        assert not set(clusters[fold.train_rows]) & set(clusters[fold.validation_rows])


def test_many_examples_and_forecasts_keep_the_one_split() -> None:
    assert further_folds(make_data(500, 100), seed=0) == []
    assert further_folds(make_data(60, 0), seed=0) == []
    assert not is_cross_validated(InputKind.FORECAST, 50)
    data = make_data()
    layout = ForecastLayout(history=2, horizon=1, season=1, quantiles=(0.5,), past=(), known=())
    spec = DataSpec(kind=InputKind.FORECAST, input_shape=(3, 4), dtype="float32", task="forecasting", layout=layout)
    assert further_folds(replace(data, spec=spec), seed=0) == []
