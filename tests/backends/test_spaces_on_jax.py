"""Every space on JAX: it builds, learns in every weight, is saved and loaded, and answers as on TensorFlow."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.backends.children import needs_jax, on_jax
from tests.search_spaces.specs import PAIRS

pytestmark = [needs_jax, pytest.mark.slow]
FIRST = {name: kind for name, kind in reversed(PAIRS)}
"""A kind of data for each space."""
CHOSEN = [(name, kind) for name, kind in PAIRS if FIRST[name] == kind or name == "floor"]


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process on JAX made of all of them."""
    folder = tmp_path_factory.mktemp("answered")
    on_jax("-m", "tests.backends.answering", str(folder), *(word for pair in CHOSEN for word in pair))
    return folder


@pytest.mark.parametrize(("name", "kind"), CHOSEN)
def test_it_answers_the_same_on_both_backends(name: str, kind: str, answered: Path) -> None:
    """With the same weights, from the file that JAX wrote: to 1e-5 of the largest answer."""
    folder = answered / f"{name}, {kind}"
    error = folder / "error.txt"
    assert not error.is_file(), error.read_text()
    inputs, answer = (np.load(folder / f"{part}.npy") for part in ("inputs", "answer"))
    model = keras.saving.load_model(folder / "model.keras", compile=False, safe_mode=True)
    ours = np.asarray(model(inputs, training=False))
    np.testing.assert_allclose(ours, answer, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(answer).max())))


def test_tensorflow_was_not_loaded(answered: Path) -> None:
    """Although Keras saved and loaded networks, and set seeds."""
    told = json.loads((answered / "modules.json").read_text())
    assert told["backend"] == "jax" and "jax" in told["loaded"]
    assert not {"tensorflow", "tensorboard", "tf2onnx", "torch"} & set(told["loaded"])
