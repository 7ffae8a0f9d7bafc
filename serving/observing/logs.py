"""What a server writes about itself: warnings and errors always, a line for each request where it is asked for.

A payload is never written: no body, no query, no header but the request's id, and of an unexpected error its type and
its place but not its text, because such texts quote what they could not read.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson

from serving.messages import Reply, Request
from serving.served import Served

LOGGER = "kerasmith"
STDERR = 2
PROBES = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})
"""What machines ask for every few seconds; a line for each would hide the others. Their refusals are written."""


class RequestLog:
    """One line of JSON for each request, on the standard error."""

    def __init__(self, served: Served, descriptor: int = STDERR) -> None:
        self._served = served
        self._descriptor = descriptor

    def write(self, endpoint: str, request: Request, reply: Reply, seconds: float, reason: str = "") -> None:
        """A request was answered.

        Args:
            endpoint: The path of its route.
            request: That was answered.
            reply: That was sent.
            seconds: From its headers to its reply.
            reason: Why it was refused or what failed.
        """
        if endpoint in PROBES and reply.status < 400:
            return
        line = {
            "time": _stamp(time.time()),
            "level": "info",
            "request_id": request.id,
            "method": request.method[:10],
            "route": endpoint,
            "status": reply.status,
            "milliseconds": round(seconds * 1000, 3),
            "bytes_in": len(request.body),
            "bytes_out": len(reply.body),
            "inputs": reply.num_inputs,
            "model": self._served.ref,
        }
        if reason:
            line["reason"] = reason
        # written at once, so that the lines of several workers do not mix
        os.write(self._descriptor, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


class TextLines(logging.Formatter):
    """For people: a line, and the places of an error below it."""

    def format(self, record: logging.LogRecord) -> str:
        """`2026-01-02T03:04:05.678Z ERROR A request failed. (request 3f2a)`, and where."""
        line = f"{_stamp(record.created)} {record.levelname} {record.getMessage()}"
        if about := _request_of(record):
            line += f" (request {about})"
        return "\n".join([line, *(f"  {place}" for place in _places(record))])


class JsonLines(logging.Formatter):
    """For machines: the same as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Keys as in the lines of requests, and `message`, `error`, `places`."""
        line: dict[str, Any] = {
            "time": _stamp(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if about := _request_of(record):
            line["request_id"] = about
        if places := _places(record):
            line["error"], line["places"] = places[0], places[1:]
        return orjson.dumps(line).decode()


def set_up(as_json: bool) -> None:
    """From now on this process's own warnings and errors go to the standard error, each with its request's id.

    Args:
        as_json: One JSON object for each, as the requests' lines are.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else TextLines())
    logger = logging.getLogger(LOGGER)
    logger.handlers = [handler]
    logger.setLevel(logging.WARNING)
    logger.propagate = False  # BentoML's handler would write them again


def _places(record: logging.LogRecord) -> list[str]:
    """The type of a record's error, then where it was raised and through what it came, the innermost first."""
    if not record.exc_info or record.exc_info[0] is None:
        return []
    frames = traceback.extract_tb(record.exc_info[2])
    return [record.exc_info[0].__name__, *(f"{one.filename}:{one.lineno} {one.name}" for one in reversed(frames))]


def _request_of(record: logging.LogRecord) -> str:
    return str(getattr(record, "request_id", ""))


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
