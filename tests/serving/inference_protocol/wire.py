"""Requests of the Open Inference Protocol, written and read by Triton's client: an implementation that is not ours."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import np_to_triton_dtype

from serving import handlers
from serving.bundle import ModelBundle
from serving.messages import Reply, Request
from serving.served import Served
from tests.serving.kinds import KITS

NAN_IS_MISSING = {"nan_is_missing": True}
LENGTH = b"inference-header-content-length"


def elements(values: list[Any]) -> np.ndarray:
    """`<object>[n]`."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def arrays_of(kind: str, inputs: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Inputs as they stand in a JSON body of `/predict`, as tensors; missing numbers as NaN."""
    if kind == "text":
        return {"text": elements([one["text"] for one in inputs])}
    if kind == "series":
        return {"series": np.array([one["series"] for one in inputs], np.float64)}
    if kind == "forecast":
        return {"history": elements([json.dumps(one["history"]) for one in inputs])}
    ages = [one["row"].get("age") for one in inputs]
    cities = elements([one["row"].get("city") or "" for one in inputs])
    return {"age": np.array([float("nan" if age is None else age) for age in ages]), "city": cities}


def cases(name: str) -> list[dict[str, Any]]:
    """Each a JSON body for `/predict` of `KITS[name]`; series of one length stand together."""
    inputs = KITS[name]().inputs
    return [{"inputs": [one]} for one in inputs] if name == "series" else [{"inputs": inputs}]


def triton_inputs(arrays: dict[str, np.ndarray], binary: bool = True) -> list[InferInput]:
    """As the client takes them."""
    made = []
    for name, array in arrays.items():
        one = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        made.append(one.set_data_from_numpy(array, binary_data=binary))
    return made


def outputs(names: tuple[str, ...], binary: bool = True) -> list[InferRequestedOutput]:
    """As the client takes them."""
    return [InferRequestedOutput(name, binary_data=binary) for name in names]


def send(served: Served, body: bytes, json_size: int | None = None, content_type: bytes = b"") -> Reply:
    """What `POST /v2/models/{name}/infer` gets."""
    headers = {b"content-type": content_type}
    if json_size is not None:
        headers[LENGTH] = str(json_size).encode()
    captured = {"name": served.name}
    request = Request(id="asked", method="POST", path="/v2", captured=captured, headers=headers, body=body)
    return handlers.answer(served, "v2_infer", request)


def infer(served: Served, arrays: dict[str, np.ndarray], **options: Any) -> dict[str, np.ndarray]:
    """The outputs of a request in binary that must succeed, by name."""
    body, size = InferenceServerClient.generate_request_body(triton_inputs(arrays), **options)
    return read(send(served, body, size))


def read(reply: Reply) -> dict[str, np.ndarray]:
    """The outputs of a reply that must be a success."""
    assert reply.status == 200, reply.body
    length = dict(reply.headers).get(LENGTH)
    result = InferenceServerClient.parse_response_body(reply.body, header_length=length and int(length))
    return {one["name"]: result.as_numpy(one["name"]) for one in result.get_response()["outputs"]}


def expected(bundle: ModelBundle, body: dict[str, Any]) -> dict[str, np.ndarray]:
    """What `/predict` answers, as tensors."""
    raws = body["inputs"] if bundle.codec.kind == "forecast" else [next(iter(one.values())) for one in body["inputs"]]
    answers: list[Any] = bundle.predict(raws)
    if bundle.manifest.task == "regression":
        return {"value": np.array([one.value for one in answers])}
    if bundle.manifest.task == "forecasting":
        return {"quantiles": np.array([list(one.quantiles.values()) for one in answers]).transpose(0, 2, 1)}
    by_label = [{one.label: one.probability for one in answer.classes} for answer in answers]
    return {
        "label": elements([answer.label.encode() for answer in answers]),
        "probabilities": np.array([[one[label] for label in bundle.manifest.labels] for one in by_label]),
    }


def assert_equal(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    """Texts equal, numbers as close as `/predict` writes them."""
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        assert found[name].shape == values.shape, name
        if values.dtype == object:
            assert [as_bytes(one) for one in found[name].tolist()] == values.tolist()
        else:
            np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-7)


def as_bytes(value: Any) -> bytes:
    """Of an element that came in binary or as JSON."""
    return value if isinstance(value, bytes) else value.encode()
