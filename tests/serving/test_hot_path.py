"""Requests that come together, through the whole endpoint."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from serving.batching import Batching, EngineSettings
from serving.bundle import ModelBundle
from serving.endpoint import Endpoint
from serving.observing.observer import Observer
from serving.served import Served


async def beyond(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nothing here is BentoML's")


@pytest.mark.parametrize("largest_batch", [1, 8])
def test_many_requests_at_once_each_get_their_own_answer(
    bundle: ModelBundle, picture: Callable[..., bytes], largest_batch: int
) -> None:
    heard: list[int] = []

    class Listening(Observer):
        def batched(self, size: int, waited_seconds: float) -> None:
            heard.append(size)

    settings = EngineSettings(largest_batch=largest_batch, requests=9)
    batching = Batching(bundle.engine, bundle.codec.collate, settings)
    served = Served()
    served.load(dataclasses.replace(bundle, batching=batching), "tiny:1")
    app = Endpoint(beyond, served, observer=Listening())
    colors = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
    asked = [*colors] * 16

    async def main() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
            described = (await client.get("/describe")).json()
            assert described["engine_settings"] == settings.told()
            headers = {"content-type": "image/png"}
            sent = [client.post("/predict", content=picture(colors[name]), headers=headers) for name in asked]
            return await asyncio.gather(*sent)

    replies = asyncio.run(main())
    assert [reply.json()["predictions"][0]["label"] for reply in replies] == asked
    assert sum(heard) == len(asked)
    assert len({reply.headers["x-request-id"] for reply in replies}) == len(asked)
