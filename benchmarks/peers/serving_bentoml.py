"""BentoML's default API with ONNX Runtime: JSON as its arguments, pictures as the files of a form.

`plain` runs one request at a time, `threads` one for each core, `batching` collects requests.
"""

from __future__ import annotations

import os
from typing import Any

import bentoml
from PIL.Image import Image

from benchmarks.peers.serving_model import VARIANT, ServedModel

variant = os.environ.get(VARIANT, "plain")
settings: dict[str, Any] = {"workers": 1, "logging": {"access": {"enabled": False}}, "traffic": {"timeout": 60}}
if variant == "threads":
    settings["threads"] = os.cpu_count() or 1
batching: dict[str, Any] = {"batchable": True, "max_batch_size": 32, "max_latency_ms": 1000}


@bentoml.service(**settings)
class Peer:
    """One network behind two addresses."""

    def __init__(self) -> None:
        self.model = ServedModel()

    if variant == "batching":

        @bentoml.api(**batching)
        def predict(self, inputs: list[dict[str, str]]) -> list[dict[str, Any]]:
            return self.model.answers([self.model.decode_json(one) for one in inputs])

        @bentoml.api(**batching)
        def image(self, image: list[Image]) -> list[dict[str, Any]]:
            return self.model.answers([self.model.to_array(one) for one in image])

    else:

        @bentoml.api
        def predict(self, inputs: list[dict[str, str]]) -> list[dict[str, Any]]:
            return self.model.answers([self.model.decode_json(one) for one in inputs])

        @bentoml.api
        def image(self, image: list[Image]) -> list[dict[str, Any]]:
            return self.model.answers([self.model.to_array(one) for one in image])
