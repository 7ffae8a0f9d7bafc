"""Requests that contradict themselves, and what is no request: with raw sockets."""

import json
from typing import Any

import pytest

from tests.serving.dialling import dial, server, status_of, until_closed

__all__ = ["dial", "server"]  # fixtures


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5, 5",
        b"Content-Length: +5",
        b"Content-Length: -1",
        b"Content-Length: 0x5",
        b"Content-Length: 99999999999999999999999",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Content-Length : 5",
        b" Content-Length: 5",
        b"Content\x00Length: 5",
        b"X: a\r\n\tContent-Length: 5\r\nX-Y",
    ],
)
def test_contradicting_lengths_get_400_and_nothing_after_them_is_answered(dial: Any, headers: bytes) -> None:
    one = dial()
    one.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n0\r\n\r\n" + SMUGGLED)
    reply = until_closed(one)
    assert status_of(reply) == 400, reply[:100]
    assert reply.count(b"HTTP/1.1 ") == 1
    assert "not an HTTP request that can be read" in json.loads(reply.split(b"\r\n\r\n")[1])["error"]


def test_what_is_not_http_gets_400(dial: Any) -> None:
    for piece in (b"\x16\x03\x01\x02\x00\x01\x00\x01", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"{}"):
        one = dial()
        one.sendall(piece)
        assert status_of(until_closed(one)) == 400
