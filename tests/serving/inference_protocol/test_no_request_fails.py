"""No inference request makes a server fail, whatever is changed in it."""

import base64
import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records.api import ErrorResponse
from serving.inference_protocol.tensors import DATATYPES
from serving.served import Served
from tests.serving.inference_protocol import wire
from tests.serving.kinds import KITS

FUZZ = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SIDES = st.one_of(st.integers(-2, 9), st.sampled_from([2**31, 2**32, 2**62, 2**63, 2**64 - 1, -(2**63)]))
JUNK = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.text(max_size=5)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)  # fmt: skip
NAMES = ["image", "pixels", "text", "series", "history", "future", "age", "city", "answer", "label", "embedding", ""]
CHANGES: dict[str, Any] = {
    "name": st.one_of(st.sampled_from(NAMES), JUNK),
    "datatype": st.one_of(st.sampled_from(sorted(DATATYPES)), JUNK),
    "shape": st.one_of(st.lists(SIDES, max_size=9), JUNK),
    "data": JUNK,
    "parameters": st.one_of(st.dictionaries(st.just("binary_data_size"), st.one_of(SIDES, JUNK)), JUNK),
}
WHOLE: dict[str, Any] = {
    "id": JUNK,
    "outputs": st.one_of(st.lists(st.fixed_dictionaries({"name": st.sampled_from(NAMES)}), max_size=3), JUNK),
    "parameters": st.one_of(
        st.dictionaries(st.sampled_from(["binary_data_output", "nan_is_missing"]), st.booleans()), JUNK
    ),
    "inputs": JUNK,
}


def good(served: Served, binary: bool) -> tuple[dict[str, Any], bytes]:
    """A request that works: its JSON, and what stands behind it."""
    assert served.bundle is not None
    kind, body = served.bundle.codec.kind, served.bundle.sample_request()
    if kind == "image":
        pixels = np.zeros((2, *served.bundle.codec.input_shape), np.uint8)
        data = base64.b64decode(body["inputs"][0]["image"])
        arrays = {"image": wire.elements([data])} if binary else {"pixels": pixels}
    else:
        arrays = wire.arrays_of(kind, body["inputs"])
    parameters = wire.NAN_IS_MISSING
    if not binary:
        inputs = []
        for name, array in arrays.items():
            datatype = {"O": "BYTES", "u": "UINT8"}.get(array.dtype.kind, "FP64")
            data = json.loads(json.dumps(array.tolist()).replace("NaN", "null"))
            inputs.append({"name": name, "datatype": datatype, "shape": list(array.shape), "data": data})
        return {"inputs": inputs, "parameters": parameters}, b""
    whole, size = wire.InferenceServerClient.generate_request_body(wire.triton_inputs(arrays), parameters=parameters)
    return orjson.loads(whole[:size]), whole[size:]


def check(served: Served, body: bytes, json_size: int | None) -> None:
    reply = wire.send(served, body, json_size)
    if reply.status == 200:
        assert wire.read(reply)
    else:
        assert 400 <= reply.status < 500, reply.body
        assert len(ErrorResponse.model_validate_json(reply.body).error) < 1000


@pytest.mark.parametrize("binary", [False, True])
def test_the_unchanged_request_works(served: Served, binary: bool) -> None:
    head, behind = good(served, binary)
    body = orjson.dumps(head)
    assert wire.read(wire.send(served, body + behind, len(body) if binary else None))


@FUZZ
@given(data=st.data(), binary=st.booleans())
def test_no_change_of_the_json_makes_the_server_fail(served: Served, data: Any, binary: bool) -> None:
    head, behind = good(served, binary)
    for _ in range(data.draw(st.integers(1, 3))):
        if data.draw(st.booleans()):
            name = data.draw(st.sampled_from(sorted(WHOLE)))
            head[name] = data.draw(WHOLE[name])
        elif isinstance(head["inputs"], list) and head["inputs"] and isinstance(head["inputs"][-1], dict):
            name = data.draw(st.sampled_from(sorted(CHANGES)))
            head["inputs"][-1][name] = data.draw(CHANGES[name])
    body = orjson.dumps(head)
    check(served, body + behind, len(body) if binary else None)


@FUZZ
@given(data=st.data())
def test_no_change_of_the_bytes_makes_the_server_fail(served: Served, data: Any) -> None:
    head, behind = good(served, True)
    body = bytearray(orjson.dumps(head) + behind)
    size: int | None = len(body) - len(behind)
    for _ in range(data.draw(st.integers(0, 6))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from(["no", "no", "short", "long"]))
    if cut == "short":
        del body[data.draw(st.integers(0, len(body))) :]
    elif cut == "long":
        body += data.draw(st.binary(max_size=9))
    if data.draw(st.integers(0, 4)) == 0:
        size = data.draw(st.one_of(st.none(), st.integers(0, len(body) + 3)))
    check(served, bytes(body), size)


@pytest.mark.parametrize("name", KITS)
@FUZZ
@given(data=st.data())
def test_no_number_makes_the_server_fail(all_served: dict[str, Served], name: str, data: Any) -> None:
    """Every bit pattern of every datatype, in the tensors of the model."""
    served = all_served[name]
    head, _ = good(served, True)
    behind = b""
    for one in head["inputs"]:
        datatype = data.draw(st.sampled_from(sorted(set(DATATYPES) - {"BYTES"})))
        length = DATATYPES[datatype].itemsize * int(np.prod(one["shape"]))
        behind += data.draw(st.binary(min_size=length, max_size=length))
        one.update(datatype=datatype, parameters={"binary_data_size": length})
    body = orjson.dumps(head)
    check(served, body + behind, len(body))
