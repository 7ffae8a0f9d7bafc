"""What a request must pass before anything is read or computed for it. Docs: docs/decisions/0022."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import lru_cache

from serving.guarding.security import SECURITY, security
from serving.guarding.tokens import Tokens
from serving.limits import Limits
from serving.messages import Reply, Request, error_reply
from serving.routes import Route

__all__ = ["SECURITY", "Guard", "security"]

MEMORY = 50
"""The pace is that of so many answers, about."""
MAX_RETRY_SECONDS = 30
UNKNOWN = error_reply(
    "This server answers who has a token. Expected the header `Authorization: Bearer <token>` with a known one.",
    401,
    ((b"www-authenticate", b"Bearer"),),
)
STOPPING = error_reply("This server is being stopped and finishes what it has begun. Ask another one.", 503)


class Guard:
    """Decides for one worker who is let in. Used from the event loop alone."""

    def __init__(
        self, limits: Limits, tokens: Tokens | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._limits = limits
        self._tokens = tokens
        self._clock = clock
        self._busy_since = 0.0
        self._pace_seconds = 0.0
        self._pace_weight = 0.0
        self.inside = 0
        """Requests that the model works for, or that wait for it."""
        self.draining = False
        """Whether the worker was told to stop: it is not ready any more, and answers what still comes."""

    def refusal(self, route: Route, request: Request) -> Reply | None:
        """The reply to somebody who may not ask, or not now; `None` where the request goes on. Takes no place.

        Called before the body is read, so that a refusal costs nothing.
        """
        if self.draining and _asks_readiness(route):
            return STOPPING
        if self._tokens is not None and not route.open:
            given = request.headers.get(b"authorization", b"")
            if not self._tokens.allow(given):
                return UNKNOWN
        return self.full() if route.works else None

    def enter(self) -> Reply | None:
        """Takes one of the places of requests that the model works for; `leave` gives it back. A reply where there is
        none, and then no place is taken.

        Called when the body is there: who sends slowly holds no place.
        """
        full = self.full()
        if full is None:
            if self.inside == 0:
                self._busy_since = self._clock()
            self.inside += 1
        return full

    def leave(self, seconds: float) -> None:
        """A request that had a place was answered.

        Args:
            seconds: It took since it entered; not used, as waiting is part of it.
        """
        # From one answer to the next while there is something to do: batches, threads and busy cores are all in it.
        now = self._clock()
        keep = 1 - 1 / MEMORY
        self._pace_seconds = self._pace_seconds * keep + (now - self._busy_since)
        self._pace_weight = self._pace_weight * keep + 1
        self._busy_since = now
        self.inside -= 1

    @property
    def pace(self) -> float:
        """Seconds from one answer to the next while the worker is busy; 0 before the first."""
        return self._pace_seconds / self._pace_weight if self._pace_weight else 0.0

    @property
    def expected_wait(self) -> float:
        """Seconds until a request that comes now would be begun: those before it, at the pace of the last ones."""
        return self.inside * self.pace

    def full(self) -> Reply | None:
        """What is said to a request that the model would work for while there is no place for it; `None`: there is."""
        bound = self._limits.max_wait_seconds
        if self.inside < self._limits.max_concurrent and (bound is None or self.expected_wait <= bound):
            return None
        return _busy(min(max(math.ceil(self.expected_wait), 1), MAX_RETRY_SECONDS))


@lru_cache
def _busy(seconds: int) -> Reply:
    said = error_reply(
        "Too many requests are being answered. Send this one again after the seconds of Retry-After.", 429
    )
    return Reply(said.status, said.body, said.content_type, ((b"retry-after", b"%d" % seconds),))


def _asks_readiness(route: Route) -> bool:
    return route.path == "/readyz" or route.path.endswith("/ready")
