"""Random convolutions as a search space: a frozen encoder, a linear head, one network for export."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from records.data import DataSpec, InputKind
from records.spec import SeriesLayout
from records.task import get_task
from search_spaces import heads
from search_spaces.rocket.space import ROCKET, SEED
from search_spaces.space import read

SPEC = DataSpec(
    kind=InputKind.SERIES,
    input_shape=(40, 2),
    dtype="float32",
    layout=SeriesLayout(channels=("x",)),
    labels=("slow", "fast"),
    label_counts=(30, 30),
)
VALUES = {"rocket/num_features": 1000}


def waves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sine waves of two frequencies and any phase in noise, of 25 to 40 steps."""
    rng = np.random.default_rng(seed)
    labels, series = np.arange(count) % 2, np.zeros((count, 40, 2), np.float32)
    for i, label in enumerate(labels):
        length = rng.integers(25, 41)
        steps = np.arange(length) * (0.5, 0.8)[label] + rng.uniform(0, 2 * np.pi)
        series[i, :length, 0] = np.sin(steps) + rng.normal(size=length) * 0.3
        series[i, :length, 1] = 1.0
    return series, labels


def make_head(spec: DataSpec, features: np.ndarray, **values: object) -> keras.Model:
    given = VALUES | {f"rocket/{name}": value for name, value in values.items()}
    feature_spec = dataclasses.replace(spec, input_shape=features.shape[1:], dtype="float32")
    return ROCKET.build(read(ROCKET, given, spec), feature_spec, get_task(spec.task))


def trained(seed: int = 0) -> tuple[keras.Model, keras.Model]:
    """The encoder, and a head after a few steps."""
    assert ROCKET.encoder is not None
    keras.utils.set_random_seed(seed)
    encoder = ROCKET.encoder(read(ROCKET, VALUES, SPEC), SPEC)
    series, labels = waves(60, seed=1)
    features = np.asarray(encoder(series))
    head = make_head(SPEC, features, dropout_rate=0.2)
    view, from_logits = heads.training_view(head)
    view.compile(keras.optimizers.AdamW(3e-3), heads.HEADS["classification"].loss(SPEC, from_logits))
    for _ in range(40):
        view.train_on_batch(features, np.eye(2, dtype=np.float32)[labels])
    return encoder, head


def test_a_linear_head_tells_waves_of_two_frequencies_apart() -> None:
    encoder, head = trained()
    series, labels = waves(60, seed=2)
    predictions = np.asarray(head(encoder(series), training=False))
    assert (predictions.argmax(axis=1) == labels).mean() >= 0.95


@pytest.mark.slow
def test_encoder_and_head_are_one_exported_network(tmp_path: Path) -> None:
    import onnxruntime

    encoder, head = trained()
    network = heads.join(encoder, head, "rocket")
    series, _ = waves(30, seed=3)
    expected = np.asarray(head(encoder(series), training=False))
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(np.asarray(again(series, training=False)), expected, atol=1e-5)
    view = heads.export_view(again)
    view(series)
    view.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    prediction, embedding = session.run(None, {session.get_inputs()[0].name: series})
    np.testing.assert_allclose(prediction, expected, atol=1e-4)
    assert embedding.shape == (30, 1000)


def test_a_head_starts_without_an_opinion() -> None:
    features = np.random.default_rng(0).random((3, 50)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(make_head(SPEC, features)(features)), 0.5, atol=1e-6)
    numbers = dataclasses.replace(
        SPEC, task="regression", labels=(), label_counts=(), num_train=9, target_mean=70.0, target_std=5.0
    )
    np.testing.assert_allclose(np.asarray(make_head(numbers, features)(features)), 70.0, atol=1e-3)


def test_the_key_tells_kernels_and_sizes_of_series_apart() -> None:
    assert ROCKET.encoder_key is not None
    keys = set()
    for variant in ("rocket", "minirocket"):
        for num_features in (1000, 10_000):
            for shape in ((40, 2), (41, 2), (40, 3)):
                spec = dataclasses.replace(SPEC, input_shape=shape)
                given = {"rocket/variant": variant, "rocket/num_features": num_features}
                keys.add(ROCKET.encoder_key(read(ROCKET, given, spec)))
    assert len(keys) == 12
    # what a head is like has no part in it
    other = read(ROCKET, VALUES | {"rocket/dropout_rate": 0.1, "rocket/learning_rate": 1e-4}, SPEC)
    assert ROCKET.encoder_key(other) == ROCKET.encoder_key(read(ROCKET, VALUES, SPEC))
    assert f"seed{SEED}" in ROCKET.encoder_key(other)


def test_an_unknown_variant_is_refused() -> None:
    assert ROCKET.encoder is not None
    with pytest.raises(ValueError, match="`rocket/variant` must be one of rocket, minirocket. Received: 'hydra'"):
        ROCKET.encoder(read(ROCKET, {"rocket/variant": "hydra"}, SPEC), SPEC)
