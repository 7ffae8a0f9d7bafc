"""A thousand requests for each kind of model that went wrong on their way: each gets a sentence, none does harm."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import orjson
import pytest

from records.api import ErrorResponse, PredictResponse
from serving.endpoint import Endpoint
from serving.served import Served
from tests.serving.kinds import KITS
from tests.serving.mutating import JSON, Sent, binary, form, mutations, pictures

NUMBER = 1000


@pytest.fixture(params=["image", *KITS])
def served(request: pytest.FixtureRequest, serve_kind: Any) -> Served:
    kept: Served = serve_kind(request.param)
    return kept


def seeds(served: Served) -> list[Sent]:
    """Right requests of every form that the model takes."""
    document = orjson.loads(served.pages["/openapi.json"].body)
    found = []
    for path in ("/predict", "/feedback", "/v2/models/{name}/infer"):
        address = path.replace("{name}", served.name)
        for kind, media in document["paths"][path]["post"]["requestBody"]["content"].items():
            examples = [one["value"] for one in media.get("examples", {}).values()]
            for one in [*examples, *([media["example"]] if "example" in media else [])]:
                body = one.encode() if kind == "text/plain" else json.dumps(one).encode()
                found.append(Sent(address, kind, body))
    infer = f"/v2/models/{served.name}/infer"
    if served.name == "image":
        for picture in pictures():
            found.append(Sent("/predict", "image/png", picture))
        found.append(Sent("/predict", "multipart/form-data; boundary=b", form(pictures()[0])))
        told = binary(pictures()[0], "BYTES", [1], "image")
    elif served.name == "series":
        told = binary(bytes(48), "FP64", [1, 3, 2], "series")
    elif served.name in ("table", "number"):
        told = binary(bytes(8), "FP64", [1], "age")
    else:
        sample = orjson.loads(found[0].body)["inputs"][0]
        text = "good" if served.name == "text" else json.dumps(sample["history"])
        told = binary(text.encode(), "BYTES", [1], "text" if served.name == "text" else "history")
    body, length = told
    return [*found, Sent(infer, "application/octet-stream", body, (("inference-header-content-length", length),))]


async def ask_all(served: Served, sent: list[Sent]) -> list[httpx.Response]:
    transport = httpx.ASGITransport(Endpoint(lambda *_: None, served))  # type: ignore[arg-type, return-value]
    async with httpx.AsyncClient(transport=transport, base_url="http://server", timeout=60) as client:
        replies = []
        for one in sent:
            headers = [("content-type", one.content_type), *one.headers]
            encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
            replies.append(await client.post(one.path, content=one.body, headers=encoded))
        return replies


def check(sent: Sent, reply: httpx.Response) -> None:
    shown = (sent.path, sent.content_type, sent.body[:300], reply.status_code, reply.content[:300])
    assert reply.status_code == 200 or 400 <= reply.status_code < 500, shown
    kind = reply.headers["content-type"]
    if reply.status_code != 200:
        assert kind == JSON, shown
        error = ErrorResponse.model_validate_json(reply.content, strict=True).error
        assert 0 < len(error) < 1000 and "Traceback" not in error, shown
    elif kind == JSON:
        told = orjson.loads(reply.content)
        if sent.path.startswith("/predict"):
            PredictResponse.model_validate(told)
    else:
        head = reply.content[: int(reply.headers["inference-header-content-length"])]
        assert orjson.loads(head)["outputs"], shown


def test_the_seeds_are_right(served: Served) -> None:
    sent = seeds(served)
    told = [reply.status_code for reply in asyncio.run(ask_all(served, sent))]
    right = [one.content_type != "image/png" for one in sent]  # some formats of pictures are not taken
    assert all(status == 200 for status, must in zip(told, right, strict=True) if must)
    assert told.count(200) > len(told) // 2


def test_no_mutated_request_makes_the_server_fail(served: Served) -> None:
    right = seeds(served)
    sent = list(mutations([one for one in right if one.content_type != "image/png"], NUMBER))
    if served.name == "image":
        sent += mutations([one for one in right if one.content_type == "image/png"], NUMBER)
    replies = asyncio.run(ask_all(served, sent))
    for one, reply in zip(sent, replies, strict=True):
        check(one, reply)
    told = [reply.status_code for reply in replies]
    assert {200, 400, 415, 422} <= set(told) and told.count(200) < len(told) // 2
