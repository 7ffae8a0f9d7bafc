"""What the servers are asked: the same inputs for all, wrapped as each of them wants it."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving_networks import NETWORKS, bundle_of, cache_folder, home, jpeg
from benchmarks.tokenise import make_texts
from records.bundle import CODEC, ONNX_MODEL
from records.spec import InputKind
from serving.codecs.catalog import load_codec

BOUNDARY = "kerasmith-benchmark"
CANDIDATES = 24
"""Made-up inputs, of which the one is sent whose answer is the least doubtful."""


@dataclass(frozen=True, kw_only=True)
class Payload:
    """A request, without the server's address."""

    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, and the answer."""

    network: str
    form: str
    """"json" or "image", which is an image's bytes."""
    raw: bytes | str
    label: str

    def payload(self, wrapping: str) -> Payload:
        """As a method wants it.

        Args:
            wrapping: "plain" (JSON of inputs, or the bytes of the image), "form" or "form at PATH" (the bytes as a
                file of a form), "v2".
        """
        if self.form == "image":
            if wrapping.startswith("form"):
                return _form(self.raw, wrapping.removeprefix("form at ") if " " in wrapping else "/predict")
            if wrapping == "v2":
                return Payload(path="/image", body=_bytes(self.raw), headers={"Content-Type": "image/jpeg"})
            return Payload(path="/predict", body=_bytes(self.raw), headers={"Content-Type": "image/jpeg"})
        text = self.raw if isinstance(self.raw, str) else b64encode(self.raw).decode()
        headers = {"Content-Type": "application/json"}
        if wrapping == "v2":
            tensor = {"name": "input", "datatype": "BYTES", "shape": [1], "data": [text]}
            body = json.dumps({"inputs": [{**tensor, "parameters": {"content_type": "str"}}]})
            return Payload(path="/v2/models/peer/infer", body=body.encode(), headers=headers)
        name = "text" if isinstance(self.raw, str) else "image"
        body = json.dumps({"inputs": [{name: text}]})
        return Payload(path="/predict", body=body.encode(), headers=headers)

    def check(self, body: str) -> None:
        """Raises where a reply does not hold the right answer.

        Raises:
            AssertionError: It does not.
        """
        label = label_in(json.loads(body))
        assert label == self.label, f"Expected the label {self.label!r}. Received {label!r} in {body[:300]}"


def _bytes(raw: bytes | str) -> bytes:
    return raw.encode() if isinstance(raw, str) else raw


def _form(raw: bytes | str, path: str) -> Payload:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg'
    body = head.encode() + b"\r\n\r\n" + _bytes(raw) + f"\r\n--{BOUNDARY}--\r\n".encode()
    return Payload(path=path, body=body, headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})


def label_in(reply: Any) -> str | None:
    """The first prediction's label, in any of the servers' shapes."""
    if isinstance(reply, list):
        return str(reply[0]["label"]) if reply else None
    if "outputs" in reply:
        return str(json.loads(reply["outputs"][0]["data"][0])["label"])
    return str(reply["predictions"][0]["label"]) if reply.get("predictions") else None


def question(network: str, form: str) -> Question:
    """The input of a network that ONNX Runtime answers with the least doubt, and its label."""
    import onnxruntime

    kind, folder = NETWORKS[network], bundle_of(home(), network)
    raws: list[Any]
    if kind.kind is InputKind.TEXT:
        raws = list(make_texts(CANDIDATES, 64))
    else:
        raws = [jpeg(kind.sent, 1000 + number) for number in range(CANDIDATES)]
    codec = load_codec(json.loads((folder / CODEC).read_text("utf-8")))
    session = onnxruntime.InferenceSession(str(folder / ONNX_MODEL), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    answers = [session.run(None, {name: codec.collate([codec.encode(raw)])})[0][0] for raw in raws]
    margins = [float(np.subtract(*np.sort(answer)[-1:-3:-1])) for answer in answers]
    best = int(np.argmax(margins))
    labels = json.loads((folder / "manifest.json").read_text("utf-8"))["labels"]
    return Question(network=network, form=form, raw=raws[best], label=labels[int(np.argmax(answers[best]))])


def peer_folder(network: str) -> Path:
    """What `benchmarks.peers.serving_model` reads, as copies of the bundle's files."""
    bundle, folder = bundle_of(home(), network), cache_folder() / "peers" / network
    folder.mkdir(parents=True, exist_ok=True)
    for name in (ONNX_MODEL, CODEC):
        shutil.copyfile(bundle / name, folder / name)
    labels = json.loads((bundle / "manifest.json").read_text("utf-8"))["labels"]
    (folder / "labels.json").write_text(json.dumps(labels), "utf-8")
    return folder
