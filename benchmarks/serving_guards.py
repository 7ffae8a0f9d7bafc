"""That everything which a bare application does without is on while Kerasmith is measured: each guard is tried."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from benchmarks.serving_payloads import Payload
from benchmarks.serving_traffic import Traffic

HALF_HEADER = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Ty"

CLOSED_AFTER = 40.0
"""Seconds within which half a header must have been shut out."""
SETTLED_AFTER = 20.0
"""Seconds after which a server is measured although it is still busy with the burst."""
BURST = 300
"""Requests at once, which is more than any limit lets in."""


@dataclass
class HalfOpen:
    """A client that sends half a header and waits; opened early, because a server waits before it acts."""

    url: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self._sock = socket.create_connection((parts.hostname, parts.port), timeout=5)
        self._sock.sendall(HALF_HEADER)
        self._began = time.monotonic()

    def closed(self) -> bool:
        """Whether the server closes the connection in time."""
        self._sock.settimeout(max(0.1, self._began + CLOSED_AFTER - time.monotonic()))
        with self._sock, suppress(TimeoutError):
            with suppress(ConnectionError):
                while self._sock.recv(4096):
                    pass
            return True
        return False


def guards(url: str, payload: Payload, half_open: HalfOpen) -> dict[str, bool]:
    """Tries every guard of a server that answers `payload`. By the name of the guard, whether it is on."""
    checks: dict[str, Callable[[], bool]] = {
        "413 for a body of a gigabyte": lambda: _too_large(url, payload),
        "422 or 400 for NaN": lambda: _posted(url, payload, _with_nan(), "application/json") in (400, 422),
        "415 for another type": lambda: _posted(url, payload, payload.body, "text/csv") == 415,
        "requests are counted": lambda: _counted(url, payload),
        "security headers": lambda: _ask(url, payload).headers.get("x-content-type-options") == "nosniff",
        "request id, model and version": lambda: _named(_ask(url, payload)),
        "429 with Retry-After in a burst": lambda: _refuses(url, payload),
        "half a header is shut out": half_open.closed,
    }
    told = {name: check() for name, check in checks.items()}
    _settle(url, payload)
    return told


def _settle(url: str, payload: Payload) -> None:
    """Waits for what the burst has left behind: a slow network still has to answer it."""
    end = time.monotonic() + SETTLED_AFTER
    while time.monotonic() < end:
        reply = httpx.post(
            url + payload.path, content=payload.body, headers=dict(payload.headers), timeout=60, trust_env=False
        )
        if reply.status_code == 200:
            return
        time.sleep(0.2)


def _ask(url: str, payload: Payload) -> httpx.Response:
    return httpx.post(
        url + payload.path, content=payload.body, headers=dict(payload.headers), timeout=10, trust_env=False
    )


def _posted(url: str, payload: Payload, body: bytes, content_type: str) -> int:
    headers = {"Content-Type": content_type}
    return httpx.post(url + payload.path, content=body, headers=headers, timeout=10, trust_env=False).status_code


def _with_nan() -> bytes:
    return b'{"inputs": [{"image": "", "text": ""}], "top_k": NaN}'


def _too_large(url: str, payload: Payload) -> bool:
    """Announced, not sent."""
    parts = urlsplit(url)
    head = (
        f"POST {payload.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
        "Content-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(head.encode())
        return connection.recv(4096).split(b"\r\n")[0].split(b" ")[1:2] == [b"413"]


def _refuses(url: str, payload: Payload) -> bool:
    full_url = url + payload.path
    seen = Traffic(full_url, payload.body, payload.headers, concurrency=BURST, seconds=2.0).start().wait()
    refused = seen["statuses"].get("429")
    return bool(refused) and "retry-after" in seen["heads"]["429"].lower()


def _counted(url: str, payload: Payload) -> bool:
    before = _counts(url)
    for _ in range(3):
        _ask(url, payload)
    after = _counts(url)
    return any(value - before.get(name, 0.0) == 3 for name, value in after.items() if payload.path in name)


def _counts(url: str) -> dict[str, float]:
    text = httpx.get(f"{url}/metrics", timeout=10, trust_env=False).text
    return {name: float(value) for name, value in re.findall(r"^([^#\s].*?) ([0-9.e+]+)$", text, re.MULTILINE)}


def _named(reply: httpx.Response) -> bool:
    return all(reply.headers.get(name) for name in ("x-request-id", "x-model", "x-model-version"))
