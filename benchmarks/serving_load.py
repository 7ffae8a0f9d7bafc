"""A load generator in a process of its own: `python -m benchmarks.serving_load PLAN.json` prints what came of it.

Closed loop: so many connections, each sends its next request when it has its reply. Open loop: requests are due at
random moments (Poisson) whatever the server does, and a latency counts from the moment that a request was due, so that
a slow server cannot slow down who asks it. One thread, epoll, requests that are made beforehand. Standard library only.
"""

from __future__ import annotations

import gc
import json
import random
import resource
import select
import signal
import sys
import time
from base64 import b64decode
from collections import deque
from pathlib import Path
from typing import Any

from benchmarks.serving_wire import Connection, address_of, request_bytes

READ, WRITE = select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR, select.EPOLLOUT
MOST_CONNECTIONS = 900
"""Open loop: what is due while all of them wait for replies, waits too."""
OPENED, OPENED_AT_ONCE, OPENING_SECONDS = 256, 16, 10.0
"""Open loop: connections that are there when it begins, how many of them are opened side by side, and in what time."""
GRACE_SECONDS = 2.0
"""After the end, for replies that are still awaited."""
RECONNECT_SECONDS = 0.02
"""Before a connection that could not be opened is tried again."""


class Load:
    """What was sent and what came back."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.address = address_of(plan["url"])
        self.fresh = bool(plan.get("fresh"))
        body = b64decode(plan.get("body", ""))
        self.data = request_bytes(plan["url"], plan.get("method", "POST"), body, plan.get("headers"), self.fresh)
        self.poll = select.epoll()
        self.open: dict[int, Connection] = {}
        self.idle: list[Connection] = []
        self.retry: deque[float] = deque()
        """When to open a connection again that was refused."""
        self.latencies: dict[int, list[int]] = {}
        """By status, nanoseconds from due to the reply's end."""
        self.lateness: list[int] = []
        self.unanswered = 0
        self.bodies: dict[int, str] = {}
        self.heads: dict[int, str] = {}
        """Of the first reply of each status."""
        self.failures = {"reset": 0, "reset_when_kept": 0, "refused": 0}
        self.measuring_from = 0
        self.measuring_until = 0
        self.in_time: dict[int, int] = {}
        """By status, replies that came before the end."""

    def connect(self) -> Connection:
        connection = Connection(self.address)
        self.open[connection.fd] = connection
        self.poll.register(connection.fd, WRITE | READ)
        return connection

    def send(self, connection: Connection, due: int) -> None:
        """On a connection that is open already."""
        connection.pending, connection.due, connection.sent = True, due, time.perf_counter_ns()
        try:
            if not connection.send(self.data):
                self.poll.modify(connection.fd, READ | WRITE)
        except OSError:
            self.lose(connection)

    def writable(self, connection: Connection) -> None:
        if connection.unsent and connection.send(connection.unsent):
            self.poll.modify(connection.fd, READ)

    def lose(self, connection: Connection) -> None:
        """The connection is gone; a request on it has failed."""
        if connection.pending:
            kind = "reset" if connection.sent == 0 or connection.used == 0 else "reset_when_kept"
            if connection.sent == 0:
                kind = "refused"
            now = time.perf_counter_ns()
            if now >= self.measuring_from:
                self.failures[kind] += 1
        self.drop(connection)

    def drop(self, connection: Connection) -> None:
        del self.open[connection.fd]
        connection.close()

    def arrived(self, connection: Connection) -> bool:
        """Reads. True when a whole reply was there."""
        reply = connection.receive()
        if reply is None:
            return False
        now = time.perf_counter_ns()
        status, head, body, closes = reply
        connection.pending = False
        if now >= self.measuring_from:
            self.latencies.setdefault(status, []).append(now - connection.due)
            self.lateness.append(connection.sent - connection.due)
            self.in_time[status] = self.in_time.get(status, 0) + (now <= self.measuring_until)
            if status not in self.bodies:
                self.bodies[status] = body.decode("utf-8", "replace")
                self.heads[status] = head.decode("latin-1")
        if closes or self.fresh:
            self.drop(connection)
        return True

    def end_now(self) -> None:
        """Whoever waits for the figures does not want any more of them."""
        self.measuring_until = min(self.measuring_until, time.perf_counter_ns())

    def closed_loop(self, concurrency: int, seconds: float, warm_up: float) -> None:
        """Every connection sends again when it has its reply."""
        self.measuring_from = time.perf_counter_ns() + int(warm_up * 1e9)
        self.measuring_until = self.measuring_from + int(seconds * 1e9)
        for _ in range(concurrency):
            self.begin(self.connect())
        while (now := time.perf_counter_ns()) < self.measuring_until:
            while self.retry and self.retry[0] <= now:
                self.retry.popleft()
                self.begin(self.connect())
            self.turn(min(0.05, max(0.0, (self.measuring_until - now) / 1e9)), again=True)

    def begin(self, connection: Connection) -> None:
        """The request goes out as soon as the connection is there."""
        connection.pending, connection.sent, connection.unsent = True, 0, self.data
        connection.due = time.perf_counter_ns()

    def turn(self, wait: float, again: bool) -> None:
        """What the sockets have to say; `again`: who has its reply sends the next request."""
        if wait > 0:  # epoll waits whole milliseconds, which is longer than a reply takes
            select.select([self.poll], [], [], wait)
        for fd, event in self.poll.poll(0):
            connection = self.open.get(fd)
            if connection is None:
                continue
            try:
                if event & WRITE and connection.unsent:
                    connection.sent = connection.sent or self.first_sent(connection)
                    self.writable(connection)
                if event & READ and self.arrived(connection):
                    self.next(connection, again)
            except (OSError, ValueError):
                refused = connection.sent == 0
                self.lose(connection)
                if again:
                    pause = RECONNECT_SECONDS if refused else 0.0
                    self.retry.append(time.perf_counter_ns() + pause * 1e9)

    def first_sent(self, connection: Connection) -> int:
        """The connection was opened, or raises why it was not."""
        if error := connection.sock.getsockopt(1, 4):  # SOL_SOCKET, SO_ERROR
            raise OSError(error, "not connected")
        return time.perf_counter_ns()

    def next(self, connection: Connection, again: bool) -> None:
        alive = connection.fd in self.open and self.open[connection.fd] is connection
        if again:
            if alive:
                self.send(connection, time.perf_counter_ns())
                if connection.fd not in self.open:
                    self.retry.append(0)
            else:
                self.begin(self.connect())
        elif alive:
            self.idle.append(connection)

    def open_loop(self, rate: float, seconds: float, warm_up: float, seed: int) -> None:
        """Requests are due at random moments, `rate` of them a second."""
        self.open_connections()
        rng, began = random.Random(seed), time.perf_counter_ns()
        self.measuring_from = began + int(warm_up * 1e9)
        self.measuring_until = self.measuring_from + int(seconds * 1e9)
        due, waiting = began, deque[int]()
        while (now := time.perf_counter_ns()) < (end := self.measuring_until) + GRACE_SECONDS * 1e9:
            while due <= now and due < end:
                waiting.append(due)
                due += int(rng.expovariate(rate) * 1e9)
            while waiting and (self.idle or len(self.open) < MOST_CONNECTIONS):
                self.start_one(waiting.popleft())
            if now >= end and not any(connection.pending for connection in self.open.values()):
                break
            self.turn(max(0.0, min((due - now) / 1e9, 0.05)) if due < end else 0.01, again=False)
        self.unanswered = len(waiting) + sum(connection.pending for connection in self.open.values())

    def open_connections(self) -> None:
        """Some at a time, each with one request whose reply counts for nothing: whoever asks so often keeps connections
        open, and uvloop takes but one new one in a turn, so that a storm of them is another measurement than this."""
        self.measuring_from = self.measuring_until = sys.maxsize
        give_up = time.perf_counter_ns() + int(OPENING_SECONDS * 1e9)
        while len(self.idle) < OPENED and time.perf_counter_ns() < give_up:
            missing = min(OPENED - len(self.open), OPENED_AT_ONCE - len(self.open) + len(self.idle))
            for _ in range(max(0, missing)):
                self.begin(self.connect())
            self.turn(0.01, again=False)

    def start_one(self, due: int) -> None:
        """On a connection that is free, else on a new one."""
        while self.idle:
            connection = self.idle.pop()
            if self.open.get(connection.fd) is connection:
                self.send(connection, due)
                return
        connection = self.connect()
        self.begin(connection)
        connection.due = due


def percentile(sorted_values: list[int], share: float) -> float:
    """Milliseconds, of nanoseconds."""
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))] / 1e6


def told(load: Load, processor: float, wall: float) -> dict[str, Any]:
    """The figures."""
    lateness = sorted(load.lateness) or [0]
    seconds = max(load.measuring_until - load.measuring_from, 1) / 1e9
    return {
        "seconds": seconds,
        "statuses": {
            str(status): {
                "count": len(values),
                "per_second": load.in_time[status] / seconds,
                "p50_ms": percentile(ordered := sorted(values), 0.5),
                "p99_ms": percentile(ordered, 0.99),
                "longest_ms": ordered[-1] / 1e6,
            }
            for status, values in load.latencies.items()
        },
        "failures": load.failures,
        "unanswered": load.unanswered,
        "late_p99_ms": percentile(lateness, 0.99),
        "generator_cores": processor / wall,
        "bodies": {str(status): body for status, body in load.bodies.items()},
        "heads": {str(status): head for status, head in load.heads.items()},
    }


def main(plan: dict[str, Any]) -> dict[str, Any]:
    """Runs the plan: url, method, headers, body (base64), seconds, warm_up, and concurrency or rate and seed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65_536)), hard))
    load = Load(plan)
    signal.signal(signal.SIGTERM, lambda *_: load.end_now())
    gc.disable()
    wall, processor = time.perf_counter(), time.process_time()
    seconds, warm_up = float(plan["seconds"]), float(plan.get("warm_up", 0.0))
    if plan.get("concurrency"):
        load.closed_loop(int(plan["concurrency"]), seconds, warm_up)
    else:
        load.open_loop(float(plan["rate"]), seconds, warm_up, int(plan.get("seed", 0)))
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    return told(load, processor, wall)


if __name__ == "__main__":
    json.dump(main(json.loads(Path(sys.argv[1]).read_text("utf-8"))), sys.stdout)
