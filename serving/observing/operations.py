"""What the machines ask that look after a server: whether it lives, whether it is ready, what it counted."""

from __future__ import annotations

import orjson

from serving.messages import Reply, Request, error_reply
from serving.served import Served

TEXT = b"text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format."""
ALIVE = Reply(200, b'{"status":"alive"}')
LOADING = error_reply("The model is not loaded yet. Ask again in a second.", 503)
NOTHING_COUNTED = error_reply("Nothing is counted in this process.", 404)


def alive(served: Served, request: Request) -> Reply:
    """That this was answered at all shows that the event loop turns, which is what the question is about."""
    return ALIVE


def ready(served: Served, request: Request) -> Reply:
    """Whether the model is there and has reproduced its sample. A worker that was told to stop is refused before."""
    if served.bundle is None:
        return LOADING
    return Reply(200, orjson.dumps({"status": "ready", "model": served.ref}))


def metrics(served: Served, request: Request) -> Reply:
    """The counts of all workers."""
    if served.metrics is None:
        return NOTHING_COUNTED
    return Reply(200, served.metrics.text(served), TEXT)
