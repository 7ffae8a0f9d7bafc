"""What is told about the requests of a worker: counted, logged, traced. Each only where it was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serving.messages import Reply, Request
from serving.routes import Route

if TYPE_CHECKING:
    from serving.observing.logs import RequestLog
    from serving.observing.metrics import Metrics
    from serving.observing.tracing import Tracing

OTHER = "other"
"""The endpoint of an address that no route has: what a client invents must not become a label or a line."""
REASONS = {
    400: "malformed",
    401: "token",
    403: "forbidden",
    404: "address",
    405: "method",
    408: "slow",
    411: "length",
    413: "too_large",
    415: "content_type",
    422: "input",
    429: "busy",
    431: "headers",
    503: "unready",
}
"""Why a request was refused, where its reply does not say it."""


class Observer:
    """Hears of every request of one worker. Without anything to tell, it costs nothing."""

    def __init__(
        self, metrics: Metrics | None = None, log: RequestLog | None = None, tracing: Tracing | None = None
    ) -> None:
        self._metrics = metrics
        self._log = log
        self._tracing = tracing

    def begins(self) -> None:
        """A request is going to be read and answered. `ends` must follow."""
        if self._metrics is not None:
            self._metrics.begins()

    def ends(self) -> None:
        """It was, or it failed, or its client left."""
        if self._metrics is not None:
            self._metrics.ends()

    def abandoned(self) -> None:
        """A client went away before its request was complete."""
        if self._metrics is not None:
            self._metrics.abandoned()

    def refused(self, status: int) -> None:
        """Something was refused before it was a request that can be read."""
        if self._metrics is not None:
            # a connection has nothing to do with the model: 503 means that there are too many
            self._metrics.refused("connections" if status == 503 else REASONS.get(status, str(status)))

    @property
    def counts_only(self) -> bool:
        """Whether nobody wants to know more of a request than that it was there."""
        return self._log is None and self._tracing is None

    def turned_away(self, path: str, reply: Reply) -> None:
        """A request to a route was refused before there was one."""
        if self._metrics is not None:
            self._metrics.finished(path, reply.status, 0.0, reason_of(reply))

    def batched(self, size: int, waited_seconds: float) -> None:
        """The network takes `size` inputs together, of which the oldest waited so long. Any thread may call it."""
        if self._metrics is not None:
            self._metrics.batch(size, waited_seconds)

    def finished(self, route: Route | None, request: Request, reply: Reply, seconds: float) -> None:
        """A request was answered.

        Args:
            route: `None` where no route has the address.
            request: Its body may be empty where it was refused before it was read.
            reply: That was sent.
            seconds: From its headers to its reply.
        """
        endpoint = OTHER if route is None else route.path
        reason = reason_of(reply) if reply.status >= 400 else ""
        if self._metrics is not None:
            self._metrics.finished(endpoint, reply.status, seconds, reason)
        if self._log is not None:
            self._log.write(endpoint, request, reply, seconds, reason)
        if self._tracing is not None:
            self._tracing.record(endpoint, request, reply, seconds, reason)


def reason_of(reply: Reply) -> str:
    """One word for why a request was refused or what failed: the reply's own, or by its status."""
    return reply.reason or REASONS.get(reply.status) or str(reply.status)
