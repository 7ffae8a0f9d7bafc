"""Raw sockets against uvicorn with our protocol in it: fixtures and readers."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from uvicorn.config import HTTP_PROTOCOLS

from serving.guarding.connections import Connection
from serving.guarding.protecting import protect
from serving.limits import Limits

LIMITS = Limits(
    header_seconds=0.6, discard_seconds=0.6, write_seconds=1.0, max_header_bytes=4096, max_connections=6
)  # fmt: skip
LARGE = b"x" * 20_000_000
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body; `/refuse` at once, without reading it; `/large` with much."""
    length, more = 0, scope["path"] != "/refuse"
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = LARGE if scope["path"] == "/large" else b"%d" % length
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[uvicorn.Server]:
    monkeypatch.setattr("uvicorn.config.HTTP_PROTOCOLS", HTTP_PROTOCOLS)
    for name in ("auto", "httptools"):
        monkeypatch.setitem(HTTP_PROTOCOLS, name, HTTP_PROTOCOLS[name])
    monkeypatch.setattr(Connection, "limits", LIMITS)
    protect(LIMITS)
    config = uvicorn.Config(echo, log_config=None, lifespan="off", server_header=False, timeout_keep_alive=30)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        server.address = listener.getsockname()  # type: ignore[attr-defined]
        yield server
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive()


@pytest.fixture
def dial(server: Any) -> Iterator[Callable[[], socket.socket]]:
    """Opens a connection; all are closed with the test."""
    with contextlib.ExitStack() as stack:

        def connect() -> socket.socket:
            return stack.enter_context(socket.create_connection(server.address, timeout=5))

        yield connect


def until_closed(connection: socket.socket) -> bytes:
    """What comes until the server closes; fails where it does not within five seconds."""
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            heard += piece
    return heard


def status_of(reply: bytes) -> int:
    return int(reply.split(b" ", 2)[1])


def read_reply(connection: socket.socket) -> bytes:
    reply = b""
    while b"\r\n\r\n" not in reply or not reply.split(b"\r\n\r\n", 1)[1]:
        piece = connection.recv(65536)
        assert piece, reply
        reply += piece
    return reply
