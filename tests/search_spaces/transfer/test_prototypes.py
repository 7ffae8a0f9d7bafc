"""Classes as directions: where they start, what is answered, and that few examples suffice."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from search_spaces import heads
from search_spaces.catalog import SPACES
from search_spaces.frozen_backbone import build_head
from search_spaces.space import read
from search_spaces.transfer.prototypes import PROTOTYPES, RATE, SCALE
from tests.search_spaces.specs import LABELS, SPECS, make_spec, task_of

SPACE = SPACES["frozen_backbone"]
CHOSEN = {"frozen_backbone/head": PROTOTYPES, "frozen_backbone/dropout_rate": 0.0}
NUM_FEATURES = 13
FEATURES = dataclasses.replace(make_spec(), input_shape=(NUM_FEATURES,), dtype="float32")


def head(given: dict[str, object] = CHOSEN) -> keras.Model:
    return build_head(read(SPACE, given, make_spec()), FEATURES, task_of(FEATURES))


def examples(per_class: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Features around a centre for each class, with an offset that all have in common."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(len(LABELS)), per_class)
    centres = rng.normal(size=(len(LABELS), NUM_FEATURES))
    features = centres[classes] + 0.3 * rng.normal(size=(len(classes), NUM_FEATURES)) + 5.0
    return features.astype(np.float32), np.eye(len(LABELS), dtype=np.float32)[classes]


def unit(x: np.ndarray, axis: int) -> np.ndarray:
    return x / np.linalg.norm(x, axis=axis, keepdims=True)


def step(model: keras.Model, optimizer: keras.optimizers.Optimizer, times: int = 1) -> None:
    view, from_logits = heads.training_view(model)
    view.compile(optimizer, heads.HEADS["classification"].loss(FEATURES, from_logits))
    for _ in range(times):
        view.train_on_batch(*examples())


def test_one_step_from_nothing_makes_each_class_the_mean_of_its_examples() -> None:
    """Snell 2017, equation 1, of features of length 1 and less the mean of all, as the cosine wants it."""
    model = head()
    step(model, keras.optimizers.SGD(0.01))
    features, one_hot = examples()
    norm = keras.ops.convert_to_numpy(features)
    lengthless = unit((norm - norm.mean(0)) / np.sqrt(norm.var(0) + 1e-3), axis=1)
    means = one_hot.T @ lengthless / one_hot.sum(0)[:, None]
    expected = unit(means - lengthless.mean(0), axis=1)
    np.testing.assert_allclose(model.get_layer("prototypes").get_weights()[0].T, expected, atol=1e-4)


def test_an_answer_is_the_softmax_of_scaled_cosines_also_saved_and_exported(tmp_path: Path) -> None:
    model = head()
    step(model, keras.optimizers.AdamW(0.01), times=9)
    features = examples()[0]
    mean, variance = model.get_layer("feature_norm").get_weights()
    directions = unit(model.get_layer("prototypes").get_weights()[0], axis=0)
    cosines = unit((features - mean) / np.sqrt(variance + 1e-3), axis=1) @ directions
    scaled = np.exp(cosines * SCALE * model.get_layer("inverse_temperature").get_weights()[0].item())
    expected = scaled / scaled.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_on_batch(features), expected, atol=1e-5)
    assert model.get_layer("inverse_temperature").get_weights()[0].item() != 1.0

    model.save(tmp_path / "head.keras")
    again = keras.saving.load_model(tmp_path / "head.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(again.predict_on_batch(features), expected, atol=1e-5)
    view = heads.export_view(again)
    view(features)
    view.export(tmp_path / "head.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "head.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: features})
    np.testing.assert_allclose(found[0], expected, atol=1e-5)


def test_heads_that_compare_start_at_nothing_and_learn_in_every_weight() -> None:
    for given in (CHOSEN, {}):
        model = head(given)
        np.testing.assert_allclose(model.predict_on_batch(examples()[0]), 1 / len(LABELS), atol=1e-6)
        step(model, keras.optimizers.Adam(0.01), times=2)
        assert all(np.any(np.asarray(weight) != 0) for weight in model.trainable_weights)


@pytest.mark.parametrize("hidden_units", [0, 128])
def test_prototypes_have_no_hidden_layer_and_a_rate_of_their_own(hidden_units: int) -> None:
    values = read(SPACE, {**CHOSEN, "frozen_backbone/hidden_units": hidden_units}, make_spec())
    plain = read(SPACE, {"frozen_backbone/hidden_units": hidden_units}, make_spec())
    assert values["hidden_units"] == 0 and plain["hidden_units"] == hidden_units
    assert values["learning_rate"] == RATE * plain["learning_rate"]
    assert SPACE.encoder_key is not None and SPACE.encoder_key(values) == SPACE.encoder_key(plain)


def test_texts_may_be_compared_too() -> None:
    spec = dataclasses.replace(SPECS["pretrained text"], input_shape=(NUM_FEATURES,), dtype="float32")
    values = {"head": PROTOTYPES, "hidden_units": 0, "dropout_rate": 0.5}
    assert build_head(values, spec, task_of(spec)).output_shape == (None, spec.num_classes)
