"""The load generator counts what really happened, and a slow server cannot hide behind it."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks import serving_guards
from benchmarks.serving_guards import HalfOpen, guards
from benchmarks.serving_load import OPENED
from benchmarks.serving_payloads import Payload, label_in
from benchmarks.serving_traffic import Traffic, asked, failed, served

Answer = Callable[[bytes], Awaitable[bytes | None]]
"""From a request to the whole reply; `None` closes the connection without one."""


def reply(body: bytes = b"{}", status: int = 200, further: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), further, body)


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """An HTTP server in a thread; every request has a body with its length."""
    loop = asyncio.new_event_loop()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(int(one[15:]) for one in head.split(b"\r\n") if one.startswith(b"Content-Length:"))
                said = await answer(head + await reader.readexactly(length))
                if said is None:
                    break
                writer.write(said)
                if b"Connection: close" in said:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def end() -> None:
        started.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        loop.stop()

    started = loop.run_until_complete(asyncio.start_server(connected, "127.0.0.1", 0, backlog=1000))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{started.sockets[0].getsockname()[1]}/x"
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop)
        thread.join()
        loop.close()


def test_every_reply_is_counted_once_by_its_status() -> None:
    seen_by_server = []

    async def answer(request: bytes) -> bytes:
        seen_by_server.append(request.partition(b"\r\n\r\n")[2])
        full = len(seen_by_server) % 3 == 0
        return reply(b"[]", 429, b"Connection: close\r\nRetry-After: 1\r\n") if full else reply(b'{"a": 1}')

    with serving(answer) as url:
        seen = Traffic(url, b"body", {"Content-Type": "x/y"}, concurrency=3, seconds=0.5).start().wait()
    assert set(seen["statuses"]) == {"200", "429"} and failed(seen) == 0
    assert 0 <= len(seen_by_server) - asked(seen) <= 3  # those that were under way at the end
    assert abs(seen["statuses"]["200"]["count"] - 2 * seen["statuses"]["429"]["count"]) <= 3
    assert seen["bodies"] == {"200": '{"a": 1}', "429": "[]"} and "Retry-After: 1" in seen["heads"]["429"]
    assert set(seen_by_server) == {b"body"}


def test_an_open_loop_counts_the_time_that_a_request_waits_for_its_turn() -> None:
    turn, opening = asyncio.Lock(), OPENED

    async def answer(request: bytes) -> bytes:
        nonlocal opening
        opening -= 1
        if opening < 0:
            async with turn:
                await asyncio.sleep(0.02)
        return reply()

    with serving(answer) as url:
        alone = Traffic(url, b"x", {}, rate=8.0, seconds=1.0, seed=1).start().wait()["statuses"]["200"]
        opening = OPENED
        flooded = Traffic(url, b"x", {}, rate=150.0, seconds=1.0, seed=1).start().wait()["statuses"]["200"]
    assert 20 <= alone["p50_ms"] < 60
    assert flooded["per_second"] < 51 and flooded["count"] > flooded["per_second"]  # some came after the end
    assert flooded["p99_ms"] > 800  # two thirds wait, the last ones for two seconds


def test_the_offered_rate_is_the_asked_one() -> None:
    async def answer(request: bytes) -> bytes:
        return reply()

    with serving(answer) as url:
        seen = Traffic(url, b"", {}, rate=400.0, seconds=1.0, warm_up=0.1, seed=3).start().wait()
    assert 320 < served(seen) < 480 and seen["unanswered"] == 0  # four standard deviations


def test_connections_that_are_closed_without_a_reply_are_failures() -> None:
    count = 0

    async def answer(request: bytes) -> bytes | None:
        nonlocal count
        count += 1
        return None if count % 5 == 0 else reply()

    with serving(answer) as url:
        seen = Traffic(url, b"", {}, concurrency=1, seconds=0.4).start().wait()
    assert abs(failed(seen) - count // 5) <= 1 and seen["failures"]["refused"] == 0
    assert seen["failures"]["reset_when_kept"] == failed(seen)


def test_a_server_that_is_not_there_refuses() -> None:
    async def answer(request: bytes) -> bytes:
        return reply()

    with serving(answer) as url:
        pass
    seen = Traffic(url, b"", {}, concurrency=2, seconds=0.2).start().wait()
    assert seen["failures"]["refused"] > 2 and failed(seen) == served(seen) == 0


def test_replies_in_chunks_and_without_a_length() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n2;x\r\n[]\r\n0\r\n\r\n"

    async def answer(request: bytes) -> bytes:
        return chunked

    with serving(answer) as url:
        seen = Traffic(url, b"", {}, concurrency=1, seconds=0.2).start().wait()
    assert seen["bodies"] == {"200": "{}\n[]"} and served(seen) > 5


def test_traffic_that_is_stopped_tells_what_it_saw() -> None:
    async def answer(request: bytes) -> bytes:
        return reply()

    with serving(answer) as url:
        traffic = Traffic(url, b"", {}, rate=200.0, seconds=60.0).start()
        threading.Event().wait(1.0)
        seen = traffic.stop()
    assert 0.3 < seen["seconds"] < 2 and served(seen) > 20


def test_guards_that_are_not_on_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_guards, "CLOSED_AFTER", 0.5)

    async def answer(request: bytes) -> bytes:
        return reply()

    def none_counted(url: str) -> dict[str, float]:
        return {}

    monkeypatch.setattr(serving_guards, "_counts", none_counted)
    payload = Payload(path="/x", body=b"{}", headers={"Content-Type": "application/json"})
    with serving(answer) as url:
        base = url.removesuffix("/x")
        monkeypatch.setattr(serving_guards, "_too_large", lambda *_: False)  # this server waits for the gigabyte
        told = guards(base, payload, HalfOpen(base))
    assert len(told) == 8 and not any(told.values()), told


@pytest.mark.parametrize(
    "body",
    [
        {"predictions": [{"label": "a"}]},
        [{"label": "a"}],
        {"outputs": [{"data": [json.dumps({"label": "a"})]}]},
    ],
)
def test_labels_are_found_in_every_servers_reply(body: object) -> None:
    assert label_in(body) == "a"
