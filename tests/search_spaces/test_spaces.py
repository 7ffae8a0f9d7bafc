"""What every search space must satisfy, a user's own included."""

import dataclasses
import json
import random
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest

from records.config import RunConfig
from records.data import DataSpec
from records.errors import ConfigError
from records.task import get_task
from search_spaces import heads
from search_spaces.catalog import SPACES, load_space, open_spaces
from search_spaces.portfolio import PORTFOLIO, portfolio
from search_spaces.space import Replay, Space, read
from tests.search_spaces.specs import (
    PAIRS,
    SPECS,
    inputs_for,
    loss_targets_for,
    make_spec,
    output_shape,
    task_of,
    trained_spec,
)

TASK = get_task("classification")
IMAGE_SPACES = [name for name, kind in PAIRS if kind == "image"]
GOLDEN = Path(__file__).parent / "golden" / "hyperparameters.json"
NUM_FEATURES = 13


def sample(space: Space, spec: DataSpec, seed: int) -> dict:  # type: ignore[type-arg]
    """Random hyperparameters, drawn as the search would."""
    hp = keras_tuner.HyperParameters()
    space.choices(hp, spec)
    rng = random.Random(seed)
    return {parameter.name: parameter.random_sample(rng.randrange(2**31)) for parameter in hp.space}


def check_space(space: Space, spec: DataSpec, tmp_path: Path) -> None:
    """The contract: every configuration builds, answers in the task's shape, learns in every weight, and is saved."""
    for seed in range(2 if space.encoder else 3):  # loading a backbone takes seconds
        values = read(space, {} if seed == 0 else sample(space, spec, seed), spec)
        given = trained_spec(space, spec, values)
        model = space.build(values, given, task_of(spec))
        inputs = inputs_for(given)
        predictions = np.asarray(model(inputs))
        assert predictions.shape == (2, *output_shape(spec)) and np.isfinite(predictions).all()
        if spec.labels:
            np.testing.assert_allclose(predictions.sum(axis=1), 1.0, atol=1e-5)
        assert not getattr(model, "compiled", False)
        json.dumps(values)  # a trial's row holds them
        dataclasses.asdict(space.recipe(values))
    path = tmp_path / "model.keras"
    model.save(path)
    again = keras.saving.load_model(path, compile=False, safe_mode=True)
    np.testing.assert_allclose(np.asarray(again(inputs)), predictions, rtol=1e-5, atol=1e-6)
    check_one_step_changes_every_weight(space, spec)


def check_one_step_changes_every_weight(space: Space, spec: DataSpec) -> None:
    keras.utils.set_random_seed(1)
    values = read(space, {}, spec)
    given = trained_spec(space, spec, values)
    model = space.build(values, given, task_of(spec))
    view, from_logits = heads.training_view(model)
    view.compile(keras.optimizers.Adam(1e-2), heads.HEADS[spec.task].loss(spec, from_logits))
    before = [np.asarray(weight) for weight in model.trainable_weights]
    for _ in range(2):  # a last layer that starts at 0 passes no gradient on in the first step
        view.train_on_batch(inputs_for(given, 8), loss_targets_for(spec, 8))
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert not np.array_equal(np.asarray(weight), old) and np.isfinite(np.asarray(weight)).all(), weight.path


@pytest.mark.parametrize(
    ("name", "kind"),
    [pytest.param(name, kind, marks=[pytest.mark.slow] if SPACES[name].on_request else []) for name, kind in PAIRS],
)
def test_space_contract(name: str, kind: str, tmp_path: Path) -> None:
    check_space(SPACES[name], SPECS[kind], tmp_path)


@pytest.mark.parametrize("kind", SPECS)
def test_every_kind_has_a_floor_and_something_to_search(kind: str) -> None:
    names = [name for name, called in PAIRS if called == kind]
    assert names[0] == "floor" and len(names) > 1


@pytest.mark.parametrize("name", IMAGE_SPACES)
@pytest.mark.parametrize("shape", [(4, 4, 1), (8, 8, 1), (37, 150, 3)])
def test_space_builds_for_every_shape(name: str, shape: tuple[int, int, int]) -> None:
    space, spec = SPACES[name], make_spec(*shape)
    values = read(space, {}, spec)
    model = space.build(values, trained_spec(space, spec, values), TASK)
    assert model.output_shape == (None, 5)


def test_hyperparameters_are_those_that_trials_were_stored_with() -> None:
    """Renaming one, or moving a range, makes earlier trials unreadable: then this file changes, knowingly."""
    found = {}
    for name, kind in PAIRS:
        hp = keras_tuner.HyperParameters()
        SPACES[name].choices(hp, SPECS[kind])
        found[f"{name}, {kind}"] = {parameter.name: described(parameter) for parameter in hp.space}
    assert found == json.loads(GOLDEN.read_text())


def described(parameter: keras_tuner.engine.hyperparameters.HyperParameter) -> list:  # type: ignore[type-arg]
    config = parameter.get_config()
    if "min_value" in config:
        return [config["min_value"], config["max_value"], config["sampling"], config["default"]]
    return [*config.get("values", ["boolean"]), "default", config["default"]]


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_names_begin_with_the_space(name: str, kind: str) -> None:
    hp = keras_tuner.HyperParameters()
    SPACES[name].choices(hp, SPECS[kind])
    assert all(parameter.name.startswith(f"{name}/") for parameter in hp.space)


@pytest.mark.parametrize("kind", ["image", "series", "forecast"])
def test_spaces_on_request_are_searched_only_where_they_are_named(kind: str) -> None:
    asked = {name for name, called in PAIRS if called == kind and SPACES[name].on_request}
    usual, _ = open_spaces(RunConfig(data="x"), SPECS[kind])
    assert asked and not asked & usual.keys() and "floor" in usual and len(usual) > 2
    named, _ = open_spaces(RunConfig(data="x", spaces=tuple(sorted(asked))), SPECS[kind])
    assert named.keys() == {"floor", *asked}


def test_floor_starts_as_the_majority_baseline() -> None:
    spec = make_spec()
    model = SPACES["floor"].build({}, spec, TASK)
    probabilities = np.asarray(model(inputs_for(spec, 3)))
    shares = (np.array(spec.label_counts) + 1) / (spec.num_train + 5)
    np.testing.assert_allclose(probabilities, np.tile(shares, (3, 1)), atol=1e-6)


def test_the_exported_view_gives_prediction_and_embedding() -> None:
    spec = make_spec()
    model = SPACES["cnn"].build(read(SPACES["cnn"], {}, spec), spec, TASK)
    prediction, embedding = heads.export_view(model)(inputs_for(spec))
    np.testing.assert_allclose(np.asarray(prediction), np.asarray(model(inputs_for(spec))), atol=1e-6)
    assert len(embedding.shape) == 2


def test_join_makes_one_network_of_encoder_and_head() -> None:
    spec = make_spec()
    space = SPACES["frozen_backbone"]
    features_spec = dataclasses.replace(spec, input_shape=(NUM_FEATURES,), dtype="float32")
    image = keras.Input(spec.input_shape, dtype="uint8")
    x = keras.layers.Conv2D(NUM_FEATURES, 3)(keras.layers.Rescaling(1 / 255)(image))
    features = keras.layers.GlobalAveragePooling2D()(x)
    encoder = keras.Model(image, features)
    head = space.build(read(space, {}, spec), features_spec, TASK)
    joined = heads.join(encoder, head, "joined")
    inputs = inputs_for(spec)
    np.testing.assert_allclose(np.asarray(joined(inputs)), np.asarray(head(encoder(inputs))), atol=1e-6)
    assert heads.export_view(joined)(inputs)[1].shape == (2, NUM_FEATURES)


@pytest.mark.parametrize(
    "name", ["floor", "cnn", "frozen_backbone", pytest.param("finetuned_backbone", marks=pytest.mark.slow)]
)
def test_whole_network_answers_alike_called_saved_and_exported(name: str, tmp_path: Path) -> None:
    """Images that are resized in the network: Keras' `Resizing` switches all that follows to training mode."""
    import onnxruntime

    space, spec = SPACES[name], make_spec(130, 90)
    values = read(space, {}, spec)
    part = space.build(values, trained_spec(space, spec, values), TASK)
    rng = np.random.default_rng(3)
    for weight in part.weights:  # nothing at its initial value, statistics and last layer included
        weight.assign(np.asarray(weight) * 0.9 + 0.01 * rng.random(weight.shape))
    network = heads.join(space.encoder(values, spec), part, name) if space.encoder else part
    inputs = inputs_for(spec, 3)
    expected = part.predict_on_batch(np.asarray(space.encoder(values, spec)(inputs)) if space.encoder else inputs)
    np.testing.assert_allclose(np.asarray(network(inputs)), expected, atol=1e-4)
    np.testing.assert_allclose(network.predict_on_batch(inputs), expected, atol=1e-4)
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(again.predict_on_batch(inputs), expected, atol=1e-4)
    view = heads.export_view(again)
    view(inputs)
    view.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    prediction, embedding = session.run(None, {session.get_inputs()[0].name: inputs})
    np.testing.assert_allclose(prediction, expected, atol=1e-4)
    assert embedding.ndim == 2 and len(embedding) == 3


def test_replay_answers_like_the_search_did() -> None:
    spec = make_spec()
    values = sample(SPACES["cnn"], spec, 5)
    replay = Replay(values)
    SPACES["cnn"].choices(replay, spec)
    assert replay.values == values


def test_portfolio_entries_name_hyperparameters_that_exist() -> None:
    for entry in PORTFOLIO:
        hp = keras_tuner.HyperParameters()
        kind = next(kind for name, kind in PAIRS if name == entry.space)
        SPACES[entry.space].choices(hp, SPECS[kind])
        known = {parameter.name: parameter for parameter in hp.space}
        for name, value in entry.values.items():
            assert name in known
            if isinstance(known[name], keras_tuner.engine.hyperparameters.Float):  # its `values` are a few at random
                assert known[name].min_value <= value <= known[name].max_value
            elif hasattr(known[name], "values"):
                assert value in known[name].values
    assert portfolio(make_spec(8, 8, 1), set(SPACES))[0].space == "cnn"
    assert portfolio(make_spec(160, 160, 3), set(SPACES))[0].space == "frozen_backbone"
    for kind, spec in SPECS.items():
        fitting = {name for name, called in PAIRS if called == kind}
        assert portfolio(spec, fitting), kind


OWN_SPACE = """
import keras

def choices(hp, spec):
    return {"units": hp.Int("own/units", 2, 9, default=4)}

def build(values, spec, task):
    inputs = keras.Input(spec.input_shape, dtype=spec.dtype)
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(values["units"])(x)
    return keras.Model(inputs, keras.layers.Dense(spec.num_classes, activation="softmax")(x))

class Wide:
    @staticmethod
    def choices(hp, spec):
        return choices(hp, spec)

    @staticmethod
    def build(values, spec, task):
        return build({"units": 99}, spec, task)
"""


@pytest.mark.parametrize("attribute", ["", ":Wide"])
def test_a_users_own_space_meets_the_contract(tmp_path: Path, attribute: str) -> None:
    (tmp_path / "own.py").write_text(OWN_SPACE)
    space = load_space(f"{tmp_path / 'own.py'}{attribute}")
    check_space(space, make_spec(), tmp_path)
    assert space.name == (attribute[1:] or "own")


@pytest.mark.parametrize(
    ("text", "ref", "message"),
    [
        (None, "own.py:net", "There is no file .*own.py"),
        ("x = 1", "own.py:net", "has no choices and no build"),
        ("def choices(hp, spec): ...", "own.py", "has no build"),
        ("import nothing_like_this", "own.py", r"cannot be run: ModuleNotFoundError: .* \(line 1\)"),
    ],
)
def test_a_space_that_cannot_be_used_is_refused(tmp_path: Path, text: str | None, ref: str, message: str) -> None:
    if text is not None:
        (tmp_path / "own.py").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_space(str(tmp_path / ref))


def test_an_unknown_space_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match="no search space 'resnet'. Known: floor, frozen_backbone, finetuned_backbone, cnn"
    ):
        open_spaces(RunConfig(data="x", spaces=("resnet",)), make_spec())


def test_the_floor_is_always_searched() -> None:
    spaces, _ = open_spaces(RunConfig(data="x", spaces=("cnn",)), make_spec())
    assert list(spaces) == ["floor", "cnn"]


def test_weights_that_cannot_be_had_are_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search_spaces.catalog.available", lambda: ([], [("lite", "Its package is missing.")]))
    spaces, left_out = open_spaces(RunConfig(data="x"), make_spec())
    assert list(spaces) == ["floor", "cnn"]
    assert left_out == [
        "Its package is missing.",
        "The space frozen_backbone was left out: no backbone can be had.",
        "The space finetuned_backbone was left out: no backbone can be had.",
    ]
