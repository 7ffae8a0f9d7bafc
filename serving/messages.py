"""A request and a reply, as the routes' handlers see them."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from records.api import ErrorResponse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"
CLOSING = frozenset({408, 413})
"""The body was not read to its end, so the connection cannot be used again. (After other refusals what is left of a
body is thrown away for a while, see `serving.guarding.connections`.)"""
RETRY_SECONDS = 1
ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
"""Of a request, where the client gives one: it stands in logs and files, so it is short and plain."""


@dataclass(kw_only=True, slots=True)
class Request:
    """A whole request whose address is known. Not frozen: each one is made and filled in, which must cost little."""

    id: str
    """The client's `x-request-id`, or one of ours."""
    method: str
    path: str
    captured: Mapping[str, str] = field(default_factory=dict)
    """What stands in the address for the names in braces of the route's path."""
    query: bytes = b""
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    """Names in lower case; of one that came twice, the last."""
    body: bytes = b""
    """Filled in when it was read."""

    @property
    def content_type(self) -> str:
        """As it came; empty where there is none."""
        return self.headers.get(b"content-type", b"").decode("latin-1")


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()
    reason: str = ""
    """One word for counting and logs, of a few: what was wrong. Empty where the status says it all."""
    num_inputs: int = 0
    """That were answered."""


def error_reply(message: str, status: int, headers: tuple[tuple[bytes, bytes], ...] = (), reason: str = "") -> Reply:
    """An `ErrorResponse`.

    Args:
        message: For the client.
        status: 400 or above.
        headers: Beside those that the status asks for.
        reason: Of the reply.
    """
    if status in CLOSING:
        headers = (*headers, (b"connection", b"close"))
    if status in (429, 503):
        headers = (*headers, (b"retry-after", str(RETRY_SECONDS).encode()))
    return Reply(status, ErrorResponse(error=message).model_dump_json().encode(), JSON, headers, reason)


def request_id(headers: Mapping[bytes, bytes]) -> str:
    """The client's own, where it is plain; else a new one."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if ID.fullmatch(given) else os.urandom(16).hex()


async def send_reply(reply: Reply, scope: Scope, send: Send, further: tuple[tuple[bytes, bytes], ...] = ()) -> None:
    """Sends it, without its body where only the headers were asked for.

    Args:
        reply: What to send.
        scope: Of the request.
        send: Of the request.
        further: Headers beside those of the reply.
    """
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode()),
        *further,
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})
