import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from records.bundle import KERAS_MODEL, LITERT_MODEL, MANIFEST, ONNX_MODEL, Engine
from records.errors import BundleError
from serving.bundle import open_bundle
from serving.engines import ENGINES, EngineKind, KerasEngine, OnnxEngine, choose


def test_onnx_engine_gives_probabilities_and_embedding_for_any_batch(pristine: Path) -> None:
    engine = ENGINES["onnxruntime"].load(pristine)
    for batch_size in (1, 2, 5):
        probabilities, embedding = engine.run(np.full((batch_size, 5, 7, 3), 255, np.uint8))
        assert probabilities.shape == (batch_size, 3) and probabilities.dtype == np.float32
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_allclose(embedding, np.ones((batch_size, 3)), atol=1e-6)
    engine.close()


def test_onnx_engine_says_why_a_file_does_not_load(bundle_folder: Path) -> None:
    (bundle_folder / ONNX_MODEL).write_bytes(b"not a network")
    with pytest.raises(BundleError, match="ONNX Runtime cannot load .*model.onnx"):
        OnnxEngine(bundle_folder)
    (bundle_folder / ONNX_MODEL).unlink()
    with pytest.raises(BundleError, match="ONNX Runtime cannot load"):
        OnnxEngine(bundle_folder)


def test_onnx_engine_refuses_a_network_without_an_embedding(bundle_folder: Path) -> None:
    model = onnx.load(bundle_folder / ONNX_MODEL)
    del model.graph.output[1]
    model.opset_import.extend([helper.make_opsetid("ai.onnx.ml", 1)])
    onnx.save(model, bundle_folder / ONNX_MODEL)
    with pytest.raises(BundleError, match="Expected 1 input and 2 outputs .* Received: 1 and 1"):
        OnnxEngine(bundle_folder)


def missing(name: str) -> EngineKind:
    return dataclasses.replace(ENGINES[name], package="a_package_that_is_not_installed")


def test_an_engine_that_is_not_installed_gives_way_to_the_fastest_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = [
        Engine(name="onnxruntime", usable=False, note="differs"),
        Engine(name="litert", usable=True, latency_ms=1),
        Engine(name="abacus", usable=True, latency_ms=0.1),
        Engine(name="keras", usable=True, latency_ms=9),
    ]
    (tmp_path / ONNX_MODEL).touch()
    (tmp_path / KERAS_MODEL).touch()
    monkeypatch.setitem(ENGINES, "litert", missing("litert"))
    assert choose("litert", measured, tmp_path) == "keras"
    assert choose("onnxruntime", measured, tmp_path) == "onnxruntime", "what is asked for is taken as it is"
    (tmp_path / KERAS_MODEL).unlink()
    with pytest.raises(BundleError, match=r"engine litert is not installed, .* Run: pip install 'kerasmith\[litert\]'"):
        choose("litert", measured, tmp_path)


def test_a_bundle_whose_engine_is_not_installed_is_served_by_another(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bundle_folder / MANIFEST
    engines = [{"name": name, "usable": True, "latency_ms": 1} for name in ("litert", "onnxruntime")]
    path.write_text(json.dumps({**json.loads(path.read_text()), "engine": "litert", "engines": engines}))
    monkeypatch.setitem(ENGINES, "litert", missing("litert"))
    bundle = open_bundle(bundle_folder)
    assert bundle.engine_name == "onnxruntime" and bundle.reproduces_sample()
    with pytest.raises(BundleError, match="Run: pip install"):
        open_bundle(bundle_folder, "litert")  # who names one gets no other


def test_litert_engine_says_why_a_file_does_not_load(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    (tmp_path / LITERT_MODEL).write_bytes(b"not a network")
    with pytest.raises(BundleError, match="LiteRT cannot load .*model.tflite"):
        ENGINES["litert"].load(tmp_path)


@pytest.mark.slow
def test_keras_engine_runs_the_keras_file(tmp_path: Path) -> None:
    import keras

    inputs = keras.Input((5, 7, 3), dtype="uint8")
    embedding = keras.layers.GlobalAveragePooling2D(name="embedding")(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(4, activation="softmax")(embedding))
    model.save(tmp_path / KERAS_MODEL)
    batch = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)
    probabilities, features = KerasEngine(tmp_path).run(batch)
    np.testing.assert_allclose(probabilities, model.predict(batch, verbose=0), atol=1e-6)
    assert features.shape == (2, 3)


@pytest.mark.slow
def test_keras_engine_says_why_a_file_does_not_load(tmp_path: Path) -> None:
    (tmp_path / KERAS_MODEL).write_bytes(b"not a model")
    with pytest.raises(BundleError, match="Keras cannot load .*model.keras"):
        KerasEngine(tmp_path)
