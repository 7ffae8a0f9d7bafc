"""LiteRT, which some networks of convolutions are faster on. An extra: `pip install 'kerasmith[litert]'`."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from records.bundle import LITERT_MODEL
from records.errors import BundleError
from serving.engines import first_line

OUTPUTS = ("output_0", "output_1")
"""As Keras' export names the prediction and the embedding."""


class LiteRtEngine:
    """LiteRT on the CPU. One batch at a time: an interpreter holds the tensors of the run that it is in."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        from ai_edge_litert.interpreter import Interpreter

        path = folder / LITERT_MODEL
        try:
            interpreter = Interpreter(model_path=str(path), num_threads=threads or 1)
            outputs = interpreter.get_signature_runner().get_output_details()
            interpreter.allocate_tensors()
        except Exception as error:  # it raises ValueError and RuntimeError with texts of its own
            raise BundleError(f"LiteRT cannot load {path}: {first_line(error)}.") from error
        inputs = interpreter.get_input_details()
        if len(inputs) != 1 or set(outputs) != set(OUTPUTS):
            raise BundleError(
                f"{path} is not a network of ours. Expected 1 input and the outputs {', '.join(OUTPUTS)}. "
                f"Received: {len(inputs)} and {', '.join(sorted(outputs))}."
            )
        self._input: int = inputs[0]["index"]
        self._outputs = [int(outputs[name]["index"]) for name in OUTPUTS]
        self._shape: tuple[int, ...] = ()
        self._lock = Lock()
        self._interpreter: Any = interpreter

    def run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with self._lock:
            if batch.shape != self._shape:
                self._interpreter.resize_tensor_input(self._input, batch.shape)
                self._interpreter.allocate_tensors()
                self._shape = batch.shape
            self._interpreter.set_tensor(self._input, batch)
            self._interpreter.invoke()
            probabilities, embedding = (self._interpreter.get_tensor(index) for index in self._outputs)
        return probabilities, embedding

    def close(self) -> None:
        self._interpreter = None
