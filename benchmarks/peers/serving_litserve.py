"""LitServe with ONNX Runtime: JSON, and pictures as the files of a form.

`plain` answers one request after the other, `batching` collects them, `fast_queue` hands them over through ZeroMQ.
"""

from __future__ import annotations

import os
from typing import Any

import litserve
import numpy as np

from benchmarks.peers.serving_model import PORT, VARIANT, ServedModel

variant = os.environ.get(VARIANT, "plain")


class Peer(litserve.LitAPI):
    """One network behind /predict."""

    def setup(self, device: str) -> None:
        self.model = ServedModel()

    def decode_request(self, request) -> np.ndarray:  # type: ignore[no-untyped-def]  # LitServe acts on its type
        if "inputs" in request:
            return self.model.decode_json(request["inputs"][0])
        return self.model.decode_image(request["image"].file.read())

    if variant == "batching":

        def batch(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
            return inputs

        def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return output

    def predict(self, x: Any) -> Any:
        answers = self.model.answers(x if isinstance(x, list) else [x])
        return answers if isinstance(x, list) else answers[0]

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return {"predictions": [output]}


if __name__ == "__main__":
    api = Peer(max_batch_size=32, batch_timeout=0.005) if variant == "batching" else Peer()
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=1, timeout=60, fast_queue=variant == "fast_queue"
    )
    server.run(
        host="127.0.0.1", port=int(os.environ[PORT]), num_api_servers=1, log_level="warning",
        generate_client_file=False, access_log=False,
    )  # fmt: skip
