"""From a Keras network to the engines' files."""

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from pipelines.export import (
    compare_engines,
    export_function,
    export_litert,
    export_onnx,
    fastest,
    rewrite_erfc,
    save_keras,
)
from records.bundle import Engine
from serving.engines import ENGINES


def network(activation: str) -> keras.Model:
    inputs = keras.Input((5,), name="x")
    features = keras.layers.Dense(7, activation=activation, name="embedding")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(features))


def operations(path: Path) -> list[str]:
    return [node.op_type for node in onnx.load(path).graph.node]


def test_keras_own_gelu_runs_on_onnx_runtime(tmp_path: Path) -> None:
    model = save_keras(network("gelu"), tmp_path)
    sample = np.random.default_rng(0).normal(0, 3, (6, 5)).astype(np.float32)  # also where erfc is nearly 0 or 2
    assert export_onnx(model, tmp_path, sample) is None
    assert "Erf" in operations(tmp_path / "model.onnx") and "Erfc" not in operations(tmp_path / "model.onnx")
    engines = {one.name: one for one in compare_engines(tmp_path, sample, np.asarray(model(sample)), None)}
    assert engines["onnxruntime"].usable, engines["onnxruntime"].note
    difference = engines["onnxruntime"].max_difference
    assert difference is not None and difference < 1e-6


def test_an_inner_function_with_gelu_runs_on_onnx_runtime(tmp_path: Path) -> None:
    model = network("gelu")
    sample = np.ones((1, 5), np.float32)
    run = export_function(model, tmp_path / "inner.onnx", sample, 1)
    assert run is not None
    np.testing.assert_allclose(run(sample), model(sample), atol=1e-6)


@pytest.mark.parametrize("times", [1, 2])
def test_every_erfc_is_rewritten_and_computes_the_same(tmp_path: Path, times: int) -> None:
    values = ["x", *[f"y{n}" for n in range(times)]]
    nodes = [helper.make_node("Erfc", [values[n]], [values[n + 1]]) for n in range(times)]
    graph = helper.make_graph(
        nodes,
        "erfc",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info(values[-1], TensorProto.FLOAT, ["n"])],
    )
    path = tmp_path / "erfc.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    rewrite_erfc(path)
    given = np.linspace(-4, 4, 33, dtype=np.float32)
    expected = given.tolist()
    for _ in range(times):
        expected = [math.erfc(value) for value in expected]
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": given})[0], expected, atol=1e-6)


def test_a_file_without_erfc_is_left_as_it_is(tmp_path: Path) -> None:
    model = save_keras(network("relu"), tmp_path)
    export_onnx(model, tmp_path, np.ones((1, 5), np.float32))
    before = (tmp_path / "model.onnx").read_bytes()
    rewrite_erfc(tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == before


def test_of_nearly_equal_engines_the_first_is_taken() -> None:
    def timed(**milliseconds: float) -> list[Engine]:
        return [Engine(name=name, usable=True, latency_ms=ms) for name, ms in milliseconds.items()]

    assert fastest(timed(onnxruntime=1.0, litert=0.95, keras=9)).name == "onnxruntime"
    assert fastest(timed(onnxruntime=1.0, litert=0.8, keras=9)).name == "litert"
    assert fastest(timed(litert=1.0, keras=0.5)).name == "keras"


def small_image_network() -> keras.Model:
    inputs = keras.Input((8, 8, 3), dtype="uint8", name="x")
    x = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    features = keras.layers.GlobalAveragePooling2D(name="embedding")(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(features))


@pytest.mark.slow
def test_litert_gives_what_keras_gives_for_batches_of_any_size(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    model = save_keras(small_image_network(), tmp_path)
    sample = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    expected = np.asarray(model(sample))
    failures = export_onnx(model, tmp_path, sample), export_litert(model, tmp_path, sample)
    assert failures == (None, None)
    engines = compare_engines(tmp_path, sample, expected, *failures)
    assert [one.name for one in engines if one.usable] == ["onnxruntime", "litert", "keras"]
    litert, onnxruntime_engine = (ENGINES[name].load(tmp_path, 1) for name in ("litert", "onnxruntime"))
    for size in (1, 5, 2, 1):
        for ours, theirs in zip(litert.run(sample[:size]), onnxruntime_engine.run(sample[:size]), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)
    together = ThreadPoolExecutor(4).map(lambda n: litert.run(sample[n : n + 1])[0], [*range(5)] * 8)
    for number, given in enumerate(together):
        np.testing.assert_allclose(given[0], expected[number % 5], atol=1e-5)


@pytest.mark.slow
def test_a_network_that_litert_cannot_run_is_a_note(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    inputs = keras.Input((6, 2), name="x")
    features = keras.layers.Bidirectional(keras.layers.GRU(4), name="embedding")(inputs)
    model = save_keras(keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(features)), tmp_path)
    sample = np.ones((2, 6, 2), np.float32)
    failure = export_litert(model, tmp_path, sample)
    engines = compare_engines(tmp_path, sample, np.asarray(model(sample)), "not tried", failure)
    [litert] = [one for one in engines if one.name == "litert"]
    assert litert.usable == (tmp_path / "model.tflite").exists()
    assert litert.usable or litert.note
    assert fastest(engines).usable


def test_litert_is_not_tried_for_inputs_of_any_length(tmp_path: Path) -> None:
    inputs = keras.Input((None, 2), name="x")
    features = keras.layers.GlobalAveragePooling1D(name="embedding")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3)(features))
    failure = export_litert(model, tmp_path, np.ones((1, 4, 2), np.float32))
    assert failure is None or "inputs of one size alone" in failure
    assert not list(tmp_path.iterdir())
