"""The ASGI application of a worker: answers our routes before any of BentoML's layers sees them, and hands on the few
that BentoML answers."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from records.errors import InputError
from serving.guarding.body import BodyReader, Disconnected
from serving.guarding.guard import Guard
from serving.guarding.security import secured, security
from serving.handlers import answer
from serving.hop import Hop
from serving.messages import App, Receive, Reply, Request, Scope, Send, error_reply, request_id, send_reply
from serving.observing.observer import Observer
from serving.routes import ROUTES, Route, find, methods
from serving.served import Served

MAX_THREADS = 8
"""Where nothing was measured."""
ASIDE_THREADS = 2
"""For what waits for the disk: no prediction waits for it."""


class Endpoint:
    """Answers our routes; everything else that is in the table goes on to `app`."""

    def __init__(self, app: App, served: Served, guard: Guard | None = None, observer: Observer | None = None) -> None:
        self._app = app
        self._served = served
        self._guard = guard or Guard(served.limits)
        self._observer = observer or Observer()
        self._reader = BodyReader(served.limits)
        self._hop = Hop("predict", self._most_threads)
        self._aside = Hop("aside", lambda: ASIDE_THREADS)
        served.on_batch = self._observer.batched

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        route, captured = find(scope["path"]) or (None, {})
        request = _request(scope, captured)
        reply = _refusal(request, route)
        if reply is None and route is not None:
            reply = self._guard.refusal(route, request)
            if reply is None and not route.ours:
                await self._app(scope, receive, secured(send))
                return
            self._observer.begins()
            try:
                reply = reply or await self._read_and_answer(route, request, receive)
            except Disconnected:
                self._observer.abandoned()
                return
            finally:
                self._observer.ends()
        assert reply is not None
        names = ((b"x-request-id", request.id.encode()), *self._served.headers)
        await send_reply(reply, scope, send, (*security(reply), *names))
        self._observer.finished(route, request, reply, time.perf_counter() - began)

    async def _read_and_answer(self, route: Route, request: Request, receive: Receive) -> Reply:
        if route.method != "POST":
            return answer(self._served, route.handler, request)
        try:
            body = await self._reader.read(request.headers, receive)
        except InputError as error:
            return error_reply(str(error), error.status)
        request.body = body
        try:
            if route.works:
                return await self._work(route, request)
            reply: Reply = await self._aside.run(answer, self._served, route.handler, request)
            return reply
        finally:
            self._reader.release(len(body))

    async def _work(self, route: Route, request: Request) -> Reply:
        full = self._guard.enter()
        if full is not None:
            return full
        began = time.perf_counter()
        try:
            reply: Reply = await self._hop.run(answer, self._served, route.handler, request)
            return reply
        finally:
            self._guard.leave(time.perf_counter() - began)

    def _most_threads(self) -> int:
        bundle = self._served.bundle
        if bundle is None or bundle.batching is None:
            return min(MAX_THREADS, os.cpu_count() or 1)
        return bundle.batching.settings.requests


def _request(scope: Scope, captured: Mapping[str, str]) -> Request:
    headers = dict(scope["headers"])
    return Request(
        id=request_id(headers),
        method=scope["method"],
        path=scope["path"],
        captured=captured,
        query=scope["query_string"],
        headers=headers,
    )


def _refusal(request: Request, route: Route | None) -> Reply | None:
    if route is None:
        path = request.path[:80].encode("utf-8", "replace").decode()
        return error_reply(f"There is no {path}. Known: {', '.join(ROUTES)}.", 404)
    if request.method != route.method and request.method not in methods(route):
        allowed = ", ".join(methods(route))
        message = f"{route.path} does not answer to {request.method[:20]}. Expected {allowed}."
        return error_reply(message, 405, ((b"allow", allowed.encode()),))
    return None
