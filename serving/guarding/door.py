"""Requests that are turned away at the first sight of their headers, while the worker has more to do than it can.

To refuse a request as one is answered costs half of answering it: at four times of what a worker can take nothing
would be left for those that it serves. Here a refusal is made of a few pieces of bytes, before there is a request.
"""

from __future__ import annotations

from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving.guarding.guard import Guard
from serving.guarding.security import LINES
from serving.messages import Reply, request_id
from serving.routes import find
from serving.served import Served

MOST_ADDRESSES = 256
"""That are remembered: what a client invents must not fill the memory."""
Heard = Callable[[str, Reply], None]
"""`(the route's path, the reply)`."""


class Door:
    """Answers for a worker whose guard has no place left. For `serving.guarding.connections.Connection.door`."""

    def __init__(self, guard: Guard, served: Served, heard: Heard) -> None:
        """
        Args:
            guard: Counts who is inside.
            served: Its headers are those of every reply.
            heard: Told of each that is turned away.
        """
        self._guard = guard
        self._served = served
        self._heard = heard
        self._routes: dict[bytes, str] = {}
        """Addresses that the model works for, by their bytes; few, since a model has few names."""
        self._made: tuple[Reply, bytes] | None = None

    def __call__(self, method: bytes, url: bytes, headers: list[tuple[bytes, bytes]]) -> bytes | None:
        """The whole reply, or `None`: the request goes on.

        Args:
            method: As it came.
            url: As it came: path and query.
            headers: Names in lower case.
        """
        full = self._guard.full()
        if full is None or method != b"POST":
            return None
        path = self._routes.get(url) or self._route(url)
        if not path:
            return None
        self._heard(path, full)
        return b"%bx-request-id: %b\r\n\r\n%b" % (self._head(full), request_id(dict(headers)).encode(), full.body)

    def _route(self, url: bytes) -> str:
        try:
            found = find(url.partition(b"?")[0].decode("ascii"))
        except UnicodeDecodeError:
            return ""
        if found is None or not found[0].works:
            return ""
        if len(self._routes) < MOST_ADDRESSES:
            self._routes[url] = found[0].path
        return found[0].path

    def _head(self, full: Reply) -> bytes:
        if self._made is None or self._made[0] is not full:
            headers = [(b"content-type", full.content_type), *full.headers, *self._served.headers]
            lines = b"".join(b"%b: %b\r\n" % header for header in headers)
            length = b"content-length: %d\r\n" % len(full.body)
            self._made = full, STATUS_LINE[full.status] + lines + LINES + length
        return self._made[1]
