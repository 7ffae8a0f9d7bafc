"""Deadlines and caps of connections, with raw sockets."""

import contextlib
import json
import time
from typing import Any

import pytest
from uvicorn.config import HTTP_PROTOCOLS

from records.errors import ConfigError
from serving.guarding import protecting
from serving.guarding.connections import Connection
from serving.guarding.protecting import protect
from tests.serving.dialling import GET, LIMITS, dial, read_reply, server, status_of, until_closed

__all__ = ["dial", "server"]  # fixtures


def test_headers_that_do_not_end_get_408_after_a_while(dial: Any) -> None:
    one = dial()
    began = time.monotonic()
    for byte in b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 100:  # a byte now and then is no help
        try:
            one.send(bytes([byte]))
        except OSError:
            break
        if time.monotonic() - began > 3:
            raise AssertionError("still open")
        time.sleep(0.02)
    assert 0.5 < time.monotonic() - began < 2.5


def test_the_reply_to_slow_headers_is_a_sentence(dial: Any) -> None:
    one = dial()
    one.sendall(b"POST /predict HTTP/1.1\r\nHost")
    reply = until_closed(one)
    head, body = reply.split(b"\r\n\r\n")
    assert status_of(reply) == 408 and b"connection: close" in head and b"nosniff" in head
    assert json.loads(body)["error"] == "The headers did not arrive within 0.6 seconds."


def test_a_connection_that_never_asks_is_closed(dial: Any) -> None:
    began = time.monotonic()
    assert until_closed(dial()) == b""
    assert 0.5 < time.monotonic() - began < 3


def test_the_time_for_headers_counts_again_for_each_request(dial: Any) -> None:
    one = dial()
    for _ in range(4):  # together longer than one may take
        one.sendall(GET[:10])
        time.sleep(0.3)
        one.sendall(GET[10:])
        assert status_of(read_reply(one)) == 200
    one.sendall(GET[:10])
    assert status_of(until_closed(one)) == 408


def test_headers_over_the_limit_get_431_however_they_come(dial: Any) -> None:
    for pieces in (
        [b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 5000 + b"\r\n\r\n"],
        [b"GET / HTTP/1.1\r\nX-Long: ", *[b"a" * 1000] * 6],
        [b"GET /" + b"a" * 5000],
        [b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 1500 + b"\r\n"],
    ):
        one = dial()
        for piece in pieces:
            with contextlib.suppress(OSError):
                one.sendall(piece)
                time.sleep(0.02)
        reply = until_closed(one)
        assert status_of(reply) == 431 and b"Expected at most 4096 bytes" in reply, reply[:200]


def test_a_body_in_the_same_piece_does_not_count_as_headers(dial: Any) -> None:
    one = dial()
    one.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000\r\n\r\n" + b"x" * 30000)
    assert read_reply(one).endswith(b"30000")
    one.sendall(GET)
    assert status_of(read_reply(one)) == 200


def test_at_the_limit_the_one_that_waited_longest_makes_room(dial: Any) -> None:
    kept = dial()
    kept.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12")  # is being answered: stays
    time.sleep(0.05)
    waiting = []
    for _ in range(5):
        waiting.append(dial())
        time.sleep(0.02)
    newest = dial()
    newest.sendall(GET)
    assert status_of(read_reply(newest)) == 200
    waiting[0].settimeout(0.2)
    assert until_closed(waiting[0]) == b""
    waiting[1].sendall(GET)
    assert status_of(read_reply(waiting[1])) == 200
    kept.sendall(b"345")
    assert status_of(read_reply(kept)) == 200


def test_at_the_limit_with_all_at_work_the_new_one_gets_503(dial: Any) -> None:
    for _ in range(6):
        dial().sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12")
    time.sleep(0.1)
    reply = until_closed(dial())
    assert status_of(reply) == 503 and b"retry-after: 1" in reply


def test_a_refused_body_is_thrown_away_and_the_connection_stays(dial: Any) -> None:
    one = dial()
    one.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123")
    assert b"connection: close" not in read_reply(one)
    one.sendall(b"4567890" + GET)
    assert read_reply(one).endswith(b"\r\n\r\n0")


def test_a_refused_body_that_goes_on_ends_the_connection(dial: Any) -> None:
    one = dial()
    one.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n123")
    began = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - began < 4:
            one.sendall(b"x")
            time.sleep(0.02)
    assert time.monotonic() - began < 3


def test_who_waits_for_a_go_ahead_gets_a_connection_that_ends(dial: Any) -> None:
    one = dial()
    one.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n")
    reply = until_closed(one)
    assert status_of(reply) == 200 and b"connection: close" in reply


def test_a_reply_that_is_not_read_is_given_up(server: Any, dial: Any) -> None:
    one = dial()
    one.sendall(GET.replace(b"/ ", b"/large "))
    until = time.monotonic() + 6
    while not server.server_state.connections:
        time.sleep(0.01)
    while server.server_state.connections:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_an_upgrade_is_not_taken(dial: Any) -> None:
    one = dial()
    one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert status_of(read_reply(one)) == 200


def test_a_uvicorn_that_is_built_in_another_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("auto", "httptools"):
        monkeypatch.setitem(HTTP_PROTOCOLS, name, HTTP_PROTOCOLS[name])
    monkeypatch.setitem(protecting.NEEDED, Connection.__mro__[1], ("on_headers_complete", "on_moon"))
    with pytest.raises(ConfigError, match=r"uvicorn .*HttpToolsProtocol.on_moon is not what was expected. Install"):
        protect(LIMITS)


def test_a_uvicorn_that_ignores_the_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("auto", "httptools"):
        monkeypatch.setitem(HTTP_PROTOCOLS, name, HTTP_PROTOCOLS[name])
    monkeypatch.setattr("uvicorn.config.HTTP_PROTOCOLS", dict(HTTP_PROTOCOLS))  # its own table, not the one we change
    with pytest.raises(ConfigError, match="Config.http_protocol_class is not what was expected"):
        protect(LIMITS)
