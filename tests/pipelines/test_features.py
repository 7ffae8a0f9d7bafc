"""Cached features: what the encoder gives, of the right rows, computed once, whole or absent."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from pipelines import encoding
from pipelines import features as module
from pipelines.batches import training_batches
from pipelines.features import TooSlow, cached_features, feature_data, fitting_rows
from records.data import Prepared, Split
from records.trial import Recipe
from store.home import Home


def make_encoder(maps: bool = False) -> keras.Model:
    keras.utils.set_random_seed(2)
    inputs = keras.Input((11, 9, 3), dtype="uint8")
    x = keras.layers.Conv2D(5, 3, strides=2)(keras.layers.Rescaling(1 / 255)(inputs))
    return keras.Model(inputs, x if maps else keras.layers.GlobalAveragePooling2D()(x))


def folders(home: Home) -> list[Path]:
    return [path for path in home.features.iterdir() if path.is_dir()]


def test_features_are_the_encoders_and_never_of_the_test_split(prepared: Prepared, home: Home) -> None:
    encoder = make_encoder()
    features = cached_features(encoder, "one", prepared, home)
    rows = fitting_rows(prepared)
    assert not set(rows) & set(prepared.indices[Split.TEST])
    np.testing.assert_allclose(features.values, encoder.predict(prepared.inputs[rows], verbose=0), rtol=1e-5)
    data = feature_data(prepared, features)
    assert len(data.train_rows) == len(prepared.indices[Split.TRAIN])
    np.testing.assert_array_equal(
        data.truth.targets[data.validation_rows], prepared.targets[prepared.indices[Split.VALIDATION]]
    )


def test_features_are_computed_once_for_a_key(prepared: Prepared, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cached_features(make_encoder(), "one", prepared, home)
    monkeypatch.setattr(module, "_compute", lambda *a: pytest.fail("computed again"))
    np.testing.assert_array_equal(cached_features(make_encoder(), "one", prepared, home).values, first.values)
    with pytest.raises(pytest.fail.Exception):
        cached_features(make_encoder(), "two", prepared, home)


def test_another_dataset_has_other_features(prepared: Prepared, home: Home) -> None:
    first = cached_features(make_encoder(), "one", prepared, home)
    other = dataclasses.replace(prepared, fingerprint="0" * 64, inputs=255 - prepared.inputs)
    assert not np.array_equal(cached_features(make_encoder(), "one", other, home).values, first.values)


def test_onnx_runtime_gives_the_same_features(prepared: Prepared, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    by_keras = cached_features(make_encoder(), "keras", prepared, home)
    monkeypatch.setattr(encoding, "WORTH_AN_EXPORT", 1)
    by_onnx = cached_features(make_encoder(), "onnx", prepared, home)
    np.testing.assert_allclose(by_onnx.values, by_keras.values, atol=1e-5)


def test_maps_are_kept_in_half_precision_and_can_be_mirrored(prepared: Prepared, home: Home) -> None:
    encoder = make_encoder(maps=True)
    features = cached_features(encoder, "maps", prepared, home)
    assert features.values.dtype == np.float16
    expected = encoder.predict(prepared.inputs[fitting_rows(prepared)], verbose=0)
    np.testing.assert_allclose(features.values, expected, atol=2e-3)
    data = feature_data(prepared, features)
    seen = next(training_batches(data, Recipe(batch_size=61, flip=True)))[0]
    plain = [np.array_equal(one, data.inputs[row]) for row, one in enumerate(seen)]
    mirrored = [np.array_equal(one, data.inputs[row, :, ::-1]) for row, one in enumerate(seen)]
    assert all(a != b for a, b in zip(plain, mirrored, strict=True))
    assert 15 < sum(mirrored) < 46


def test_what_cannot_be_ready_in_time_is_given_up_early(
    prepared: Prepared, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "BATCH_SIZE", 4)
    with pytest.raises(TooSlow, match=r"would take about \d+ s; 0 s were left"):
        cached_features(make_encoder(), "slow", prepared, home, max_seconds=1e-6)
    assert folders(home) == []


def test_a_full_disk_costs_the_trial_and_leaves_nothing(
    prepared: Prepared, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "free_bytes", lambda path: 1000)
    with pytest.raises(TooSlow, match="The disk has no room for"):
        cached_features(make_encoder(), "big", prepared, home)
    assert folders(home) == []
