"""Networks that are averaged answer as the mean of what each says, in memory, from a file, and in ONNX Runtime."""

from pathlib import Path

import keras
import numpy as np
import pytest

from pipelines.export import compare_engines, export_onnx, save_keras
from records.data import DataSpec
from search_spaces import heads
from search_spaces.averaging import average
from search_spaces.catalog import SPACES
from search_spaces.space import read
from search_spaces.text_backbones import text_backbone_available
from tests.search_spaces.specs import SPECS, inputs_for, task_of, trained_spec

MIXES: dict[str, tuple[str, ...]] = {
    "image": ("floor", "cnn"),
    "text": ("floor", "convolution1d"),
    "series": ("recurrent", "transformer"),
    "table": ("mlp", "mlp"),
    "regression": ("floor", "mlp"),
    "forecast": ("floor", "linear_forecast", "convolution1d"),
}
"""Spaces whose networks are averaged; one for each way to an answer."""
PRETRAINED: dict[str, tuple[str, ...]] = {
    "pretrained text": ("floor", "frozen_text"),
    "table with text": ("mlp", "mlp_with_text"),
}
"""With tens of millions of weights."""


def make_network(name: str, spec: DataSpec, seed: int) -> keras.Model:
    """With weights that are all drawn, as if it were trained."""
    space = SPACES[name]
    keras.utils.set_random_seed(seed)
    values = read(space, {}, spec)
    network = space.build(values, trained_spec(space, spec, values), task_of(spec))
    rng = np.random.default_rng(seed)
    network.set_weights([value + 0.1 * rng.random(value.shape).astype(value.dtype) for value in network.get_weights()])
    return network if space.encoder is None else heads.join(space.encoder(values, spec), network, name)


def mean_of(networks: list[keras.Model], weights: list[float], inputs: np.ndarray) -> np.ndarray:
    said = [np.asarray(network.predict_on_batch(inputs), np.float64) for network in networks]
    return np.sum([weight * one for weight, one in zip(weights, said, strict=True)], axis=0)


def check(spec: DataSpec, names: tuple[str, ...], folder: Path) -> None:
    networks = [make_network(name, spec, seed) for seed, name in enumerate(names)]
    weights = (np.arange(2.0, len(names) + 2) / np.arange(2.0, len(names) + 2).sum()).tolist()
    inputs = inputs_for(spec, 5)
    expected = mean_of(networks, weights, inputs)
    made = average(networks, weights)
    said = np.asarray(made.predict_on_batch(inputs))
    np.testing.assert_allclose(said, expected, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(expected).max()))
    assert made.count_params() == sum(network.count_params() for network in networks)

    saved = save_keras(made, folder)
    assert saved is made, "its embedding is found by its name"
    assert export_onnx(saved, folder, inputs) is None
    for engine in compare_engines(folder, inputs, said, None):
        assert engine.usable, engine


@pytest.mark.parametrize("kind", MIXES)
def test_it_answers_the_mean_wherever_it_runs(kind: str, tmp_path: Path) -> None:
    check(SPECS[kind], MIXES[kind], tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(text_backbone_available() is not None, reason="the text backbone's weights are not installed")
@pytest.mark.parametrize("kind", PRETRAINED)
def test_it_holds_a_pretrained_network(kind: str, tmp_path: Path) -> None:
    check(SPECS[kind], PRETRAINED[kind], tmp_path)


def test_its_embedding_holds_all_of_theirs_side_by_side() -> None:
    networks = [make_network(name, SPECS["series"], seed) for seed, name in enumerate(("floor", "convolution1d"))]
    inputs = inputs_for(SPECS["series"], 4)
    each = [keras.Model(one.input, one.get_layer(heads.EMBEDDING).output).predict_on_batch(inputs) for one in networks]
    made = average(networks, [0.25, 0.75])
    together = keras.Model(made.input, made.get_layer(heads.EMBEDDING).output).predict_on_batch(inputs)
    np.testing.assert_allclose(together, np.concatenate(each, axis=1), rtol=1e-6)


def own_network(spec: DataSpec, with_detour: bool, name: str) -> keras.Model:
    """A user's own: without an embedding, or with weights that lie before and behind it."""
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype)
    shared = keras.layers.Dense(spec.num_classes)(inputs)
    if not with_detour:
        return keras.Model(inputs, keras.layers.Softmax()(shared), name=name)
    embedding = keras.layers.Identity(name=heads.EMBEDDING)(shared)
    return keras.Model(inputs, keras.layers.Softmax()(keras.layers.Add()([embedding, shared])), name=name)


@pytest.mark.parametrize("with_detour", [False, True])
def test_a_users_own_network_is_averaged_too(with_detour: bool, tmp_path: Path) -> None:
    spec = SPECS["table"]
    networks = [own_network(spec, with_detour, "mine"), make_network("mlp", spec, 1)]
    inputs = inputs_for(spec, 6)
    made = average(networks, [0.5, 0.5])
    saved = save_keras(made, tmp_path)
    assert export_onnx(saved, tmp_path, inputs) is None
    engines = compare_engines(tmp_path, inputs, mean_of(networks, [0.5, 0.5], inputs), None)
    assert all(engine.usable for engine in engines), engines


def test_a_users_own_forecast_without_an_embedding(tmp_path: Path) -> None:
    spec = SPECS["forecast"]
    layout = spec.forecast
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype)
    flat = keras.layers.Dense(layout.horizon * 3)(keras.layers.Flatten()(inputs))
    own = keras.Model(inputs, keras.layers.Reshape((layout.horizon, 3))(flat))
    networks, given = [make_network("linear_forecast", spec, 1), own], inputs_for(spec, 3)
    said = average(networks, [0.7, 0.3]).predict_on_batch(given)
    np.testing.assert_allclose(said, mean_of(networks, [0.7, 0.3], given), rtol=1e-5)


@pytest.mark.parametrize("weights", [[1.0], [0.5, 0.4], [1.0, 0.0]])
def test_weights_that_are_no_mean_are_refused(weights: list[float]) -> None:
    networks = [make_network("floor", SPECS["table"], seed) for seed in range(len(weights))]
    with pytest.raises(ValueError, match=r"Expected two or more networks|more than 0 and together 1"):
        average(networks, weights)
