"""Stopping a worker so that no request is dropped.

`/readyz` turns 503 and every reply says `connection: close`; then the worker takes no new connections; then it answers
what it has begun and ends. Where the whole server stops, the workers take what waits in the listening socket's queue
before they close that: it belongs to all of them, and what is in its queue at its end is lost.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from contextlib import suppress
from types import FrameType

import uvicorn

from records.errors import ConfigError
from serving.guarding.connections import watch_of
from serving.guarding.guard import Guard
from serving.lifeline import WHOLE
from serving.limits import Limits
from serving.messages import App, Message, Receive, Scope, Send

SETTLE_SECONDS = 0.25
"""Until all workers have stopped listening, before the first of them closes the socket."""


def drained(app: App, guard: Guard, limits: Limits) -> App:
    """The application, and a worker that drains when it gets SIGTERM or `WHOLE`."""

    async def drained_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return

        async def started(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete" and _in_main_thread():
                Drain(guard, limits).listen()
            await send(message)

        await app(scope, receive, started)

    return drained_app


class Drain:
    """Of one worker, whose uvicorn has installed its signal handlers. Runs in its event loop."""

    def __init__(self, guard: Guard, limits: Limits) -> None:
        """Raises:
        ConfigError: Signals are not handled by a server of uvicorn.
        """
        server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
        if not isinstance(server, uvicorn.Server):
            raise ConfigError(
                f"uvicorn {uvicorn.__version__} does not handle SIGTERM as expected, so requests would be dropped when "
                "the server stops. Install the version that Kerasmith's requirements name."
            )
        self._server = server
        self._guard = guard
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._begun = False

    def listen(self) -> None:
        """From now on the signals begin the drain."""
        for number in (signal.SIGTERM, WHOLE):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._begin, number == WHOLE)

    def _begin(self, whole: bool) -> None:
        if self._begun or self._server.should_exit:
            return
        self._begun = True
        self._guard.draining = True
        watch_of(self._server.server_state, self._limits).drain()
        self._loop.call_later(self._limits.announce_seconds, self._stop_listening, whole)

    def _stop_listening(self, whole: bool) -> None:
        listening = [one for server in self._server.servers for one in server.sockets]
        kept = [socket.socket(fileno=os.dup(one.fileno())) for one in listening] if whole else []
        for server in self._server.servers:
            server.close()
        self._loop.call_later(SETTLE_SECONDS if whole else 0, self._take_the_last, kept)

    def _take_the_last(self, kept: list[socket.socket]) -> None:
        taken = []
        for listener in kept:
            listener.setblocking(False)
            with suppress(OSError):  # none is left, or another worker has closed it
                while True:
                    taken.append(listener.accept()[0])
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self._answering = self._loop.create_task(self._answer(taken))

    async def _answer(self, taken: list[socket.socket]) -> None:
        for connection in taken:
            connection.setblocking(False)
            with suppress(OSError):  # it went away
                await self._loop.connect_accepted_socket(self._protocol, connection, ssl=self._server.config.ssl)
        self._server.handle_exit(signal.SIGTERM, None)

    def _protocol(self) -> asyncio.Protocol:
        server = self._server
        return server.config.http_protocol_class(  # type: ignore[call-arg]
            config=server.config,
            server_state=server.server_state,
            app_state=server.lifespan.state,
            _loop=self._loop,
        )


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
