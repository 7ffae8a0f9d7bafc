"""A client of the ecosystem against a real server: Triton's, for every kind of input."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient
from tritonclient.utils import InferenceServerException

from serving.bundle import open_bundle, write_checksums
from serving.model_store import put
from serving.serve import start_server
from store.database import open_database
from store.home import Home
from store.registry import Registry
from tests.serving.conftest import png
from tests.serving.inference_protocol import wire
from tests.serving.kinds import KITS

pytestmark = pytest.mark.e2e


@contextmanager
def serving(home: Home, name: str, folder: Path) -> Iterator[tuple[str, InferenceServerClient]]:
    """A real server for one bundle, and the client that asks it."""
    bundle_id = open_bundle(folder).manifest.bundle_id
    put(home, name, bundle_id, folder)
    engine = open_database(home)
    Registry(engine).register(name, bundle_id, "run-1", write_checksums(folder), {})
    engine.dispose()
    with start_server(home, name) as url:
        client = InferenceServerClient(url.removeprefix("http://"))
        try:
            yield url, client
        finally:
            client.close()


def predict(url: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    """What `/predict` of the same server answers."""
    reply = httpx.post(f"{url}/predict", json=body)
    assert reply.status_code == 200, reply.text
    answers: list[dict[str, Any]] = reply.json()["predictions"]
    return answers


def as_tensors(answers: list[dict[str, Any]], labels: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Answers of `/predict` as the protocol's outputs."""
    if "value" in answers[0]:
        return {"value": np.array([one["value"] for one in answers])}
    if "quantiles" in answers[0]:
        return {"quantiles": np.array([list(one["quantiles"].values()) for one in answers]).transpose(0, 2, 1)}
    by_label = [{one["label"]: one["probability"] for one in answer["classes"]} for answer in answers]
    return {
        "label": wire.elements([answer["label"].encode() for answer in answers]),
        "probabilities": np.array([[one[label] for label in labels] for one in by_label]),
    }


def check_health(client: InferenceServerClient, name: str) -> None:
    """Health and metadata, as the client reads them."""
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(name) and client.is_model_ready(name, "1")
    assert not client.is_model_ready(name, "2") and not client.is_model_ready("other")
    server = client.get_server_metadata()
    assert server["name"] == "kerasmith" and "binary_tensor_data" in server["extensions"]
    assert client.get_model_metadata(name) == client.get_model_metadata(name, "1")
    with pytest.raises(InferenceServerException, match="There is no model other here"):
        client.get_model_metadata("other")


@pytest.mark.parametrize("name", KITS)
def test_tritons_client_gets_what_predict_answers(name: str, folders: dict[str, Path], home: Home) -> None:
    kit = KITS[name]()
    with serving(home, name, folders[name]) as (url, client):
        check_health(client, name)
        outputs = [
            one["name"] for one in client.get_model_metadata(name)["outputs"] if not one["parameters"].get("optional")
        ]
        for case in wire.cases(name):
            arrays = wire.arrays_of(kit.codec.kind, case["inputs"])
            wanted = as_tensors(predict(url, case), kit.labels)
            missing = any(array.dtype != object and np.isnan(array).any() for array in arrays.values())
            for binary in (False, True):
                if missing and not binary:
                    continue  # this client writes NaN into its JSON, where null is meant
                result = client.infer(
                    name,
                    wire.triton_inputs(arrays, binary),
                    model_version="1",
                    outputs=wire.outputs(tuple(outputs), binary),
                    request_id="seven",
                    parameters=wire.NAN_IS_MISSING,
                )
                assert result.get_response()["id"] == "seven"
                wire.assert_equal({one: result.as_numpy(one) for one in outputs}, wanted)


def test_tritons_client_sends_pictures(folders: dict[str, Path], home: Home) -> None:
    pictures = [png((250, 10, 10)), png((0, 200, 30), (9, 4))]
    pixels = np.stack([open_bundle(folders["image"]).codec.encode(one) for one in pictures])
    texts = [base64.b64encode(one).decode() for one in pictures]
    with serving(home, "image", folders["image"]) as (url, client):
        check_health(client, "image")
        answers = predict(url, {"inputs": [{"image": text} for text in texts]})
        wanted = as_tensors(answers, ("blue", "green", "red"))
        for arrays, binary in (
            ({"image": wire.elements(pictures)}, True),
            ({"image": wire.elements(texts)}, False),
            ({"pixels": pixels}, True),
            ({"pixels": pixels}, False),
        ):
            result = client.infer("image", wire.triton_inputs(arrays, binary))
            wire.assert_equal({one: result.as_numpy(one) for one in ("label", "probabilities")}, wanted)
        asked = client.infer("image", wire.triton_inputs({"pixels": pixels}), outputs=wire.outputs(("embedding",)))
        assert asked.as_numpy("embedding").shape == (2, 3) and asked.as_numpy("label") is None
        with pytest.raises(InferenceServerException, match="not of the model's size") as caught:
            client.infer("image", wire.triton_inputs({"pixels": pixels[:, :4]}))
        assert caught.value.status() == "422"
        with pytest.raises(InferenceServerException, match="Encoded bodies are not taken"):
            client.infer("image", wire.triton_inputs({"pixels": pixels}), request_compression_algorithm="gzip")
