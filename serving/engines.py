"""Ways to run a bundle's network. Each takes a batch of encoded inputs and gives probabilities and embeddings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from records.bundle import KERAS_MODEL, ONNX_MODEL
from records.errors import BundleError


class Engine(Protocol):
    """A loaded network. `run` may be called from several threads at once."""

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`<dtype>[batch, ...]` to `<float32>[batch, classes]` and `<float32>[batch, features]`."""
        ...

    def close(self) -> None:
        """Frees the network."""
        ...


class OnnxEngine:
    """ONNX Runtime on the CPU."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)  # its warnings are about the machine's devices, not about the model
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 1
        options.inter_op_num_threads = 1
        # Idle threads that spin would take the cores from the threads that decode images.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = folder / ONNX_MODEL
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exception types are not public
            raise BundleError(f"ONNX Runtime cannot load {path}: {_first_line(error)}.") from error
        if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 2:
            raise BundleError(
                f"{path} is not a network of ours. Expected 1 input and 2 outputs (prediction, embedding). "
                f"Received: {len(session.get_inputs())} and {len(session.get_outputs())}."
            )
        self._input = session.get_inputs()[0].name
        self._session: Any = session

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities, embedding = self._session.run(None, {self._input: batch})
        return probabilities, embedding

    def close(self) -> None:
        self._session = None


class KerasEngine:
    """Keras itself, for a network that could not be exported. Loads TensorFlow: slow to start, and large."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        import keras

        path = folder / KERAS_MODEL
        try:
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
            embedding = model.get_layer("embedding").output
        except Exception as error:  # Keras raises many types for a file that it will not load
            raise BundleError(f"Keras cannot load {path}: {_first_line(error)}.") from error
        self._model: Any = keras.Model(model.inputs, [model.outputs[0], embedding])

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities, embedding = self._model.predict_on_batch(batch)
        return probabilities, embedding

    def close(self) -> None:
        self._model = None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


ENGINES: dict[str, Callable[[Path, int | None], Engine]] = {"onnxruntime": OnnxEngine, "keras": KerasEngine}
"""By name: `(bundle folder, threads; None: one) -> engine`."""
