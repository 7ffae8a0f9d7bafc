"""The served network as the peers run it: the same ONNX file, the same decoding and the same tokenizer as Kerasmith's.

Reads a folder with model.onnx, codec.json and labels.json. Needs onnxruntime, numpy, pillow, orjson and tokenizers.
What a peer is told stands in the environment: SERVED_FOLDER, SERVED_THREADS (of ONNX Runtime, for one batch).
"""

from __future__ import annotations

import io
import json
import os
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

FOLDER, THREADS, VARIANT, PORT = "SERVED_FOLDER", "SERVED_THREADS", "SERVED_VARIANT", "SERVED_PORT"


class ServedModel:
    """From what a request holds to an answer. May be asked from several threads at once."""

    def __init__(self) -> None:
        folder = Path(os.environ[FOLDER])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get(THREADS, "1"))
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.input = self.session.get_inputs()[0].name
        self.labels: list[str] = json.loads((folder / "labels.json").read_text("utf-8"))
        self.codec: dict[str, Any] = json.loads((folder / "codec.json").read_text("utf-8"))
        self.kind: str = self.codec["kind"]
        self.tokenizer: Any = None
        if self.kind == "text":
            from tokenizers import Tokenizer

            self.tokenizer = Tokenizer.from_str(self.codec["tokenizer_json"])
            self.tokenizer.no_padding()
            self.tokenizer.enable_truncation(self.codec["max_tokens"])

    def decode_json(self, one: dict[str, str]) -> np.ndarray:
        """One of a request's inputs, `{"image": base64}` or `{"text": …}`."""
        return self.decode_image(b64decode(one["image"])) if self.kind == "image" else self.decode_text(one["text"])

    def decode_image(self, data: bytes) -> np.ndarray:
        """`<uint8>[height, width, channels]`."""
        return self.to_array(Image.open(io.BytesIO(data)))

    def to_array(self, image: Image.Image) -> np.ndarray:
        """`<uint8>[height, width, channels]` of an opened picture."""
        size = self.codec["width"], self.codec["height"]
        image.draft("RGB", (max(size), max(size)))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode != "RGB":
            image = image.convert("RGB")
        if image.size != size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        return np.asarray(image, np.uint8)

    def decode_text(self, text: str) -> np.ndarray:
        """`<int32>[tokens]`."""
        return np.asarray(self.tokenizer.encode(text).ids, np.int32)

    def run(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """`<float32>[batch, classes]`."""
        if self.kind == "text":
            longest = max(map(len, arrays))
            batch = np.zeros((len(arrays), longest), np.int32)
            for row, ids in zip(batch, arrays, strict=True):
                row[: len(ids)] = ids
        else:
            batch = np.stack(arrays)
        return np.asarray(self.session.run(None, {self.input: batch})[0])

    def answer(self, probabilities: np.ndarray) -> dict[str, Any]:
        """Of one input: its label, and every class with its probability, the likeliest first."""
        order = np.argsort(-probabilities)
        classes = [{"label": self.labels[i], "probability": float(probabilities[i])} for i in order]
        return {"label": classes[0]["label"], "probability": classes[0]["probability"], "classes": classes}

    def answers(self, arrays: Sequence[np.ndarray]) -> list[dict[str, Any]]:
        """For each of several inputs."""
        return [self.answer(row) for row in self.run(arrays)]
