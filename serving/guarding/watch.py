"""Looks after all connections of a worker: which of them wait for a request, since when, and which are stuck."""

from __future__ import annotations

import asyncio
import resource
from collections import OrderedDict
from collections.abc import Set
from contextlib import suppress
from typing import Any, Protocol

from serving.limits import Limits

LOOK_SECONDS = 0.5
SPARE_FILES = 256
"""Open files beside the connections: the model, logs, the event loop."""


class Watched(Protocol):
    """A connection, as seen from here."""

    transport: asyncio.Transport
    cycle: Any

    @property
    def answering(self) -> bool:
        """Whether a request of it is being answered."""

    def too_late(self) -> None:
        """What was awaited did not come in time."""


class Watch:
    """The connections of one worker. Used from the event loop alone."""

    LAST_SECONDS = 1.0
    """For a request that is on its way when the worker stops."""

    def __init__(self, connections: Set[Any], limits: Limits) -> None:
        self._connections = connections
        self._limits = limits
        self._waiting: OrderedDict[Watched, float] = OrderedDict()
        """Oldest first, with the time at which the patience ends."""
        self._stuck: dict[Watched, tuple[int, float]] = {}
        """Bytes that the client does not take, and since when they are so many."""
        self._looking = False
        self.draining = False
        self._allow_files()

    def admit(self, connection: Watched) -> bool:
        """Whether a new connection may stay. At the limit, the one that has waited longest for a request goes."""
        if len(self._connections) > self._limits.max_connections:
            oldest = next(iter(self._waiting), None)
            if oldest is None:
                return False
            self.forget(oldest)
            oldest.transport.abort()
        self.wait(connection, self._limits.header_seconds)
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
        return True

    def wait(self, connection: Watched, seconds: float) -> None:
        """From now on a request is awaited of it, for so long."""
        self._waiting[connection] = asyncio.get_running_loop().time() + seconds
        self._waiting.move_to_end(connection)

    def forget(self, connection: Watched) -> None:
        """Nothing is awaited of it any more."""
        self._waiting.pop(connection, None)

    def drain(self) -> None:
        """From now on each connection ends with its next reply, or with the one that is being made."""
        self.draining = True
        for connection in self._connections:
            if connection.answering:
                connection.cycle.keep_alive = False

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for connection in [one for one, until in self._waiting.items() if until < now]:
            self.forget(connection)
            connection.too_late()
        self._stuck = {one: self._seen(one, now) for one in self._connections if one.transport.get_write_buffer_size()}
        for connection, (_, since) in self._stuck.items():
            if now - since > self._limits.write_seconds:
                connection.transport.abort()
        self._looking = bool(self._connections)
        if self._looking:
            loop.call_later(LOOK_SECONDS, self._look)

    def _seen(self, connection: Watched, now: float) -> tuple[int, float]:
        size = connection.transport.get_write_buffer_size()
        before = self._stuck.get(connection)
        return before if before is not None and before[0] == size else (size, now)

    def _allow_files(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self._limits.max_connections + SPARE_FILES
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with suppress(OSError, ValueError):
                most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
