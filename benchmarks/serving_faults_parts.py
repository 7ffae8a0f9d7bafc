"""What the fault tests of the server are made of: normal clients that keep count, and clients that mean no good.

`tests/serving/test_faults.py` runs them briefly, `benchmarks/serving_faults.py` for long.
"""

from __future__ import annotations

import asyncio
import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

KINDS = ("silent", "headers", "body", "unread")
"""A connection that never sends; headers that never end; bodies of a byte a second; replies that are not read."""
PAUSE_SECONDS = 1.0


@dataclass
class Count:
    """What normal clients saw."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """By status ("200", "429"), "refused" (no connection: nobody listens) or "dropped" (begun and not answered)."""
    seconds: list[float] = field(default_factory=list)
    """That the 200s took."""
    dropped: list[str] = field(default_factory=list)
    """How each of them ended."""

    @property
    def total(self) -> int:
        """Requests that reached the server."""
        return sum(number for name, number in self.outcomes.items() if name != "refused")

    @property
    def served(self) -> float:
        """The part of them that was answered with 200."""
        return self.outcomes["200"] / max(1, self.total)


@dataclass(frozen=True)
class Asking:
    """What normal clients send."""

    host: str
    port: int
    body: bytes
    content_type: str
    path: str = "/predict"


def asking(url: str, body: bytes, content_type: str) -> Asking:
    """For the server at `http://HOST:PORT`."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    return Asking(host, int(port), body, content_type)


@contextmanager
def traffic(asked: Asking, clients: int, pause_seconds: float = 0.0, fresh: bool = False) -> Iterator[Count]:
    """Clients in threads, each with a connection that it keeps, for as long as the body runs.

    Args:
        asked: Of each request.
        clients: At once.
        pause_seconds: Between a client's requests.
    """
    count, stop, lock = Count(), threading.Event(), threading.Lock()
    arguments = (asked, count, lock, stop, pause_seconds, fresh)
    threads = [threading.Thread(target=_ask_on, args=arguments) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield count
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _ask_on(
    asked: Asking, count: Count, lock: threading.Lock, stop: threading.Event, pause_seconds: float, fresh: bool
) -> None:
    connection = http.client.HTTPConnection(asked.host, asked.port, timeout=30)
    while not stop.wait(pause_seconds):
        began = time.perf_counter()
        outcome, told = _ask(connection, asked)
        with lock:
            count.outcomes[outcome] += 1
            if outcome == "200":
                count.seconds.append(time.perf_counter() - began)
            elif outcome == "dropped":
                count.dropped.append(told)
        if fresh:
            connection.close()
        if outcome == "refused":
            stop.wait(0.05)
    connection.close()


def _ask(connection: http.client.HTTPConnection, asked: Asking) -> tuple[str, str]:
    reused = connection.sock is not None
    try:
        if not reused:
            connection.connect()
    except OSError as error:
        connection.close()
        return "refused", str(error)
    try:
        connection.request("POST", asked.path, asked.body, {"Content-Type": asked.content_type})
        reply = connection.getresponse()
        reply.read()
        return str(reply.status), ""
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return "dropped", f"{'kept' if reused else 'new'} connection: {error!r}"


@contextmanager
def hostile(url: str, kinds: tuple[str, ...] = KINDS, connections: int = 500) -> Iterator[Counter[str]]:
    """So many connections that hold on to the server for as long as the body runs. What is closed is opened again.

    Yields:
        How often one of each kind was opened.
    """
    opened: Counter[str] = Counter()
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    host, _, port = url.removeprefix("http://").rpartition(":")

    async def hold_all() -> None:
        tasks = [
            asyncio.create_task(_hold(host, int(port), kinds[index % len(kinds)], opened))
            for index in range(connections)
        ]
        while sum(opened.values()) < connections:
            await asyncio.sleep(0.05)
        ready.set()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)

    def hold_on() -> None:
        with suppress(RuntimeError, asyncio.CancelledError):  # it was stopped
            loop.run_until_complete(hold_all())

    thread = threading.Thread(target=hold_on, daemon=True)
    thread.start()
    if not ready.wait(60):
        raise RuntimeError("the connections could not be opened")
    try:
        yield opened
    finally:
        loop.call_soon_threadsafe(_cancel_all, loop)
        thread.join(10)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


async def _hold(host: str, port: int, kind: str, opened: Counter[str]) -> None:
    while True:
        with suppress(OSError):
            reader, writer = await asyncio.open_connection(host, port, limit=1024)
            opened[kind] += 1
            try:
                await _misbehave(kind, reader, writer)
            finally:
                writer.transport.abort()
        await asyncio.sleep(random.uniform(0.1, 0.5))


async def _misbehave(kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the server closes the connection."""
    if kind == "unread":
        writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        while not writer.transport.is_closing():
            await asyncio.sleep(PAUSE_SECONDS)
        return
    if kind == "headers":
        writer.write(b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Long: ")
    elif kind == "body":
        writer.write(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n")
    while True:
        if kind != "silent":
            writer.write(b"a")
        try:
            async with asyncio.timeout(PAUSE_SECONDS):
                if not await reader.read(1024):
                    return
        except TimeoutError:
            pass


def workers_of(pid: int) -> list[psutil.Process]:
    """The worker processes of a server, given the process that started it or its supervisor."""
    found = []
    for one in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):  # it has just died
            if "_bentoml_impl.worker.service" in one.cmdline():
                found.append(one)
    return found


def wait_until(ready: object, seconds: float) -> float:
    """Seconds until `ready()` was true; asks twenty times a second.

    Raises:
        TimeoutError: It did not become true within `seconds`.
    """
    assert callable(ready)
    began = time.monotonic()
    while not ready():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"it did not happen within {seconds:g} s")
        time.sleep(0.05)
    return time.monotonic() - began
