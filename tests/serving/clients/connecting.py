"""Both clients with a function for a server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from serving.async_client import AsyncClient
from serving.client import Client

URL = "http://127.0.0.1:9"
Respond = Callable[[httpx.Request], httpx.Response]


class Blocking:
    """The asynchronous client, waited for, so that one test asks both."""

    def __init__(self, asking: AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self._asking, self._loop = asking, loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            awaited: Awaitable[Any] = getattr(self._asking, name)(*arguments, **options)
            return self._loop.run_until_complete(awaited)  # type: ignore[arg-type]

        return call


def build_client(kind: str, loop: asyncio.AbstractEventLoop, respond: Respond | None, url: str, **options: Any) -> Any:
    """A client, "sync" or "async", whose server is a function; the real network where there is none."""
    transport = None if respond is None else httpx.MockTransport(respond)
    if kind == "sync":
        made = Client(url, **options)
        if transport:
            made._http = httpx.Client(base_url=url, transport=transport)
        return made
    asking = AsyncClient(url, **options)
    if transport:
        asking._http = httpx.AsyncClient(base_url=url, transport=transport)
    return Blocking(asking, loop)


def in_turn(*answers: httpx.Response | Exception) -> tuple[Respond, list[httpx.Request]]:
    """A server that gives one after the other, the last one again and again; and what it was asked."""
    asked: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        request.read()
        asked.append(request)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    return respond, asked
