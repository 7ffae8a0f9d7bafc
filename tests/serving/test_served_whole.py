"""A real server: what its document says, asked through a socket, and the asynchronous client."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from records.errors import InputError
from serving.async_client import AsyncClient
from serving.client import Client
from serving.feedback_files import read_feedback
from serving.serve import running
from serving.settings import Settings
from tests.serving.describing.test_openapi import addressed, check, examples, operations

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept") / "feedback"


@pytest.fixture(scope="module")
def url(pristine: Path, kept: Path) -> Iterator[str]:
    settings = Settings(folder=pristine, ref="tiny:1", workers=2, feedback_folder=kept)
    with running(settings) as server:
        yield server.url


def test_the_asynchronous_client_asks_many_questions_at_once(
    url: str, kept: Path, picture: Callable[..., bytes]
) -> None:
    async def ask() -> None:
        async with AsyncClient(url) as client:
            assert await client.ready() and (await client.describe()).model == "tiny:1"
            colors = [(250, 10, 10), (0, 0, 255)] * 40
            answers = await asyncio.gather(*(client.predict([picture(color)]) for color in colors))
            assert [one.predictions[0].label for one in answers] == ["red", "blue"] * 40
            ids = [one.request_id for one in answers]
            assert len(set(ids)) == 80
            told = await asyncio.gather(*(client.feedback(one, "green") for one in [*ids, *ids]))
            assert all(one.kept == 1 for one in told)
            with pytest.raises(InputError, match="is not an answer of this model"):
                await client.feedback(ids[0], 1.5)
        assert {one.request_id for one in read_feedback(kept)} >= set(ids)

    asyncio.run(ask())
    found = list(read_feedback(kept))
    assert len(found) == len({(one.request_id, one.index) for one in found}) == 80


def test_every_example_of_the_document_works(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as client:
        document = client.get("/openapi.json").json()
        for path, method, operation in operations(document):
            bodies: dict[str, Any] = operation.get("requestBody", {}).get("content", {})
            for kind, one in [(name, one) for name in bodies for one in examples(bodies[name])] or [("", None)]:
                content = b"" if one is None else json.dumps(one).encode()
                headers = {"content-type": kind} if kind else {}
                response = client.request(method, addressed(path, operation), content=content, headers=headers)
                assert response.status_code == 200, (path, response.text)
                told = operation["responses"]["200"]["content"]
                media = told[response.headers["content-type"].partition(";")[0]]
                if response.headers["content-type"] == "application/json":
                    check(response.json(), media["schema"], document)


def test_the_synchronous_client_keeps_its_connection(url: str, picture: Callable[..., bytes]) -> None:
    with Client(url) as client:
        response = client.predict([picture()], top_k=1, model="tiny", request_id="given.1")
        assert response.request_id == "given.1" and response.model == "tiny:1"
        assert client.feedback("given.1", "red").model == "tiny:1"
