"""From a Keras network to the files that engines load, and what each engine makes of them."""

from __future__ import annotations

import contextlib
import io
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from records.bundle import KERAS_MODEL, LITERT_MODEL, ONNX_MODEL, Engine
from records.errors import BundleError
from search_spaces import heads
from serving.engines import ENGINES
from serving.engines import Engine as Runs

TOLERANCE = 1e-4
"""Largest difference between an engine's prediction and Keras' that still counts as equal: of a probability as it is,
of larger numbers relative to the largest one."""
FASTER = 0.9
"""An engine is taken before an earlier one of `ENGINES` when it takes at most this part of its time: less is noise."""
NUM_TIMED = 30
TIMED_SECONDS = 0.5


def save_keras(model: keras.Model, folder: Path) -> keras.Model:
    """Writes `model.keras` and returns what was written: it always has a layer called "embedding"."""
    named = heads.with_embedding(model)
    named.save(folder / KERAS_MODEL)
    return named


def export_onnx(model: keras.Model, folder: Path, sample: np.ndarray) -> str | None:
    """Writes `model.onnx` with the outputs prediction and embedding. A sentence where that cannot be done.

    Args:
        model: From `save_keras`.
        folder: Of the bundle.
        sample: `[batch, ...]` inputs; the export needs a network that was called.
    """
    view = heads.export_view(model)
    path = folder / ONNX_MODEL
    try:
        with _quiet():
            view(sample[:1])
            view.export(path, format="onnx", verbose=False)
        rewrite_erfc(path)
    except Exception as error:  # an unsupported operation can raise anything
        path.unlink(missing_ok=True)
        return f"It cannot be exported to ONNX: {type(error).__name__}: {first_line(error)}."
    return None


def export_litert(model: keras.Model, folder: Path, sample: np.ndarray) -> str | None:
    """Writes `model.tflite` where LiteRT is installed. A sentence where it is, and that cannot be done.

    Args:
        model: From `save_keras`.
        folder: Of the bundle.
        sample: `[batch, ...]` inputs; the export needs a network that was called.
    """
    if not ENGINES["litert"].installed:
        return None
    if None in model.input.shape[1:]:
        return "It is tried for inputs of one size alone: for each length, it would be prepared again."
    view = heads.export_view(model)
    path = folder / LITERT_MODEL
    try:
        with _quiet():
            view(sample[:1])
            view.export(path, format="litert", verbose=False)
    except Exception as error:  # an unsupported operation can raise anything
        path.unlink(missing_ok=True)
        return f"It cannot be exported to LiteRT: {type(error).__name__}: {first_line(error)}."
    return None


def rewrite_erfc(path: Path) -> None:
    """Writes `Erfc(x)` in an ONNX file as `1 - Erf(x)`.

    Keras' exact GELU (`activation="gelu"`) is exported as an operation that ONNX does not have, and ONNX Runtime
    refuses the file. Nothing is written where there is none.
    """
    import onnx

    model = onnx.load(path)
    one = onnx.numpy_helper.from_array(np.array(1.0, np.float32), "one_for_erfc")
    found = [node for node in model.graph.node if node.op_type == "Erfc"]
    if not found:
        return
    for number, node in enumerate(found):
        erf = f"erf_for_erfc_{number}"
        at = list(model.graph.node).index(node)
        difference = onnx.helper.make_node("Sub", [one.name, erf], [node.output[0]])
        node.op_type, node.output[0] = "Erf", erf
        model.graph.node.insert(at + 1, difference)
    model.graph.initializer.append(one)
    onnx.save(model, path)


def export_function(
    model: keras.Model, path: Path, one: np.ndarray, threads: int
) -> Callable[[np.ndarray], np.ndarray] | None:
    """`model` as a function that ONNX Runtime runs, or `None` where it cannot or gives something else.

    Args:
        model: One input, one output.
        path: Where the ONNX file is written; not needed afterwards.
        one: `[1, ...]`, an input to compare on.
        threads: For one batch.
    """
    try:
        if keras.backend.backend() == "tensorflow":
            expected = _write_function(model, path, one)
            run = _session(path, threads)
            return run if np.allclose(run(one), expected, rtol=1e-3, atol=1e-3) else None
        from pipelines.export_child import function_elsewhere  # which imports this module

        function_elsewhere(model, path, one)
        return _session(path, threads)
    except Exception as error:  # an unsupported operation can raise anything; Keras itself then does the work
        logging.getLogger(__name__).info("ONNX Runtime cannot run %s: %s", model.name, first_line(error))
        return None


def _write_function(model: keras.Model, path: Path, one: np.ndarray) -> np.ndarray:
    """Writes the ONNX file; gives what Keras makes of `one`."""
    with _quiet():
        expected = np.asarray(model(one, training=False))
        still = keras.Model(model.input, model(model.input, training=False))
        still(one)
        still.export(path, format="onnx", verbose=False)
    rewrite_erfc(path)
    return expected


def _session(path: Path, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """The function in an ONNX file, which is not needed afterwards."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda batch: session.run(None, {name: batch})[0]


def compare_engines(
    folder: Path,
    sample: np.ndarray,
    expected: np.ndarray,
    onnx_failure: str | None,
    litert_failure: str | None = None,
) -> list[Engine]:
    """Loads every engine from the bundle's files and compares it with what Keras gave in training.

    An export can write a file that does not load, with no more than a log line: so only a run counts.

    Args:
        folder: Holds `model.keras` and, where their exports went well, `model.onnx` and `model.tflite`.
        sample: `[batch, ...]` inputs.
        expected: `<float32>[batch, ...]` of the network in memory.
        onnx_failure: Why there is no ONNX file.
        litert_failure: Why there is no LiteRT file; `None` also where LiteRT is not installed.
    """
    failures = {"onnxruntime": onnx_failure, "litert": litert_failure}
    engines = []
    for name, kind in ENGINES.items():
        if failure := failures.get(name):
            engines.append(Engine(name=name, usable=False, note=failure))
        elif name != "litert" or (folder / kind.file).is_file():
            engines.append(_compare(name, folder, sample, expected))
    if not any(engine.usable for engine in engines if engine.name == "litert"):
        (folder / LITERT_MODEL).unlink(missing_ok=True)
    return engines


def fastest(engines: list[Engine]) -> Engine:
    """The usable engine with the lowest latency; of nearly equal ones, the first of `ENGINES`.

    Raises:
        BundleError: None is usable.
    """
    usable = [engine for engine in engines if engine.usable]
    if not usable:
        reasons = " ".join(f"{engine.name}: {engine.note}" for engine in engines)
        raise BundleError(f"No engine gives what training gave. {reasons}")
    best = usable[0]
    for engine in usable[1:]:
        if (engine.latency_ms or float("inf")) < FASTER * (best.latency_ms or float("inf")):
            best = engine
    return best


def _compare(name: str, folder: Path, sample: np.ndarray, expected: np.ndarray) -> Engine:
    try:
        engine = ENGINES[name].load(folder, 1)
        predictions, _ = engine.run(sample)
    except Exception as error:  # engines raise types of their own for a file or an input that they refuse
        return Engine(name=name, usable=False, note=f"{type(error).__name__}: {first_line(error)}")
    try:
        difference = float(np.abs(predictions - expected).max() / max(1.0, np.abs(expected).max()))
        if not difference <= TOLERANCE:
            note = f"Its predictions differ from training's by {difference:.2g}."
            return Engine(name=name, usable=False, max_difference=difference, note=note)
        return Engine(name=name, usable=True, max_difference=difference, latency_ms=_latency_ms(engine, sample[:1]))
    finally:
        engine.close()


def _latency_ms(engine: Runs, one: np.ndarray) -> float:
    """Median of up to 30 runs in at most half a second, after one that warms up."""
    engine.run(one)
    seconds: list[float] = []
    while len(seconds) < NUM_TIMED and (len(seconds) < 3 or sum(seconds) < TIMED_SECONDS):
        began = time.perf_counter()
        engine.run(one)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds) * 1e3)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx and TensorFlow talk much about an export; what matters is measured afterwards."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)


def first_line(error: BaseException) -> str:
    """What an exception says, without its last full stop, at most 200 characters."""
    return (str(error).strip().splitlines() or [""])[0].rstrip(".")[:200]
