"""Which library Keras computes with, found without importing it; and what an export in a child says when it fails."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from pipelines import backend, export_child
from pipelines.backend import check_backend, configured, environment_of_child, libraries, what_is_wrong
from pipelines.costs import EXPORTING_CHILD, guess
from pipelines.doctor.examine import keras_checks
from pipelines.doctor.probes import Answer
from pipelines.export import export_function, fastest, save_keras
from records.errors import ConfigError
from tests.backends.children import ROOT
from tests.test_house import imported


def test_the_backend_is_found_as_keras_finds_it(tmp_path: Path) -> None:
    assert configured({"KERAS_BACKEND": "jax", "KERAS_HOME": str(tmp_path)}) == "jax"
    assert configured({"KERAS_HOME": str(tmp_path)}) == "tensorflow"
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    assert configured({"KERAS_HOME": str(tmp_path)}) == "jax"
    assert configured({"KERAS_BACKEND": "tensorflow", "KERAS_HOME": str(tmp_path)}) == "tensorflow"
    for broken in ("no json", "[]", '{"backend": 3}'):
        (tmp_path / "keras.json").write_text(broken)
        assert configured({"KERAS_HOME": str(tmp_path)}) == "tensorflow"


def test_this_process_agrees() -> None:
    assert configured() == keras.backend.backend()


def test_a_backend_that_nobody_tried_or_that_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert what_is_wrong("tensorflow") is None
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(ConfigError, match="^KERAS_BACKEND is 'torch'. Expected tensorflow or jax.$"):
        check_backend()
    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    assert what_is_wrong("jax") == "KERAS_BACKEND is jax, which is not installed. Run: pip install 'kerasmith[jax]'"


def test_the_doctor_says_what_computes_and_what_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"keras": "3.15.1", "backend": "jax 0.10.2", "seconds": 2.5, "devices": []}
    told = keras_checks(Answer(fields=fields))[0]
    assert told.ok and "Keras 3.15.1 on jax 0.10.2" in told.what and "exported by TensorFlow" in told.what
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    (check,) = keras_checks(Answer(error="whatever the import said"))
    assert check.ok is False and "Expected tensorflow or jax" in check.what and check.fix


def test_packaging_on_jax_is_given_the_time_of_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    assert guess("jax").packaging(0) == guess("tensorflow").packaging(0) + EXPORTING_CHILD
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert libraries() == ("jax", "tensorflow")
    told = environment_of_child()
    assert (told["KERAS_BACKEND"], told["CUDA_VISIBLE_DEVICES"]) == ("tensorflow", "-1")


def small_network() -> keras.Model:
    inputs = keras.Input((5,), name="x")
    features = keras.layers.Dense(7, activation="gelu", name="embedding")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(features))


@pytest.mark.slow
def test_a_child_writes_the_files_and_compares_the_engines(tmp_path: Path) -> None:
    model, sample = save_keras(small_network(), tmp_path), np.ones((4, 5), np.float32)
    engines = export_child.engines_elsewhere(tmp_path, sample, np.asarray(model(sample)))
    assert {one.name: one.usable for one in engines}["onnxruntime"] and fastest(engines).latency_ms
    assert (tmp_path / "model.onnx").is_file()


@pytest.mark.slow
def test_what_a_child_says_is_told_and_keras_own_engine_is_left(tmp_path: Path) -> None:
    model, sample = save_keras(small_network(), tmp_path), np.ones((4, 5), np.float32)
    expected = np.asarray(model(sample))
    (tmp_path / "model.keras").rename(tmp_path / "elsewhere.keras")
    engines = {one.name: one for one in export_child.engines_elsewhere(tmp_path, sample, expected)}
    assert not engines["onnxruntime"].usable
    assert "ended with exit code 1" in engines["onnxruntime"].note and "model.keras" in engines["onnxruntime"].note


def test_a_child_that_is_killed_leaves_keras_own_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, sample = save_keras(small_network(), tmp_path), np.ones((4, 5), np.float32)

    def killed(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], -signal.SIGKILL, "", "")

    monkeypatch.setattr(export_child.subprocess, "run", killed)
    engines = export_child.engines_elsewhere(tmp_path, sample, np.asarray(model(sample)))
    assert "signal 9, as the system does where memory runs out" in engines[0].note
    assert fastest(engines).name == "keras"


@pytest.mark.slow
def test_a_function_is_exported_by_a_child_where_this_process_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, sample = small_network(), np.ones((1, 5), np.float32)
    expected = np.asarray(model(sample))
    monkeypatch.setattr(keras.backend, "backend", lambda: "another")
    run = export_function(model, tmp_path / "inner.onnx", sample, 1)
    assert run is not None
    np.testing.assert_allclose(run(sample), expected, atol=1e-6)


def test_nothing_is_imported_to_find_out() -> None:
    program = "import sys, pipelines.backend as b; b.check_backend(); print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("library", "module"), [("jax", "pipelines/jax_steps.py"), ("tensorflow", "pipelines/steps.py")]
)
def test_each_backend_is_named_in_one_file(library: str, module: str) -> None:
    """But for Keras' own switch for TensorFlow, and a program that the doctor runs."""
    naming = {
        path.relative_to(ROOT).as_posix()
        for folder in ("pipelines", "search_spaces")
        for path in (ROOT / folder).rglob("*.py")
        if any(name.split(".")[0] == library for name in imported(path))
    }
    assert naming == {module}
