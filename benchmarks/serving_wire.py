"""HTTP/1.1 on a raw socket, with as little work as a load generator can do for a request. Standard library only."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
CHUNK = 262_144


def request_bytes(
    url: str, method: str = "POST", body: bytes = b"", headers: Mapping[str, str] | None = None, fresh: bool = False
) -> bytes:
    """A whole request as it goes over the wire.

    Args:
        url: With its path.
        method: "POST" or "GET".
        body: Sent with its length.
        headers: Beside host and length.
        fresh: Ask the server to close the connection afterwards.
    """
    parts = urlsplit(url)
    lines = [
        f"{method} {parts.path or '/'}{'?' + parts.query if parts.query else ''} HTTP/1.1",
        f"Host: {parts.netloc}",
    ]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    if fresh:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


def address_of(url: str) -> tuple[str, int]:
    """Host and port."""
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


class Connection:
    """One socket, and what has arrived of the reply to the request that is on it."""

    __slots__ = ("sock", "fd", "pending", "due", "sent", "used", "unsent", "_buffer", "_total", "_head", "body_start")

    def __init__(self, address: tuple[str, int]) -> None:
        self.sock = socket.socket()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.fd = self.sock.fileno()
        self.pending = False
        """Whether a reply is awaited."""
        self.due = 0
        """Nanoseconds of the clock: when the request had to be sent."""
        self.sent = 0
        """Nanoseconds of the clock: when it was."""
        self.used = 0
        """Replies that came over it."""
        self.unsent = b""
        """What the socket has not taken of the request."""
        self.clear()
        self.sock.connect_ex(address)  # the first event that it can be written to, or an error, says how it went

    def clear(self) -> None:
        """Ready for the next reply."""
        self._buffer = b""
        self._total = -1
        self._head = b""
        self.body_start = 0

    def send(self, data: bytes) -> bool:
        """True when all of it was taken; the rest waits in `unsent` for the socket to be writable.

        Raises:
            OSError: The connection is gone.
        """
        try:
            taken = self.sock.send(data)
        except BlockingIOError:
            taken = 0
        self.unsent = data[taken:] if taken < len(data) else b""
        return not self.unsent

    def receive(self) -> tuple[int, bytes, bytes, bool] | None:
        """Status, headers, body, and whether the connection is to be closed; `None`: not all of it is there.

        Raises:
            OSError: The connection is gone, also where the other side closed it before its reply was complete.
            ValueError: Not a reply of a known length.
        """
        data = self.sock.recv(CHUNK)
        if not data:
            raise ConnectionResetError("closed without a whole reply")
        self._buffer = self._buffer + data if self._buffer else data
        if self._total < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return None
            self._head = self._buffer[: end + 2]
            length = LENGTH.search(self._head)
            if length is None:
                if not CHUNKED.search(self._head):
                    raise ValueError(f"A reply without its length: {self._head[:200]!r}")
                return self._chunked(end + 4)
            self.body_start, self._total = end + 4, end + 4 + int(length[1])
        if len(self._buffer) < self._total:
            return None
        return self._whole(self._buffer[self.body_start : self._total])

    def _chunked(self, start: int) -> tuple[int, bytes, bytes, bool] | None:
        body, position = b"", start
        while True:
            line_end = self._buffer.find(b"\r\n", position)
            if line_end < 0:
                return None
            size = int(self._buffer[position:line_end].split(b";")[0], 16)
            if len(self._buffer) < line_end + 2 + size + 2:
                return None
            body += self._buffer[line_end + 2 : line_end + 2 + size]
            position = line_end + 2 + size + 2
            if size == 0:
                return self._whole(body)

    def _whole(self, body: bytes) -> tuple[int, bytes, bytes, bool]:
        head = self._head
        self.used += 1
        self.clear()
        return int(head[9:12]), head, body, CLOSES.search(head) is not None

    def close(self) -> None:
        self.sock.close()
