"""A temperature in the network: as the formula says, in Keras and in ONNX, and nothing else of the network changes."""

from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.special import softmax

from pipelines.export import export_onnx, save_keras
from search_spaces import heads
from search_spaces.averaging import average
from search_spaces.temperature import with_temperature
from serving.engines import KerasEngine, OnnxEngine

CLASSES = 5


def network(seed: int, named: bool = True) -> keras.Model:
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,), name="row")
    features = keras.layers.Dense(7, activation="relu")(inputs)
    if named:
        features = keras.layers.Identity(name=heads.EMBEDDING)(features)
    logits = keras.layers.Dense(CLASSES, kernel_initializer="random_normal")(features)
    return keras.Model(inputs, heads.probabilities(keras.layers.Rescaling(40.0)(logits)))


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(33, 4)).astype(np.float32)


@pytest.mark.parametrize("temperature", [0.25, 0.8, 1.7, 10.0])
def test_both_engines_give_what_the_formula_says(temperature: float, rows: np.ndarray, tmp_path: Path) -> None:
    plain = network(1)
    before = np.asarray(plain(rows))
    features = keras.Model(plain.input, plain.get_layer(heads.EMBEDDING).output)(rows)
    model = save_keras(with_temperature(plain, temperature), tmp_path)
    expected = softmax(np.log(np.maximum(before.astype(np.float64), 1e-30)) / temperature, axis=1)
    assert export_onnx(model, tmp_path, rows) is None
    for engine in (OnnxEngine(tmp_path), KerasEngine(tmp_path)):
        probabilities, embedding = engine.run(rows)
        np.testing.assert_allclose(probabilities, expected, atol=2e-6)
        np.testing.assert_allclose(embedding, features, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(probabilities.argmax(axis=1), before.argmax(axis=1))


def test_the_order_of_the_classes_stays(rows: np.ndarray) -> None:
    plain = network(2)
    before = np.asarray(plain(rows))
    for temperature in (0.5, 3.0):
        after = np.asarray(with_temperature(plain, temperature)(rows))
        np.testing.assert_allclose(after.sum(axis=1), 1.0, atol=1e-6)
        for old, new in zip(before, after, strict=True):
            order = np.argsort(-old, kind="stable")
            assert (np.diff(new[order]) <= 0).all()


def test_an_average_and_a_network_without_an_embedding_take_a_temperature(rows: np.ndarray, tmp_path: Path) -> None:
    several = average([network(3), network(4)], [0.7, 0.3])
    for i, plain in enumerate((several, network(5, named=False))):
        folder = tmp_path / str(i)
        folder.mkdir()
        model = save_keras(with_temperature(plain, 2.0), folder)
        roots = np.sqrt(np.asarray(plain(rows)).astype(np.float64))
        assert export_onnx(model, folder, rows) is None
        for engine in (OnnxEngine(folder), KerasEngine(folder)):
            np.testing.assert_allclose(engine.run(rows)[0], roots / roots.sum(axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_wrong_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="must be more than 0"):
        with_temperature(network(1), temperature)


def test_numbers_have_no_temperature() -> None:
    inputs = keras.Input((3, 4))
    with pytest.raises(ValueError, match=r"Expected a network that gives \[batch, classes\]"):
        with_temperature(keras.Model(inputs, keras.layers.Identity(name=heads.EMBEDDING)(inputs)), 2.0)
