"""Tensors in, tensors out: what `/predict` answers, for every kind of input."""

import base64
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from records.api import ErrorResponse
from serving.honesty.strangers import Strangers, directions
from serving.limits import Limits
from serving.messages import Reply
from serving.parsing.parameters import Options
from serving.served import Served
from serving.working import work_off
from tests.serving.conftest import png
from tests.serving.inference_protocol import wire
from tests.serving.kinds import KITS

IMAGES = (png((250, 10, 10)), png((0, 200, 30), (9, 4)))


def one(name: str, datatype: str, shape: list[int], *data: Any) -> dict[str, Any]:
    """An input in JSON."""
    return {"name": name, "datatype": datatype, "shape": shape, "data": list(data)}


TWO = one("series", "FP64", [1, 2, 2], 1, 2, 3, 4)


def error(reply: Reply) -> tuple[int, str]:
    assert reply.status >= 400, reply.body
    return reply.status, ErrorResponse.model_validate_json(reply.body).error


def ask(served: Served, request: Any, behind: bytes | None = None, **more: Any) -> Reply:
    """A request of any form; `behind`: bytes after the JSON."""
    head = orjson.dumps(request)
    if behind is None:
        return wire.send(served, head, **more)
    return wire.send(served, head + behind, len(head), **more)


@pytest.mark.parametrize("name", KITS)
def test_binary_tensors_get_what_predict_answers(all_served: dict[str, Served], name: str) -> None:
    served = all_served[name]
    assert served.bundle is not None
    for case in wire.cases(name):
        arrays = wire.arrays_of(served.bundle.codec.kind, case["inputs"])
        found = wire.infer(served, arrays, parameters=wire.NAN_IS_MISSING)
        wire.assert_equal(found, wire.expected(served.bundle, case))


@pytest.mark.parametrize("name", KITS)
def test_json_tensors_get_what_predict_answers(all_served: dict[str, Served], name: str) -> None:
    served = all_served[name]
    assert served.bundle is not None
    for case in wire.cases(name):
        inputs = []
        for tensor, array in wire.arrays_of(served.bundle.codec.kind, case["inputs"]).items():
            data = json.loads(json.dumps(array.tolist()).replace("NaN", "null"))
            datatype = "BYTES" if array.dtype == object else "FP64"
            inputs.append(one(tensor, datatype, list(array.shape), *data))
        reply = ask(served, {"id": "7", "inputs": inputs})
        assert reply.content_type == b"application/json" and reply.num_inputs == len(case["inputs"])
        told = orjson.loads(reply.body)
        assert (told["model_name"], told["model_version"], told["id"]) == (name, "1", "7")
        wire.assert_equal(wire.read(reply), wire.expected(served.bundle, case))


def test_pictures_come_as_files_or_as_pixels(all_served: dict[str, Served]) -> None:
    served = all_served["image"]
    assert served.bundle is not None
    wanted = wire.expected(served.bundle, {"inputs": [{"image": one} for one in IMAGES]})
    pixels = np.stack([served.bundle.codec.encode(one) for one in IMAGES])
    wire.assert_equal(wire.infer(served, {"image": wire.elements(list(IMAGES))}), wanted)
    wire.assert_equal(wire.infer(served, {"pixels": pixels}), wanted)
    texts = [base64.b64encode(one).decode() for one in IMAGES]
    reply = ask(served, {"inputs": [one("image", "BYTES", [2, 1], *texts)]})
    wire.assert_equal(wire.read(reply), wanted)
    nested = one("pixels", "UINT8", list(pixels.shape), *pixels.tolist())
    wire.assert_equal(wire.read(ask(served, {"inputs": [nested]})), wanted)


def test_a_future_goes_with_its_history(all_served: dict[str, Served]) -> None:
    served = all_served["forecast"]
    history = json.dumps(KITS["forecast"]().inputs[0]["history"])
    future = json.dumps([{"day": f"2024-02-{day}"} for day in (26, 27, 28)])
    alone = wire.infer(served, {"history": wire.elements([history])})
    for none in ("", "[]", future):
        both = wire.infer(served, {"history": wire.elements([history]), "future": wire.elements([none])})
        wire.assert_equal(both, alone)
    late = future.replace("28", "29")
    body = {"inputs": [one("history", "BYTES", [1], history), one("future", "BYTES", [1], late)]}
    assert "The future's times do not follow the history." in error(ask(served, body))[1]


def test_whole_numbers_and_truth_values_are_cells_too(all_served: dict[str, Served]) -> None:
    served = all_served["number"]
    wanted = wire.infer(served, {"age": np.array([64.0, 19.0])})
    for dtype in (np.int8, np.int16, np.uint64, np.float16, np.float32):
        wire.assert_equal(wire.infer(served, {"age": np.array([[64], [19]], dtype)}), wanted)
    assert wire.infer(served, {"age": np.array([True])})["value"].shape == (1,)


def test_outputs_are_selected_and_each_in_its_form(served: Served) -> None:
    assert served.bundle is not None
    body = served.bundle.sample_request()
    if served.bundle.codec.kind == "image":
        arrays = {"image": wire.elements([base64.b64decode(body["inputs"][0]["image"])])}
    else:
        arrays = wire.arrays_of(served.bundle.codec.kind, body["inputs"])
    options: dict[str, Any] = {"parameters": wire.NAN_IS_MISSING}
    usual = wire.infer(served, arrays, **options)
    assert "embedding" not in usual
    mixed = [*wire.outputs((next(iter(usual)),), False), *wire.outputs(("embedding",))]
    found = wire.infer(served, arrays, outputs=mixed, **options)
    assert list(found) == [next(iter(usual)), "embedding"]
    assert found["embedding"].ndim == 2 and np.isfinite(found["embedding"]).all()


def test_binary_data_output_is_for_outputs_that_say_nothing(all_served: dict[str, Served]) -> None:
    asked = {"inputs": [TWO], "parameters": {"binary_data_output": True}, "outputs": [
        {"name": "label", "parameters": {"binary_data": False}}, {"name": "probabilities"}]}  # fmt: skip
    reply = ask(all_served["series"], asked)
    length = int(dict(reply.headers)[wire.LENGTH])
    assert reply.content_type == b"application/octet-stream" and len(reply.body) == length + 8
    label, probabilities = orjson.loads(reply.body[:length])["outputs"]
    assert label["data"][0] in ("down", "up") and "data" not in probabilities
    assert probabilities["parameters"] == {"binary_data_size": 8} and probabilities["shape"] == [1, 2]


def test_parameters_that_nobody_knows_are_left_unread(all_served: dict[str, Served]) -> None:
    asked = {"inputs": [TWO], "parameters": {"priority": 1, "mine": "x"}, "outputs": [], "model_name": "series"}
    assert ask(all_served["series"], asked).status == 200


@pytest.mark.parametrize(
    ("name", "change", "status", "said"),
    [
        ("series", {"inputs": []}, 422, "The request has no inputs."),
        ("series", {"inputs": [{}]}, 422, "An input has no name."),
        ("series", {"inputs": [TWO, TWO]}, 422, "was given twice"),
        ("series", {"inputs": [TWO, TWO, TWO]}, 422, "Too many input tensors. Expected at most 2."),
        ("series", {"inputs": [{**TWO, "name": "other"}]}, 422, "Expected `series`."),
        ("series", {"inputs": [{**TWO, "shape": [4]}]}, 422, "`series` is wrong."),
        ("series", {"inputs": [{**TWO, "shape": [1, 4]}]}, 422, "wrong channels"),
        ("series", {"inputs": [{**TWO, "shape": [2, 2, 2]}]}, 422, "Expected 8 values. Received: 4."),
        ("series", {"inputs": [{**TWO, "shape": [129, 2, 2]}]}, 413, "Too many inputs"),
        ("series", {"inputs": [{**TWO, "shape": [2**63, 2, 2]}]}, 413, "Too many inputs"),
        ("series", {"inputs": [{**TWO, "datatype": "BYTES", "data": ["1"] * 4}]}, 422, "is of another shape"),
        ("series", {"inputs": [TWO], "id": 7}, 422, "`id` is wrong."),
        ("series", {"inputs": [TWO], "outputs": {}}, 422, "`outputs` is wrong."),
        ("series", {"inputs": [TWO], "outputs": [{"name": "value"}]}, 422, "Expected label, prob"),
        ("series", {"inputs": [TWO], "parameters": {"abstain_below": 2}}, 422, "`abstain_below` is wrong."),
        ("series", {"inputs": [TWO], "parameters": {"coverage": 0.9}}, 422, "answered by /predict"),
        ("number", {"inputs": [one("age", "INT8", [1], 1)], "parameters": {"abstain_below": 0.5}}, 422, "for classes"),
        ("series", {"inputs": [TWO], "outputs": [{"name": "label"}] * 2}, 422, "was asked for twice"),
        ("series", {"inputs": [TWO], "parameters": []}, 422, "`parameters` is wrong."),
        ("series", {"inputs": [TWO], "parameters": {"binary_data_output": 1}}, 422, "Expected true or false"),
        ("series", {"inputs": [{**TWO, "parameters": {"shared_memory_region": "x"}}]}, 422, "Shared memory"),
        ("series", {"inputs": [TWO], "outputs": [{"name": "label", "parameters": {"classification": 2}}]}, 422, "clas"),
        ("series", {"inputs": [{**TWO, "parameters": {"binary_data_size": 4}}]}, 422, "came twice"),
        ("text", {"inputs": [one("text", "BYTES", [1], None)]}, 422, "is null"),
        ("text", {"inputs": [one("text", "INT8", [1], 1)]}, 422, "Expected BYTES"),
        ("text", {"inputs": [one("text", "BYTES", [1, 2], "a", "b")]}, 422, "Expected BYTES of [-1] or [-1, 1]"),
        ("image", {"inputs": [one("image", "BYTES", [1], "é")]}, 422, "is not base64"),
        ("image", {"inputs": [one("image", "BYTES", [1], "abcd")]}, 422, "Not an image"),
        ("image", {"inputs": [one("pixels", "UINT8", [1, 2], 1, 2)]}, 422, "not of the model's size"),
        ("forecast", {"inputs": [one("history", "BYTES", [1], "{")]}, 422, "is not JSON"),
        ("forecast", {"inputs": [one("history", "BYTES", [1], "{}")]}, 422, "is no list of rows"),
        ("forecast", {"inputs": [one("history", "BYTES", [1], "[1]")]}, 422, "Row 1 in element 0"),
        ("forecast", {"inputs": [one("future", "BYTES", [1], "[]")]}, 422, "Expected `history`"),
        ("number", {"inputs": [one("agee", "FP32", [1], 1)]}, 422, "Did you mean age"),
        ("number", {"inputs": [one("age", "FP32", [1, 2], 1, 2)]}, 422, "is of another shape"),
        ("number", {"inputs": [one("age", "FP32", [2], 1, 2), one("city", "BYTES", [1], "a")]}, 422, "batch sizes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(
    all_served: dict[str, Served], name: str, change: dict[str, Any], status: int, said: str
) -> None:
    got, sentence = error(ask(all_served[name], change))
    assert got == status and said in sentence, sentence


def test_what_is_wrong_with_the_body_is_told(all_served: dict[str, Served]) -> None:
    served = all_served["series"]
    told: dict[str, Any] = {**TWO, "parameters": {"binary_data_size": 32}}
    del told["data"]
    asked = {"inputs": [told]}
    assert ask(served, asked, bytes(32)).status == 200
    assert error(ask(served, asked))[0] == 400  # it does not say where the JSON ends
    assert error(ask(served, asked, bytes(31)))[1].startswith("The binary_data_size of the tensor 'series' is wrong.")
    assert error(ask(served, asked, bytes(33))) == (
        422,
        "1 bytes behind the last tensor belong to none. Expected none.",
    )
    for wrong in (-1, 1.0, "32", None, 2**63):
        told["parameters"] = {"binary_data_size": wrong}
        assert error(ask(served, asked, bytes(32)))[0] == 422
    assert error(wire.send(served, b""))[0] == 400
    assert error(wire.send(served, b"[1]"))[0] == 422
    assert error(wire.send(served, b'{"inputs": NaN}'))[0] == 400
    assert error(ask(served, asked, content_type=b"application/x-www-form-urlencoded"))[0] == 415
    assert error(wire.send(served, b" " * 16_000_001))[0] == 413


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_are_finite(all_served: dict[str, Served], value: float) -> None:
    for name, tensor, shape in (("series", "series", (1, 1, 2)), ("number", "age", (1,))):
        body, size = wire.InferenceServerClient.generate_request_body(
            wire.triton_inputs({tensor: np.full(shape, value, np.float32)})
        )
        assert error(wire.send(all_served[name], body, size))[0] == 422


def test_the_limit_of_inputs_is_that_of_predict(all_served: dict[str, Served]) -> None:
    bundle = all_served["number"].bundle
    assert bundle is not None
    served = Served(limits=Limits(max_inputs=2))
    served.load(bundle, "number")
    assert wire.infer(served, {"age": np.ones(2)})["value"].shape == (2,)
    assert error(ask(served, {"inputs": [one("age", "FP64", [3], 1, 2, 3)]})) == (
        413,
        "Too many inputs in one request. Expected at most 2. Send several requests.",
    )
    assert "model_version" not in orjson.loads(ask(served, {"inputs": [one("age", "FP64", [1], 1)]}).body)


def test_what_is_not_sure_enough_is_left_out_as_by_predict(all_served: dict[str, Served]) -> None:
    bundle = all_served["text"].bundle
    assert bundle is not None
    arrays = {"text": wire.elements(KITS["text"]().raws)}
    likely = wire.infer(all_served["text"], arrays)["probabilities"].max(axis=1)
    least = float(np.median(likely))
    wanted = [(one.label or "").encode() for one in bundle.predict(KITS["text"]().raws, Options(abstain_below=least))]
    assert b"" in wanted and set(wanted) != {b""}
    asked = wire.infer(all_served["text"], arrays, parameters={"abstain_below": least})
    strict = Served(defaults=Options(abstain_below=least))
    strict.load(bundle, "text:1")
    for found in (asked, wire.infer(strict, arrays)):
        assert [wire.as_bytes(one) for one in found["label"].tolist()] == wanted


def test_strange_inputs_are_told_if_asked_for(all_served: dict[str, Served]) -> None:
    known = all_served["text"].bundle
    assert known is not None
    arrays = {"text": wire.elements(["good", "bad"])}
    names = wire.outputs(("out_of_distribution",))
    body, size = wire.InferenceServerClient.generate_request_body(wire.triton_inputs(arrays), outputs=names)
    assert error(wire.send(all_served["text"], body, size))[0] == 422  # this bundle cannot tell
    embeddings = work_off(known.asking(["good"]), known.run)[1]
    honesty = replace(known.honesty, strangers=Strangers(known=directions(embeddings).T.repeat(5, 1), least_likeness=2))
    bundle = replace(known)
    bundle.__dict__["honesty"] = honesty
    served = Served()
    served.load(bundle, "text:1")
    assert wire.read(wire.send(served, body, size))["out_of_distribution"].tolist() == [True, True]
