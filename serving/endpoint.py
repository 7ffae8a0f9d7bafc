"""The ASGI application that answers our routes: in front of BentoML's own layers, and before its router."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import orjson

from records.api import ErrorResponse
from records.errors import InputError, KerasmithError
from serving.body import BodyReader, Disconnected, Receive
from serving.bundle import ModelBundle
from serving.limits import Limits
from serving.openapi import describe, openapi
from serving.page import page
from serving.parsing import parse_request
from serving.routes import ROUTES, methods

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger("kerasmith.serving")

JSON = b"application/json"
MAX_THREADS = 8
CLOSING = frozenset({408, 413, 429})
"""The body was not read to its end, so the connection cannot be used again."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass
class Served:
    """The model of this process. The routes exist before the model is loaded; `load` fills them."""

    limits: Limits = field(default_factory=Limits)
    bundle: ModelBundle | None = None
    ref: str = ""
    pages: dict[str, Reply] = field(default_factory=dict)

    def load(self, bundle: ModelBundle, ref: str) -> None:
        """From now on `bundle` answers, under the name `ref`."""
        description = describe(bundle, ref, self.limits)
        document = Reply(200, orjson.dumps(openapi(description)))
        self.pages = {
            "/describe": Reply(200, description.model_dump_json().encode()),
            "/sample.json": Reply(200, orjson.dumps(description.sample)),
            "/openapi.json": document,
            "/docs.json": document,
            "/": Reply(200, page(description).encode(), b"text/html; charset=utf-8"),
        }
        self.bundle, self.ref = bundle, ref


class Door:
    """Turns away what no route answers, before BentoML's metrics could keep a counter for each invented address."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        refusal = _refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await _send(refusal, scope, send)


class Endpoint:
    """Answers our routes; everything else goes on to `app`."""

    def __init__(self, app: App, served: Served) -> None:
        self._app = app
        self._served = served
        self._reader = BodyReader(served.limits)
        # The network takes one thread for a batch, so that these threads can decode and infer beside each other.
        self._threads = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1), "predict")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = ROUTES.get(scope["path"]) if scope["type"] == "http" else None
        if route is None or not route.ours:
            await self._app(scope, receive, send)
        elif route.path != "/predict":
            await _send(self._served.pages[route.path], scope, send)
        else:
            try:
                reply = await self._predict(scope, receive)
            except Disconnected:
                return
            await _send(reply, scope, send)

    async def _predict(self, scope: Scope, receive: Receive) -> Reply:
        headers = dict(scope["headers"])
        try:
            body = await self._reader.read(headers, receive)
        except InputError as error:
            return error_reply(str(error), error.status)
        try:
            content_type = headers.get(b"content-type", b"").decode("latin-1")
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._threads, answer, self._served, content_type, scope["query_string"], body
            )
        finally:
            self._reader.release(len(body))


def answer(served: Served, content_type: str, query: bytes, body: bytes) -> Reply:
    """Parses, encodes, infers, decodes. All the work of a prediction, in one thread."""
    assert served.bundle is not None  # requests are let in only after `load`
    try:
        kind = served.bundle.codec.kind
        asked = parse_request(content_type, query, body, kind, served.limits.max_inputs)
        predictions = served.bundle.predict(asked.raws, asked.top_k, served.limits.decode_seconds)
        # a `PredictResponse`, five times faster than pydantic writes one
        return Reply(200, orjson.dumps({"model": served.ref, "predictions": predictions}, default=vars))
    except InputError as error:
        return error_reply(str(error), error.status)
    except KerasmithError as error:
        logger.error("%s", error)
        return error_reply(str(error), 500)
    except Exception:
        logger.exception("A prediction failed.")
        return error_reply("The model failed on this input. The server's log says why.", 500)


def error_reply(message: str, status: int, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    """An `ErrorResponse`."""
    if status in CLOSING:
        headers = (*headers, (b"connection", b"close"))
    if status == 429:
        headers = (*headers, (b"retry-after", b"1"))
    return Reply(status, ErrorResponse(error=message).model_dump_json().encode(), JSON, headers)


def _refusal(scope: Scope) -> Reply | None:
    route = ROUTES.get(scope["path"])
    if route is None:
        path = scope["path"][:80].encode("utf-8", "replace").decode()
        return error_reply(f"There is no {path}. Known: {', '.join(ROUTES)}.", 404)
    if scope["method"] not in methods(route):
        allowed = ", ".join(methods(route))
        message = f"{route.path} does not answer to {scope['method'][:20]}. Expected {allowed}."
        return error_reply(message, 405, ((b"allow", allowed.encode()),))
    return None


async def _send(reply: Reply, scope: Scope, send: Send) -> None:
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode()),
        (b"x-content-type-options", b"nosniff"),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})
