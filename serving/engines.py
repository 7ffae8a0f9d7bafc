"""Ways to run a bundle's network. Each takes a batch of encoded inputs and gives probabilities and embeddings."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from records.bundle import KERAS_MODEL, LITERT_MODEL, ONNX_MODEL
from records.bundle import Engine as Measured
from records.errors import BundleError

logger = logging.getLogger("kerasmith.serving")


class Engine(Protocol):
    """A loaded network. Whether `run` may be called from several threads at once, its `EngineKind` says."""

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
            raise BundleError(f"ONNX Runtime cannot load {path}: {first_line(error)}.") from error
        if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 2:
            raise BundleError(
                f"{path} is not a network of ours. Expected 1 input and 2 outputs (prediction, embedding). "
                f"Received: {len(session.get_inputs())} and {len(session.get_outputs())}."
            )
        self._input = session.get_inputs()[0].name
        self._outputs = [output.name for output in session.get_outputs()]
        self._session: Any = session

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities, embedding = self._session.run(self._outputs, {self._input: batch})
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
            raise BundleError(f"Keras cannot load {path}: {first_line(error)}.") from error
        self._model: Any = keras.Model(model.inputs, [model.outputs[0], embedding])

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities, embedding = self._model.predict_on_batch(batch)
        return probabilities, embedding

    def close(self) -> None:
        self._model = None


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineKind:
    """What is known of an engine before anything of it is imported."""

    place: str
    """`module:class`; the class is called with the bundle's folder and the number of threads (`None`: one)."""
    file: str
    """Of the bundle, that it loads."""
    package: str
    """Importable where the engine is installed."""
    install: str
    """What `pip install` takes."""
    parallel: bool
    """Whether several threads may run it at once."""
    threaded: bool
    """Whether it heeds the number of threads that it is given."""

    @property
    def installed(self) -> bool:
        """Whether it can be imported here; nothing is imported for it."""
        return find_spec(self.package) is not None

    def load(self, folder: Path, threads: int | None = None) -> Engine:
        """The engine with the bundle's network.

        Raises:
            BundleError: The file cannot be loaded.
        """
        module, name = self.place.split(":")
        engine: Engine = getattr(import_module(module), name)(folder, threads)
        return engine


ENGINES: dict[str, EngineKind] = {
    "onnxruntime": EngineKind(
        place="serving.engines:OnnxEngine",
        file=ONNX_MODEL,
        package="onnxruntime",
        install="onnxruntime",
        parallel=True,
        threaded=True,
    ),
    "litert": EngineKind(
        place="serving.litert_engine:LiteRtEngine",
        file=LITERT_MODEL,
        package="ai_edge_litert",
        install="'kerasmith[litert]'",
        parallel=False,
        threaded=True,
    ),
    "keras": EngineKind(
        place="serving.engines:KerasEngine",
        file=KERAS_MODEL,
        package="keras",
        install="keras tensorflow",
        parallel=False,
        threaded=False,
    ),
}


def choose(asked: str, measured: Sequence[Measured], folder: Path) -> str:
    """The engine to load: the one asked for, or where it is not installed, the fastest of the usable ones that is.

    Args:
        asked: A name in `ENGINES`.
        measured: What the manifest knows of engines.
        folder: Of the bundle; an engine whose file is missing in it is no choice.

    Raises:
        BundleError: There is none of this name, or neither it nor another usable one is installed.
    """
    if asked not in ENGINES:
        raise BundleError(f"There is no engine {asked!r}. Known: {', '.join(ENGINES)}.")
    if ENGINES[asked].installed:
        return asked
    usable = [one for one in measured if one.usable and one.name in ENGINES]
    for one in sorted(usable, key=lambda one: one.latency_ms or float("inf")):
        kind = ENGINES[one.name]
        if kind.installed and (folder / kind.file).is_file():
            logger.warning("The engine %s is not installed, so %s is used.", asked, one.name)
            return one.name
    raise BundleError(
        f"The model's engine {asked} is not installed, and no other engine here can run it. "
        f"Run: pip install {ENGINES[asked].install}"
    )
