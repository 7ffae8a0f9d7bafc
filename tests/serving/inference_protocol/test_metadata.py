"""Names, health and tensors, through the endpoint."""

from importlib import metadata
from typing import Any

import pytest

from records.spec import InputKind
from records.task import TASKS
from serving.endpoint import Endpoint
from serving.inference_protocol.inputs import READERS
from serving.inference_protocol.outputs import OUTPUTS
from serving.inference_protocol.tensors import DATATYPES
from serving.routes import ROUTES
from serving.served import Served
from tests.serving.inference_protocol import wire

OURS = [path for path in ROUTES if path.startswith("/v2")]


@pytest.fixture
def client(served: Served, in_process: Any) -> Any:
    return in_process(Endpoint(lambda *_: None, served))  # type: ignore[arg-type, return-value]


def test_every_kind_and_every_task_has_its_tensors() -> None:
    assert READERS.keys() == set(InputKind)
    assert OUTPUTS.keys() == TASKS.keys()


def test_the_server_says_what_it_is(client: Any) -> None:
    told = client.get("/v2").json()
    assert told == {"name": "kerasmith", "version": metadata.version("kerasmith"), "extensions": ["binary_tensor_data"]}


def test_it_lives_and_is_ready(client: Any, served: Served) -> None:
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").json() == {"live": True, "ready": True}
    for path in (f"/v2/models/{served.name}/ready", f"/v2/models/{served.name}/versions/1/ready"):
        assert client.get(path).json() == {"name": served.name, "ready": True}


def test_what_is_not_loaded_is_alive_but_not_ready(in_process: Any) -> None:
    client = in_process(Endpoint(lambda *_: None, Served()))  # type: ignore[arg-type, return-value]
    assert client.get("/v2").status_code == client.get("/v2/health/live").status_code == 200
    for path in OURS[2:]:
        path = path.format(name="tiny", version="1")
        reply = client.post(path, content=b"{}") if path.endswith("infer") else client.get(path)
        assert reply.status_code == 503 and reply.headers["retry-after"], path
        assert reply.json() == {"error": "The model is not loaded yet. Ask again in a second."}


def test_another_model_is_a_404(client: Any, served: Served) -> None:
    for path in OURS:
        for name, version in (("other", "1"), (served.name, "2"), (served.ref, "1"), ("%2e%2e", "1")):
            if "{name}" not in path or ("{version}" not in path and name == served.name):
                continue
            address = path.format(name=name, version=version)
            reply = client.post(address, content=b"{}") if path.endswith("infer") else client.get(address)
            assert reply.status_code == 404 and "There is no model" in reply.json()["error"], address


def test_the_metadata_names_tensors_that_work(client: Any, served: Served) -> None:
    assert served.bundle is not None
    told = client.get(f"/v2/models/{served.name}").json()
    assert told == client.get(f"/v2/models/{served.name}/versions/1").json()
    assert (told["name"], told["versions"], told["platform"]) == (served.name, ["1"], "onnx_onnxv1")
    for tensor in told["inputs"] + told["outputs"]:
        assert tensor["datatype"] in DATATYPES and tensor["shape"][0] == -1
    kind = served.bundle.codec.kind
    if kind == "image":
        assert told["inputs"][1]["shape"] == [-1, 5, 7, 3]
        return
    body = served.bundle.sample_request()
    arrays = wire.arrays_of(kind, body["inputs"])
    assert arrays.keys() <= {one["name"] for one in told["inputs"]}
    names = tuple(one["name"] for one in told["outputs"])
    found = wire.infer(served, arrays, outputs=wire.outputs(names), parameters=wire.NAN_IS_MISSING)
    for tensor in told["outputs"]:
        shape = found[tensor["name"]].shape
        assert len(shape) == len(tensor["shape"])
        assert all(side in (-1, size) for side, size in zip(tensor["shape"], shape, strict=True))


def test_the_metadata_says_what_the_last_axis_means(all_served: dict[str, Served], in_process: Any) -> None:
    def outputs(name: str) -> dict[str, Any]:
        client = in_process(Endpoint(lambda *_: None, all_served[name]))  # type: ignore[arg-type, return-value]
        return {one["name"]: one for one in client.get(f"/v2/models/{name}").json()["outputs"]}

    assert outputs("text")["probabilities"]["parameters"] == {"labels": ["bad", "good", "so-so"]}
    assert outputs("forecast")["quantiles"]["parameters"] == {"quantiles": [0.1, 0.5, 0.9]}
    assert outputs("forecast")["quantiles"]["shape"] == [-1, 3, 3]
