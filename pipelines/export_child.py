"""Exports in a process of their own: only TensorFlow can write them, and a process that trains on JAX never loads it.

`python -m pipelines.export_child bundle FOLDER GIVEN` or `... function FILE GIVEN`, under KERAS_BACKEND=tensorflow.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

from pipelines.backend import environment_of_child
from pipelines.cores import num_threads
from pipelines.export import compare_engines, export_function, export_litert, export_onnx, first_line
from pipelines.workers.life import end_with_supervisor
from records.bundle import KERAS_MODEL, Engine

LIMIT_SECONDS = 900.0
"""An export of the largest networks takes a minute or two."""
SAMPLE, EXPECTED, ENGINES = "sample.npy", "expected.npy", "engines.json"


def exports_here() -> bool:
    """Whether this process itself can export: Keras computes with TensorFlow."""
    return bool(keras.backend.backend() == "tensorflow")


def engines_elsewhere(folder: Path, sample: np.ndarray, expected: np.ndarray) -> list[Engine]:
    """What a child makes of `folder / model.keras`: the files of the other engines, and how each of them compares.

    Where the child fails, Keras' own engine is left, compared in this process.

    Args:
        folder: Of the bundle.
        sample: `[batch, ...]` inputs.
        expected: `<float32>[batch, ...]` of the network in memory.
    """
    with tempfile.TemporaryDirectory(prefix="kerasmith-export-") as given:
        np.save(Path(given) / SAMPLE, sample, allow_pickle=False)
        np.save(Path(given) / EXPECTED, expected, allow_pickle=False)
        if failure := _run("bundle", folder, Path(given)):
            return compare_engines(folder, sample, expected, failure, failure)
        told = json.loads((Path(given) / ENGINES).read_text("utf-8"))
    return [Engine.model_validate(one) for one in told]


def function_elsewhere(model: keras.Model, path: Path, one: np.ndarray) -> None:
    """Has a child write the ONNX file of a network and compare it.

    Args:
        model: One input, one output, of Keras' own layers.
        path: Of the ONNX file.
        one: `[1, ...]`, an input to compare on.

    Raises:
        RuntimeError: It cannot be exported, or gives something else.
    """
    with tempfile.TemporaryDirectory(prefix="kerasmith-export-") as given:
        model.save(Path(given) / KERAS_MODEL)
        np.save(Path(given) / SAMPLE, one, allow_pickle=False)
        if failure := _run("function", path, Path(given)):
            raise RuntimeError(failure)


def _run(what: str, target: Path, given: Path) -> str | None:
    """`None` where it went well, else a sentence."""
    command = [sys.executable, "-m", "pipelines.export_child", what, str(target), str(given)]
    try:
        done = subprocess.run(
            command,
            env=environment_of_child(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            start_new_session=True,  # Ctrl-C reaches the run alone, which then finishes with what it has
        )
    except subprocess.TimeoutExpired:
        return f"It was not exported within {LIMIT_SECONDS:.0f} s."
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        hint = ", as the system does where memory runs out" if -done.returncode == signal.SIGKILL else ""
        return f"The process that exports it was ended by signal {-done.returncode}{hint}."
    last = ([line.strip() for line in done.stderr.splitlines() if line.strip()] or ["it said nothing."])[-1]
    return f"The process that exports it ended with exit code {done.returncode}: {last[:300]}"


def main(what: str, target: Path, given: Path) -> None:
    """Runs in the child.

    Args:
        what: "bundle" or "function".
        target: The bundle's folder, or the ONNX file.
        given: A folder with what the parent gives, and gets.

    Raises:
        RuntimeError: TensorFlow is not the backend, or the function gives something else.
    """
    end_with_supervisor()
    if not exports_here():
        raise RuntimeError(f"An export needs the backend tensorflow. Received: {keras.backend.backend()}.")
    sample = np.load(given / SAMPLE, allow_pickle=False)
    if what == "function":
        model = keras.saving.load_model(given / KERAS_MODEL, compile=False, safe_mode=True)
        if export_function(model, target, sample, num_threads()) is None:
            raise RuntimeError("ONNX Runtime cannot run it, or gives something else")
        return
    model = keras.saving.load_model(target / KERAS_MODEL, compile=False, safe_mode=True)
    failures = export_onnx(model, target, sample), export_litert(model, target, sample)
    engines = compare_engines(target, sample, np.load(given / EXPECTED, allow_pickle=False), *failures)
    (given / ENGINES).write_text(json.dumps([one.model_dump(mode="json") for one in engines]), "utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    except Exception as error:  # an unsupported operation can raise anything
        sys.stderr.write(f"{type(error).__name__}: {first_line(error)}\n")
        sys.exit(1)
