"""The ASGI application of a worker: answers our routes before any of BentoML's layers sees them, and hands on the few
that BentoML answers."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from records.errors import InputError
from serving.batching import Batching
from serving.encoding import is_light
from serving.express import Express
from serving.guarding.body import BodyReader, Disconnected
from serving.guarding.guard import Guard
from serving.guarding.security import secured, security
from serving.guarding.shortcuts import nobody_else_asks, written_whole
from serving.handlers import WORKERS, answer, failure, go_on
from serving.hop import Hop
from serving.messages import App, Receive, Reply, Request, Scope, Send, error_reply, request_id, send_reply
from serving.observing.observer import Observer
from serving.routes import ROUTES, Route, find, methods
from serving.served import Served

MAX_THREADS = 8
"""Where nothing was measured."""
ASIDE_THREADS = 2
"""For what waits for the disk: no prediction waits for it."""

ALONE_SECONDS = 0.02
"""After two requests at once, more are expected for so long."""


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
        self._express: Express | None = None
        self._company_at = 0.0
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
        headers = (*security(reply), *self._served.headers)
        if request.method == "HEAD" or not written_whole(send, reply, request.id, headers):
            await send_reply(reply, scope, send, ((b"x-request-id", request.id.encode()), *headers))
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
                return await self._work(route, request, receive)
            reply: Reply = await self._aside.run(answer, self._served, route.handler, request)
            return reply
        finally:
            self._reader.release(len(body))

    async def _work(self, route: Route, request: Request, receive: Receive) -> Reply:
        full = self._guard.enter()
        if full is not None:
            return full
        began = time.perf_counter()
        try:
            batching = self._quick(request)
            if batching is not None:
                return await self._work_here(batching, route, request, receive)
            reply: Reply = await self._hop.run(answer, self._served, route.handler, request)
            return reply
        finally:
            self._guard.leave(time.perf_counter() - began)

    def _quick(self, request: Request) -> Batching | None:
        """The network, where a thread of its own would cost more than this request does."""
        bundle = self._served.bundle
        if bundle is None or bundle.batching is None or not bundle.batching.settings.express_lanes:
            return None
        return bundle.batching if is_light(bundle.codec, len(request.body)) else None

    async def _work_here(self, batching: Batching, route: Route, request: Request, receive: Receive) -> Reply:
        """Python's part on the event loop, the network in another thread; all of it in one where it may take long."""
        work = WORKERS[route.handler](self._served, request)
        try:
            asked = next(work)
            while asked is not None:
                if batching.settings.inline and self._is_alone(receive):
                    outputs = batching.run(asked)
                else:
                    outputs = await self._express_of(batching).run(asked)
                asked = work.send(outputs)
        except StopIteration as end:
            done: Reply = end.value
            return done
        except Exception as error:
            return failure(error, request)
        reply: Reply = await self._hop.run(go_on, work, None, self._served, request)
        return reply

    def _is_alone(self, receive: Receive) -> bool:
        """Whether nobody else has asked for a moment, so that nobody is held up."""
        now = time.perf_counter()
        if self._guard.inside > 1 or not nobody_else_asks(receive):
            self._company_at = now
        return now - self._company_at > ALONE_SECONDS

    def _express_of(self, batching: Batching) -> Express:
        if self._express is None or self._express.batching is not batching:
            self._express = Express(batching)
        return self._express

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
