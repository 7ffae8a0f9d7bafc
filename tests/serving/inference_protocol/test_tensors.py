"""The codec of tensors, against Triton's own."""

import math
import struct
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tritonclient.http import InferInput
from tritonclient.utils import triton_to_np_dtype

from records.errors import InputError
from serving.inference_protocol.binary import from_binary, split, to_binary
from serving.inference_protocol.tensors import DATATYPES, FLOATS, Declared, Tensor, declared, from_json, to_json
from tests.serving.inference_protocol.wire import elements

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SHAPES = arrays.array_shapes(max_dims=4, max_side=4)


@st.composite
def tensors(draw: Any, texts: bool = False) -> Tensor:
    datatype = draw(st.sampled_from(sorted(DATATYPES)))
    shape = draw(SHAPES)
    if datatype == "BYTES":
        one = st.text(st.characters(exclude_categories=["Cs"]), max_size=6).map(str.encode)
        size = math.prod(shape)
        values = draw(st.lists(one if texts else st.binary(max_size=9), min_size=size, max_size=size))
        return Tensor("t", datatype, elements(values).reshape(shape))
    finite = {"allow_nan": False, "allow_infinity": False} if datatype in FLOATS else {}
    return Tensor("t", datatype, draw(arrays.arrays(DATATYPES[datatype], shape, elements=finite or None)))


def as_declared(tensor: Tensor) -> Declared:
    return declared({"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.values.shape)})


@FUZZ
@given(tensor=tensors())
def test_what_triton_writes_is_read(tensor: Tensor) -> None:
    one = InferInput("t", list(tensor.values.shape), tensor.datatype).set_data_from_numpy(tensor.values)
    found = from_binary(as_declared(tensor), memoryview(one._get_binary_data()), False)
    assert found.values.shape == tensor.values.shape
    assert found.values.tolist() == tensor.values.tolist()


@FUZZ
@given(tensor=tensors())
def test_binary_comes_back_as_it_went(tensor: Tensor) -> None:
    told, data = to_binary(tensor)
    assert told["parameters"]["binary_data_size"] == len(data)
    found = from_binary(declared(told), memoryview(data), False)
    assert found.datatype == tensor.datatype and found.values.tolist() == tensor.values.tolist()


@FUZZ
@given(tensor=tensors(texts=True), nested=st.booleans())
def test_json_comes_back_as_it_went(tensor: Tensor, nested: bool) -> None:
    told = orjson.loads(orjson.dumps(to_json(tensor), option=orjson.OPT_SERIALIZE_NUMPY))
    if nested:
        told["data"] = elements(told["data"]).reshape(told["shape"]).tolist()
    found = from_json(declared(told), told["data"])
    wanted = tensor.values.tolist()
    if tensor.datatype == "BYTES":
        wanted = elements([one.decode() for one in tensor.values.reshape(-1)]).reshape(found.values.shape).tolist()
    assert found.values.tolist() == wanted
    assert found.values.dtype == DATATYPES[tensor.datatype]


@FUZZ
@given(
    datatype=st.sampled_from(sorted(DATATYPES)),
    shape=st.lists(st.integers(1, 2**63), min_size=1, max_size=8),
    data=st.binary(max_size=64),
)
def test_a_shape_that_the_bytes_do_not_have_is_refused(datatype: str, shape: list[int], data: bytes) -> None:
    tensor = declared({"name": "t", "datatype": datatype, "shape": shape})
    try:
        found = from_binary(tensor, memoryview(data), True)
    except InputError as error:
        assert error.status == 422 and len(str(error)) < 500
    else:
        assert list(found.values.shape) == shape
        assert found.values.nbytes <= max(len(data), 8 * len(data) // 4)


def test_datatypes_are_those_of_the_protocol() -> None:
    for name, dtype in DATATYPES.items():
        assert np.dtype(triton_to_np_dtype(name)) == dtype


def test_numbers_are_not_copied() -> None:
    data = np.arange(6, dtype="<f4").tobytes()
    found = from_binary(Declared("t", "FP32", (2, 3)), memoryview(data), False)
    assert np.shares_memory(found.values, np.frombuffer(data, np.uint8))


@pytest.mark.parametrize(
    ("one", "said"),
    [
        ([], "not a tensor"),
        ({"datatype": "FP32", "shape": [1]}, "no name"),
        ({"name": "t", "datatype": "FP33", "shape": [1]}, "unknown datatype"),
        ({"name": "t", "datatype": "BF16", "shape": [1]}, "unknown datatype"),
        ({"name": "t", "datatype": "FP32", "shape": [-1]}, "Expected numbers from 1"),
        ({"name": "t", "datatype": "FP32", "shape": [2, 0]}, "Expected numbers from 1"),
        ({"name": "t", "datatype": "FP32", "shape": [1.0]}, "whole numbers"),
        ({"name": "t", "datatype": "FP32", "shape": [True]}, "whole numbers"),
        ({"name": "t", "datatype": "FP32", "shape": []}, "1 to 8"),
        ({"name": "t", "datatype": "FP32", "shape": [1] * 9}, "1 to 8"),
    ],
)
def test_a_wrong_declaration_is_told(one: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        declared(one)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "said"),
    [
        ("FP32", (2,), None, "has no data"),
        ("FP32", (2,), [1.5], "Expected 2 values. Received: 1"),
        ("FP32", (2, 2), [[1, 2], [3]], "nested otherwise"),
        ("FP32", (2, 2), [[1, 2], 3], "nested otherwise"),
        ("FP32", (2,), [[1], [2]], r"Received: \[1\]"),
        ("FP32", (1,), ["1"], "Expected numbers"),
        ("FP32", (1,), [1e300], "cannot hold"),
        ("FP16", (1,), [70000], "cannot hold"),
        ("INT8", (1,), [128], "cannot hold"),
        ("UINT64", (1,), [-1], "cannot hold"),
        ("INT32", (1,), [1.0], "whole numbers"),
        ("INT32", (1,), [None], "whole numbers"),
        ("UINT8", (1,), [True], "whole numbers"),
        ("BOOL", (1,), [1], "true or false"),
        ("BYTES", (1,), [1], "strings"),
    ],
)
def test_wrong_json_values_are_told(datatype: str, shape: tuple[int, ...], data: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        from_json(Declared("t", datatype, shape), data)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "said"),
    [
        ("FP32", (2,), b"1234567", "cut off"),
        ("FP32", (2,), b"1234", "Expected 2 values. Received: 1"),
        ("FP64", (1,), struct.pack("<d", math.inf), "not finite"),
        ("FP16", (1,), struct.pack("<e", math.nan), "nan_is_missing"),
        ("BOOL", (2,), b"\x01\x02", "0 or 1"),
        ("BYTES", (1,), b"", "longer than its bytes"),
        ("BYTES", (1,), b"\xff\xff\xff\xff1234", "longer than its bytes"),
        ("BYTES", (2,), b"\x04\0\0\x001234\0", "longer than its bytes"),
        ("BYTES", (2**62, 2**62), b"\0" * 64, "longer than its bytes"),
        ("BYTES", (1,), b"\x01\0\0\x00ab", "Received: 1 more"),
    ],
)
def test_wrong_bytes_are_told(datatype: str, shape: tuple[int, ...], data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        from_binary(Declared("t", datatype, shape), memoryview(data), False)


def test_a_missing_number_is_null_in_json_and_nan_in_binary_if_the_request_says_so() -> None:
    tensor = Declared("t", "FP32", (2,))
    in_json = from_json(tensor, [1.5, None]).values
    in_binary = from_binary(tensor, memoryview(struct.pack("<ff", 1.5, math.nan)), True).values
    np.testing.assert_array_equal(in_json, in_binary)


@pytest.mark.parametrize("told", [b"-1", b"7", b"", b"1e1", b"1" * 40, b"\xff"])
def test_a_wrong_length_of_the_json_is_a_400(told: bytes) -> None:
    with pytest.raises(InputError, match="Inference-Header-Content-Length is wrong") as caught:
        split({b"inference-header-content-length": told}, b"{}1234")
    assert caught.value.status == 400
