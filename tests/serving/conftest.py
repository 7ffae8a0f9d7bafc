"""A tiny real bundle: an ONNX network made by hand, so that no test here needs TensorFlow."""

import asyncio
import base64
import io
import json
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from records.bundle import CODEC, MANIFEST, ONNX_MODEL, SAMPLE_ANSWER, SAMPLE_REQUEST, Engine, Manifest
from records.evaluation import Evaluation, Figure
from serving.bundle import ModelBundle, open_bundle, write_checksums
from serving.codecs.image import ImageCodec
from serving.feedback_files import FeedbackFolder
from serving.served import Served
from tests.serving.clients.connecting import URL, build_client
from tests.serving.kinds import KITS, make_bundle

HEIGHT, WIDTH, CHANNELS = 5, 7, 3
EVERY_KIND = ("image", *KITS)
LABELS = ("blue", "green", "red")


def png(color: tuple[int, int, int] = (250, 10, 10), size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """A picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def network() -> onnx.ModelProto:
    """`<uint8>[batch, 5, 7, 3]` to the probabilities of (blue, green, red), and the mean colour as embedding."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["pixels", "255"], ["scaled"]),
        helper.make_node("ReduceMean", ["scaled", "axes"], ["embedding"], keepdims=0),
        helper.make_node("MatMul", ["embedding", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["prediction"], axis=-1),
    ]
    constants = {
        "255": np.array(255.0, np.float32),
        "axes": np.array([1, 2], np.int64),
        "weights": np.eye(3, dtype=np.float32)[::-1] * 4,
    }
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", HEIGHT, WIDTH, CHANNELS])],
        [
            helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["batch", len(LABELS)]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 3]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def manifest() -> Manifest:
    figure = Figure(value=0.9, low=0.8, high=0.95)
    return Manifest(
        name="tiny",
        bundle_id="tiny-1",
        run_id="run-1",
        created_at="2026-01-02T03:04:05+00:00",
        kerasmith_version="0.1.0",
        task="classification",
        objective="accuracy",
        input_kind="image",
        input_shape=(HEIGHT, WIDTH, CHANNELS),
        input_dtype="uint8",
        labels=LABELS,
        engine="onnxruntime",
        engines=(Engine(name="onnxruntime", usable=True, latency_ms=0.1),),
        space="floor",
        values={},
        num_parameters=9,
        size_bytes=500,
        packages={"onnxruntime": "1"},
        data_fingerprint="f" * 16,
        num_examples={"train": 6, "validation": 3, "test": 3},
        evaluation=Evaluation(
            num_examples=3,
            objective="accuracy",
            metrics={"accuracy": figure},
            per_class=(),
            comparisons=(),
            confusion=((1, 0, 0), (0, 1, 0), (0, 0, 1)),
            calibration_error=Figure(value=0.1, low=0.080, high=0.120),
        ),
    )


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle that others copy."""
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    folder.mkdir()
    onnx.save(network(), folder / ONNX_MODEL)
    (folder / MANIFEST).write_text(manifest().model_dump_json())
    codec = ImageCodec(height=HEIGHT, width=WIDTH, channels=CHANNELS)
    (folder / CODEC).write_text(json.dumps(codec.to_json()))
    request = {"inputs": [{"image": base64.b64encode(png()).decode()}]}
    (folder / SAMPLE_REQUEST).write_text(json.dumps(request))
    answers = open_bundle(folder).predict([png()])
    (folder / SAMPLE_ANSWER).write_text(json.dumps({"predictions": [one.model_dump() for one in answers]}))
    write_checksums(folder)
    return folder


@pytest.fixture
def bundle_folder(pristine: Path, tmp_path: Path) -> Path:
    """A bundle that the test may damage."""
    return Path(shutil.copytree(pristine, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def serve_kind(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Served]:
    """Gives a served model of a name in `KITS`, or of "image", with a folder for feedback."""

    @cache
    def serve(name: str) -> Served:
        root = tmp_path_factory.mktemp("served")
        folder = pristine if name == "image" else make_bundle(name, root / name)
        served = Served(feedback=FeedbackFolder(root / "feedback"))
        served.load(open_bundle(folder), f"{name}:7")
        return served

    return serve


@pytest.fixture
def bundle(pristine: Path) -> ModelBundle:
    return open_bundle(pristine)


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """Makes a PNG of one colour (red when left out) and size."""
    return png


@pytest.fixture(params=["sync", "async"])
def make_client(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Makes a client, each kind in turn: `make_client(respond, url, **options)`, see `build_client`."""
    loop = asyncio.new_event_loop()
    yield lambda respond, url=URL, **options: build_client(request.param, loop, respond, url, **options)
    loop.close()


class InProcess:
    """Sends requests to an ASGI application without a socket."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def get(self, path: str) -> httpx.Response:
        return self("GET", path)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self("POST", path, **options)


@pytest.fixture
def in_process() -> type[InProcess]:
    """Makes a client for an ASGI application."""
    return InProcess
