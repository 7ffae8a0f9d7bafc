"""MLServer with a runtime of one's own around ONNX Runtime: V2 JSON, and pictures at an address of their own.

`inline` runs the network in the server's process, `workers` in one process beside it, `batching` collects requests.
Run as a program it writes MLServer's settings and becomes `mlserver start`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.handlers import custom_handler
from mlserver.types import InferenceRequest, InferenceResponse
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.peers.serving_model import PORT, VARIANT, ServedModel


class Peer(MLModel):
    """One network. Takes a tensor of strings (texts, or pictures as base64) and gives the answers as JSON strings."""

    async def load(self) -> bool:
        self.model = ServedModel()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        name = "image" if self.model.kind == "image" else "text"
        texts = StringCodec.decode_input(payload.inputs[0])
        answers = self.model.answers([self.model.decode_json({name: text}) for text in texts])
        output = StringCodec.encode_output("prediction", [json.dumps(one) for one in answers])
        return InferenceResponse(model_name=self.name, outputs=[output])

    @custom_handler(rest_path="/image")
    async def image(self, request: Request) -> Response:
        if not hasattr(self, "model"):  # `workers` load it in their own process only, and this address is not theirs
            self.model = ServedModel()
        answers = self.model.answers([self.model.decode_image(await request.body())])
        return Response(json.dumps({"predictions": answers}), media_type="application/json")


def settings(port: int, variant: str) -> dict[str, dict[str, Any]]:
    """By file name."""
    server = {
        "debug": False, "host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_endpoint": None,
        "parallel_workers": 1 if variant == "workers" else 0, "gzip_enabled": False,
    }  # fmt: skip
    model: dict[str, Any] = {"name": "peer", "implementation": "benchmarks.peers.serving_mlserver.Peer"}
    if variant == "batching":
        model |= {"max_batch_size": 32, "max_batch_time": 0.005}
    return {"settings.json": server, "model-settings.json": model}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, content in settings(int(os.environ[PORT]), os.environ.get(VARIANT, "inline")).items():
        (folder / name).write_text(json.dumps(content), "utf-8")
    os.execv(sys.executable, [sys.executable, "-m", "mlserver.cli.main", "start", str(folder)])
