"""Networks of sequences: what is padding changes nothing, and what is exported answers alike at every length."""

import dataclasses
import json
import random
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

from records.data import DataSpec, InputKind
from records.spec import ForecastLayout, SeriesLayout, TextLayout
from records.task import get_task
from search_spaces import heads, sequences
from search_spaces.convolution1d import CONVOLUTION1D
from search_spaces.recurrent import RECURRENT
from search_spaces.sequence_floor import NUM_BINS, build_floor
from search_spaces.space import Space, read
from search_spaces.transformer import TRANSFORMER

SPACES = {space.name: space for space in (RECURRENT, TRANSFORMER, CONVOLUTION1D)}
CLASSES = {"labels": ("a", "b", "c"), "label_counts": (5, 3, 2)}
NUMBERS = {"task": "regression", "target_mean": 50.0, "target_std": 7.0, "num_train": 10}
SPECS = {
    "text": DataSpec(
        kind=InputKind.TEXT,
        input_shape=(11,),
        dtype="int32",
        layout=TextLayout(vocabulary=29, tokenizer="learnt"),
        **CLASSES,  # type: ignore[arg-type]
    ),
    "series": DataSpec(
        kind=InputKind.SERIES,
        input_shape=(13, 4),
        dtype="float32",
        layout=SeriesLayout(channels=("x", "y", "z")),
        **CLASSES,  # type: ignore[arg-type]
    ),
    "long series": DataSpec(
        kind=InputKind.SERIES,
        input_shape=(1100, 2),
        dtype="float32",
        layout=SeriesLayout(channels=("x",)),
        **CLASSES,  # type: ignore[arg-type]
    ),
    "numbers": DataSpec(
        kind=InputKind.SERIES,
        input_shape=(13, 3),
        dtype="float32",
        layout=SeriesLayout(channels=("x", "y")),
        **NUMBERS,  # type: ignore[arg-type]
    ),
    "forecast": DataSpec(
        kind=InputKind.FORECAST,
        input_shape=(14, 6),
        dtype="float32",
        task="forecasting",
        num_train=10,
        layout=ForecastLayout(
            history=9, horizon=5, season=3, quantiles=(0.1, 0.5, 0.9), past=("rain",), known=("hour",)
        ),
    ),
}
PADDED = ("text", "series", "long series", "numbers")
KINDS = (
    "text",
    "series",
    "forecast",
    *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("long series", "numbers")),
)
"""The last two go the same ways as series."""


def make_inputs(spec: DataSpec, count: int = 3, padding: int = 0) -> np.ndarray:
    """Sequences of full, half and a third length and so on; windows whose past begins later."""
    rng = np.random.default_rng(0)
    steps = spec.input_shape[0]
    inputs = np.zeros((count, steps + padding, *spec.input_shape[1:]), spec.dtype)
    for i in range(count):
        length = max(1, steps // (i + 1))
        if spec.kind is InputKind.TEXT:
            inputs[i, :length] = rng.integers(1, spec.text.vocabulary, length)
        elif spec.kind is InputKind.SERIES:
            inputs[i, :length] = rng.normal(size=(length, spec.input_shape[1]))
            inputs[i, :length, -1] = 1.0
        else:
            inputs[i] = rng.normal(size=spec.input_shape)
            inputs[i, :, -3] = 1.0
            inputs[i, :, -2:] = 100.0 * (i + 1), 3.0
            inputs[i, : 2 * i, :-2] = 0.0
            inputs[i, spec.forecast.history :, [0, 1, -3]] = 0.0
    return inputs


def build(space: Space, spec: DataSpec, sampled: int = 0) -> keras.Model:
    """A network with weights that are not at their initial values; sampled hyperparameters where asked for."""
    given = sample(space, spec, sampled) if sampled else {}
    network = space.build(read(space, given, spec), spec, get_task(spec.task))
    rng = np.random.default_rng(3)
    for weight in network.weights:
        weight.assign(np.asarray(weight) * 0.9 + 0.01 * rng.random(weight.shape))
    return network


def sample(space: Space, spec: DataSpec, seed: int) -> dict:  # type: ignore[type-arg]
    hp = keras_tuner.HyperParameters()
    space.choices(hp, spec)
    rng = random.Random(seed)
    return {parameter.name: parameter.random_sample(rng.randrange(2**31)) for parameter in hp.space}


def predict(network: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """Without a graph, which would take longer to trace than to run."""
    return np.asarray(network(inputs, training=False))


def output_shape(spec: DataSpec) -> tuple[int, ...]:
    if spec.kind is InputKind.FORECAST:
        return spec.forecast.horizon, len(spec.forecast.quantiles)
    return (len(spec.labels),) if spec.labels else (1,)


def check_predictions(spec: DataSpec, predictions: np.ndarray) -> None:
    assert predictions.shape == (3, *output_shape(spec))
    assert np.isfinite(predictions).all()
    if spec.labels:
        np.testing.assert_allclose(predictions.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SPACES)
def test_the_defaults_build_are_saved_and_learn_in_every_weight(name: str, kind: str, tmp_path: Path) -> None:
    space, spec = SPACES[name], SPECS[kind]
    values = read(space, {}, spec)
    json.dumps(values)
    dataclasses.asdict(space.recipe(values))
    network, inputs = build(space, spec), make_inputs(spec)
    predictions = predict(network, inputs)
    check_predictions(spec, predictions)
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(predict(again, inputs), predictions, atol=1e-5)
    check_one_step_changes_every_weight(network, spec)


def check_one_step_changes_every_weight(network: keras.Model, spec: DataSpec) -> None:
    view, from_logits = heads.training_view(network)
    view.compile(keras.optimizers.Adam(1e-2), heads.HEADS[spec.task].loss(spec, from_logits), run_eagerly=True)
    before = [np.asarray(weight) for weight in network.trainable_weights]
    inputs = make_inputs(spec, 8)
    rng = np.random.default_rng(5)
    targets = {
        "classification": np.eye(3, dtype=np.float32)[np.arange(8) % 3],
        "regression": rng.normal(size=(8, 1)).astype(np.float32),
        "forecasting": rng.normal(size=(8, 5)).astype(np.float32),
    }
    view.train_on_batch(inputs, targets[spec.task])
    for weight, old in zip(network.trainable_weights, before, strict=True):
        assert not np.array_equal(np.asarray(weight), old), weight.path


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "series", "forecast"])
@pytest.mark.parametrize("name", SPACES)
def test_random_samples_build_and_padding_changes_nothing(name: str, kind: str) -> None:
    spec = SPECS[kind]
    for seed in range(1, 5):
        network = build(SPACES[name], spec, seed)
        predictions = predict(network, make_inputs(spec))
        check_predictions(spec, predictions)
        if kind in PADDED:
            padded = predict(network, make_inputs(spec, padding=7))
            np.testing.assert_allclose(padded, predictions, atol=1e-5)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "forecast"])
@pytest.mark.parametrize("name", [*SPACES, "floor"])
def test_padding_changes_nothing_and_no_step_at_all_is_finite(name: str, kind: str) -> None:
    spec = SPECS[kind]
    network = build_floor(spec, get_task(spec.task)) if name == "floor" else build(SPACES[name], spec)
    if name == "floor":
        for weight in network.weights:
            weight.assign(np.asarray(weight) + np.random.default_rng(2).normal(size=weight.shape))
    predictions = predict(network, make_inputs(spec))
    scale = 1.0 if spec.labels else spec.target_std
    np.testing.assert_allclose(predict(network, make_inputs(spec, padding=7)), predictions, atol=1e-5 * scale)
    assert np.ptp(predictions, axis=0).max() > 1e-4  # the inputs do matter
    nothing = np.zeros((2, *spec.input_shape), spec.dtype)
    assert np.isfinite(predict(network, nothing)).all()


def test_what_is_before_a_window_begins_changes_nothing() -> None:
    """An LSTM with attention over its states, on windows whose first steps were not observed."""
    spec = SPECS["forecast"]
    inputs = make_inputs(spec)
    other = inputs.copy()
    other[2, :4, :-3] = 77.0  # not observed: the mask is 0 there
    for name, space in SPACES.items():
        network = build(space, spec)
        before, after = predict(network, inputs), predict(network, other)
        np.testing.assert_allclose(after, before, rtol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "series", "long series", "numbers", "forecast"])
@pytest.mark.parametrize("name", [*SPACES, "floor"])
def test_what_is_exported_answers_alike_at_every_length(name: str, kind: str, tmp_path: Path) -> None:
    import onnxruntime

    spec = SPECS[kind]
    if name == "floor" and kind == "forecast":
        pytest.skip("windows have another floor")
    for sampled in (0, 3):
        network = build_floor(spec, get_task(spec.task)) if name == "floor" else build(SPACES[name], spec, sampled)
        view = heads.export_view(network)
        view(make_inputs(spec))
        view.export(tmp_path / "model.onnx", format="onnx", verbose=False)
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
        for count, padding in ((3, 0), (1, 0), (5, 6 if kind in PADDED else 0)):
            inputs = make_inputs(spec, count, padding)
            prediction, embedding = session.run(None, {session.get_inputs()[0].name: inputs})
            np.testing.assert_allclose(prediction, predict(network, inputs), rtol=1e-5, atol=1e-4)
            assert embedding.ndim == 2 and len(embedding) == count


def pooled(x: np.ndarray, length: int, how: str, query: np.ndarray) -> np.ndarray:
    """What `sequences.pool` should give, for one sequence whose first `length` steps are real."""
    real = x[:length]
    if how == "mean_max":
        return np.concatenate([real.mean(axis=0), real.max(axis=0)])
    if how == "attention":
        weights = np.exp(real @ query)
        return (real * weights / weights.sum()).sum(axis=0)
    return {"mean": real.mean(axis=0), "max": real.max(axis=0), "last": real[-1]}[how]


@pytest.mark.parametrize("how", sequences.POOLINGS)
def test_pooling_sees_the_real_steps_alone(how: str) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(3, 7, 5)) - 2).astype(np.float32)  # a maximum below 0: a zero of the padding would win
    lengths = (7, 3, 1)
    mask = (np.arange(7)[None, :, None] < np.array(lengths)[:, None, None]).astype(np.float32)
    tensors = keras.Input((None, 5)), keras.Input((None, 1))
    network = keras.Model(tensors, sequences.pool(*tensors, how))
    query = np.asarray(network.weights[0]) if network.weights else np.zeros((5, 1))
    found = predict(network, [x * mask, mask])
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(found[row], pooled(x[row], length, how, query), rtol=1e-5, atol=1e-5)
    assert not predict(network, [np.zeros_like(x), np.zeros_like(mask)]).any()


def test_an_unknown_choice_is_refused() -> None:
    spec, task = SPECS["series"], get_task("classification")
    for space, name, value in (
        (RECURRENT, "cell", "rnn"),
        (RECURRENT, "pooling", "sum"),
        (TRANSFORMER, "preset", "gpt"),
        (TRANSFORMER, "pooling", "sum"),
        (CONVOLUTION1D, "norm", "group"),
        (CONVOLUTION1D, "kernels", "7"),
    ):
        with pytest.raises(ValueError, match=f"Received: '{value}'"):
            space.build(read(space, {f"{space.name}/{name}": value}, spec), spec, task)
    image = DataSpec(kind=InputKind.IMAGE, input_shape=(8, 8, 3), dtype="uint8")
    with pytest.raises(ValueError, match="takes text, series or forecast. Received: image"):
        sequences.front(image, 8, 8)
    with pytest.raises(ValueError, match="for text and series. Received: image"):
        build_floor(image, task)


@pytest.mark.parametrize("kind", ["text", "series"])
def test_the_floor_starts_with_the_share_of_each_class(kind: str) -> None:
    spec = SPECS[kind]
    predictions = predict(build_floor(spec, get_task("classification")), make_inputs(spec))
    np.testing.assert_allclose(predictions, np.tile([6 / 13, 4 / 13, 3 / 13], (3, 1)), atol=1e-6)


def test_the_floor_starts_with_the_mean() -> None:
    spec = SPECS["numbers"]
    predictions = predict(build_floor(spec, get_task("regression")), make_inputs(spec))
    np.testing.assert_allclose(predictions, 50.0, atol=1e-4)


def test_the_floor_sees_the_means_of_eight_parts() -> None:
    spec = SPECS["series"]
    network = build_floor(spec, get_task("classification"))
    inputs = make_inputs(spec)
    seen = predict(keras.Model(network.input, network.get_layer(heads.EMBEDDING).output), inputs)
    for i, length in enumerate((13, 6, 4)):
        # every step in 8 slices, then as many slices to a part as there are steps
        slices = np.repeat(inputs[i, :length, :-1], NUM_BINS, axis=0)
        means = slices.reshape(NUM_BINS, length, 3).mean(axis=1)
        np.testing.assert_allclose(seen[i].reshape(NUM_BINS, 3), means, atol=1e-5)


@pytest.mark.parametrize("name", SPACES)
def test_hyperparameters_begin_with_the_space_and_have_the_same_choices_for_every_kind(name: str) -> None:
    found: dict[str, object] = {}
    for spec in SPECS.values():
        hp = keras_tuner.HyperParameters()
        SPACES[name].choices(hp, spec)
        assert all(parameter.name.startswith(f"{name}/") for parameter in hp.space)
        for parameter in hp.space:
            if parameter.name != f"{name}/batch_size":  # it follows the number of examples
                choices = (getattr(parameter, "min_value", None), set(getattr(parameter, "values", ())))
                assert found.setdefault(parameter.name, choices) == choices


def test_few_examples_are_seen_often_in_small_batches() -> None:
    few = sequences.effort(dataclasses.replace(SPECS["numbers"], num_train=60))
    many = sequences.effort(dataclasses.replace(SPECS["numbers"], num_train=60_000))
    assert few["max_epochs"] > 5 * many["max_epochs"] and few["batch_sizes"][0] < many["batch_sizes"][0]
