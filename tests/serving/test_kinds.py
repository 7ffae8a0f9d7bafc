"""What serving must do for every kind of input."""

import json
import shlex
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from records.api import REQUESTS, Description, ErrorResponse, PredictResponse
from records.errors import BundleError, InputError
from records.spec import InputKind
from serving.bundle import ModelBundle, open_bundle
from serving.client import Client
from serving.endpoint import Endpoint
from serving.kinds import WAYS, curl_line
from serving.limits import Limits
from serving.served import Served
from tests.serving.asking import answer
from tests.serving.kinds import KITS, Kit, make_bundle

JSON = "application/json"
ANSWER_FIELDS = {
    "classification": {"label", "probability", "classes"},
    "regression": {"value"},
    "forecasting": {"times", "values", "quantiles"},
}
FURTHER_FIELDS = {
    "classification": {"set", "abstained", "out_of_distribution"},
    "regression": {"low", "high", "out_of_distribution"},
    "forecasting": {"low", "high", "out_of_distribution"},
}
"""That an answer has only where they were asked for, or hold."""


@pytest.fixture(scope="module", params=KITS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def kit(name: str) -> Kit:
    return KITS[name]()


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(name, tmp_path_factory.mktemp("kinds") / name)


@pytest.fixture(scope="module")
def bundle(folder: Path) -> ModelBundle:
    return open_bundle(folder)


@pytest.fixture(scope="module")
def served(bundle: ModelBundle, name: str) -> Served:
    served = Served()
    served.load(bundle, f"{name}:1")
    return served


@pytest.fixture
def client(served: Served, in_process: Any) -> Any:
    return in_process(Endpoint(lambda *_: None, served))  # type: ignore[arg-type, return-value]


def ask(served: Served, body: Any, content_type: str = JSON, query: bytes = b"") -> tuple[int, str]:
    """Status, and the error's sentence."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = answer(served, content_type, query, content)
    return reply.status, "" if reply.status == 200 else ErrorResponse.model_validate_json(reply.body).error


def test_every_kind_has_a_way_a_request_and_a_bundle_here() -> None:
    assert WAYS.keys() == REQUESTS.keys() == set(InputKind)
    assert {KITS[name]().codec.kind for name in KITS} | {"image"} == set(InputKind)


def test_the_sample_works_as_printed(client: Any, kit: Kit, bundle: ModelBundle) -> None:
    described = Description.model_validate_json(client.get("/describe").content)
    assert described.sample == client.get("/sample.json").json()
    response = client.post("/predict", json=described.sample)
    assert response.status_code == 200
    [prediction] = response.json()["predictions"]
    assert prediction.keys() == ANSWER_FIELDS[kit.task]
    assert PredictResponse.model_validate_json(response.content).predictions == bundle.predict(kit.raws[:1])
    assert bundle.reproduces_sample()


def test_the_description_says_what_an_input_is(client: Any, kit: Kit) -> None:
    described = Description.model_validate_json(client.get("/describe").content)
    assert (described.input_kind, described.task, described.target) == (kit.codec.kind, kit.task, kit.target)
    told = kit.codec.describe()
    assert [column.name for column in described.columns] == [column["name"] for column in told.get("columns", [])]
    assert described.channels == told.get("channels", []) and described.horizon == told.get("horizon")
    assert described.limits["max_inputs"] == WAYS[kit.codec.kind].max_inputs
    assert told["limits"].items() <= described.limits.items()
    assert ("max_top_k" in described.limits) == bool(kit.labels)


def test_many_inputs_at_once_get_what_each_gets_alone(served: Served, bundle: ModelBundle, kit: Kit) -> None:
    inputs = (kit.inputs * 400)[: WAYS[kit.codec.kind].max_inputs]
    reply = answer(served, JSON, b"", json.dumps({"inputs": inputs}).encode())
    assert reply.status == 200
    together = PredictResponse.model_validate_json(reply.body).predictions
    alone = [bundle.predict([raw])[0] for raw in kit.raws]
    assert len(together) == len(inputs)
    for i, prediction in enumerate(together):
        one, other = prediction.model_dump(), alone[i % len(alone)].model_dump()
        assert one.keys() == other.keys() and one.get("label") == other.get("label")
        numbers = ("probability", "value", "values")
        for field in numbers:
            np.testing.assert_allclose(one.get(field, 0), other.get(field, 0), rtol=1e-5, atol=1e-6)
    assert len({str(prediction) for prediction in alone}) == len(alone)  # each input has an answer of its own


def test_openapi_is_of_this_kind_and_its_examples_validate(client: Any, kit: Kit, bundle: ModelBundle) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    names = [part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]]
    assert all(name in schemas for name in names)
    operation = document["paths"]["/predict"]["post"]
    assert WAYS[kit.codec.kind].one in operation["summary"]
    body = operation["requestBody"]["content"]
    request = REQUESTS[InputKind(kit.codec.kind)]
    assert body[JSON]["schema"] == {"$ref": f"#/components/schemas/{request.__name__}"}
    request.model_validate(body[JSON]["example"], strict=True)
    for media_type, told in body.items():
        content = told["example"] if media_type == "text/plain" else json.dumps(told["example"])
        response = client.post("/predict", content=content, headers={"content-type": media_type})
        assert response.status_code == 200
    options = {"top_k", "abstain_below"} if kit.labels else set()
    options |= {"coverage"} if bundle.honesty.max_coverage is not None else set()
    assert {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"} == options
    [answered] = {schemas["PredictResponse"]["properties"]["predictions"]["items"]["$ref"].rpartition("/")[2]}
    assert schemas[answered]["properties"].keys() == ANSWER_FIELDS[kit.task] | FURTHER_FIELDS[kit.task]


def test_the_line_on_the_page_works_as_printed(client: Any, kit: Kit) -> None:
    sample = client.get("/sample.json").json()
    words = shlex.split(curl_line(kit.codec.kind, sample, "http://server"))
    assert words[:2] == ["curl", "-H"] and words[3] == "--data-raw" and words[5] == "http://server/predict"
    media_type = words[2].removeprefix("Content-Type: ")
    response = client.post("/predict", content=words[4].encode(), headers={"content-type": media_type})
    assert response.json()["predictions"] == client.post("/predict", json=sample).json()["predictions"]
    page = client.get("/").text
    assert "http:" not in page and "https:" not in page and "src=" not in page and "<b>" not in page


def test_a_long_example_is_fetched_instead_of_printed(kit: Kit) -> None:
    line = curl_line(kit.codec.kind, {"inputs": kit.inputs * 500}, "http://server")
    assert len(line) < 2000
    if kit.codec.kind != "text":
        assert line.startswith("curl -s http://server/sample.json | curl ")


@pytest.mark.parametrize("media_type", ["image/png", "multipart/form-data; boundary=b", "text/html", "", "text/plain"])
def test_a_body_of_another_kind_gets_415_and_what_is_taken(served: Served, kit: Kit, media_type: str) -> None:
    if media_type == "text/plain" and kit.codec.kind == "text":
        return
    status, error = ask(served, b"\x89PNG", media_type)
    assert status == 415
    assert f"this model answers {WAYS[kit.codec.kind].several}. Expected " in error
    assert WAYS[kit.codec.kind].shape in error and "Received: " in error


def test_an_input_of_another_kind_gets_422_and_what_is_taken(served: Served, kit: Kit) -> None:
    for other, make in KITS.items():
        if make().codec.kind != kit.codec.kind:
            status, error = ask(served, {"inputs": make().inputs[:1]})
            assert status == 422 and WAYS[kit.codec.kind].shape in error, other
    status, error = ask(served, {"inputs": [{"image": "AAAA"}]})
    assert status == 422 and "inputs.0 has no `" in error


def test_too_many_inputs_get_413(served: Served, kit: Kit) -> None:
    most = WAYS[kit.codec.kind].max_inputs
    status, error = ask(served, {"inputs": (kit.inputs * 400)[: most + 1]})
    assert (status, error) == (413, f"Too many inputs in one request. Expected at most {most}. Send several requests.")
    few = Served(limits=Limits(max_inputs=1))
    few.load(served.bundle, "few:1")  # type: ignore[arg-type]
    assert ask(few, {"inputs": kit.inputs})[0] == 413


def test_a_body_beyond_the_kinds_limit_gets_413(served: Served, kit: Kit) -> None:
    status, error = ask(served, b" " * (WAYS[kit.codec.kind].max_body_bytes + 1))
    assert status == 413 and error.startswith("The body is too large. Expected at most ")


def test_the_wrong_one_of_several_inputs_is_named(served: Served, kit: Kit) -> None:
    wrong = {
        "text": {"text": ""},
        "series": {"series": [[1, 2, 3]]},
        "table": {"row": {"agee": 1}},
        "forecast": {"history": [{"day": "soon", "sales": 1}] * 3},
    }[kit.codec.kind]
    status, error = ask(served, {"inputs": [kit.inputs[0], wrong]})
    if kit.codec.kind != "text":  # an empty text is a text
        assert status == 422 and error.startswith("Input 2 of 2: ")


def test_top_k_lists_so_many_classes(served: Served, kit: Kit) -> None:
    status, error = ask(served, {"inputs": kit.inputs[:1]}, query=b"top_k=1")
    if kit.codec.kind == "forecast":
        assert status == 422 and "Expected `coverage`. Received: top_k" in error
        assert ask(served, {"inputs": kit.inputs[:1], "top_k": 1})[0] == 422
    elif kit.labels:
        reply = answer(served, JSON, b"", json.dumps({"inputs": kit.inputs[:1], "top_k": 1}).encode())
        assert [len(one["classes"]) for one in json.loads(reply.body)["predictions"]] == [1]
    else:
        assert status == 200


def test_the_client_asks_with_plain_python_values(served: Served, kit: Kit, bundle: ModelBundle) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        reply = served.pages.get(request.url.path)
        if reply is None:
            reply = answer(served, request.headers["content-type"], request.url.query, request.read())
        return httpx.Response(reply.status, content=reply.body)

    client = Client("http://127.0.0.1:9")
    client._http = httpx.Client(base_url="http://127.0.0.1:9", transport=httpx.MockTransport(handle))
    assert client.predict(kit.raws).predictions == bundle.predict(kit.raws)
    if kit.codec.kind == "series":
        arrays = [np.array(raw, np.float64) for raw in kit.raws]
        assert client.predict(arrays).predictions == client.predict(tuple(kit.raws)).predictions
        assert client.predict([array.T[::-1][::-1].T for array in arrays]) == client.predict(kit.raws)
    if kit.codec.kind == "table":
        row = {"age": np.float32(64.5), "city": "Rome"}
        assert client.predict([row]) == client.predict([{"age": 64.5, "city": "Rome"}])
    with pytest.raises(InputError):
        client.predict([kit.raws[0], 7])


def test_a_sample_whose_answer_changed_is_seen(folder: Path, kit: Kit, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    path = copy / "sample_answer.json"
    saved = json.loads(path.read_text())
    [prediction] = saved["predictions"]
    for change, same in ((1e-6, True), (1e-2, False)):
        changed = json.loads(json.dumps(prediction))
        if kit.task == "classification":
            changed["classes"][0]["probability"] -= change
        elif kit.task == "regression":
            changed["value"] *= 1 + change
        else:
            changed["quantiles"]["0.9"][1] *= 1 + change
        path.write_text(json.dumps({"predictions": [changed]}))
        assert open_bundle(copy).reproduces_sample() is same
    path.write_text(json.dumps({"predictions": [{"value": 1.0, "label": "x"}]}))
    with pytest.raises(BundleError, match="cannot be read"):
        open_bundle(copy).reproduces_sample()
