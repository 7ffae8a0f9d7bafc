"""Puts the guarded connections into uvicorn, and refuses to start where uvicorn has changed so much that they would not
be used, or not work."""

from __future__ import annotations

import inspect
from typing import Any

import uvicorn
from uvicorn.config import HTTP_PROTOCOLS, Config
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from records.errors import ConfigError
from serving.guarding.connections import Connection
from serving.limits import Limits

NEEDED = {
    HttpToolsProtocol: (
        "connection_made",
        "connection_lost",
        "data_received",
        "on_message_begin",
        "on_headers_complete",
        "on_message_complete",
        "on_response_complete",
        "send_400_response",
        "shutdown",
    ),
    httptools_impl.RequestResponseCycle: (
        "response_started",
        "response_complete",
        "keep_alive",
        "disconnected",
        "default_headers",
        "flow",
        "message_event",
        "on_response",
        "more_body",
        "waiting_for_100_continue",
    ),
    ServerState: ("connections",),
}
"""What `Connection` and `serving.guarding.shortcuts` build on: methods, or attributes set by `__init__`."""


def protect(limits: Limits) -> None:
    """From now on uvicorn's servers in this process use `Connection`.

    Raises:
        ConfigError: They would not: this version of uvicorn is built in another way.
    """
    missing = [f"{kind.__name__}.{name}" for kind, names in NEEDED.items() for name in names if not _has(kind, name)]
    Connection.limits = limits
    for name in ("auto", "httptools"):
        HTTP_PROTOCOLS[name] = f"{Connection.__module__}:{Connection.__name__}"
    config = Config(_nothing, log_config=None)
    config.load()
    if config.http_protocol_class is not Connection:
        missing.append("Config.http_protocol_class")
    if missing:
        raise ConfigError(
            f"Connections cannot be guarded with uvicorn {uvicorn.__version__}: {', '.join(missing)} is not what was "
            "expected. Install the version that Kerasmith's requirements name."
        )


def _has(kind: type, name: str) -> bool:
    return name in vars(kind) or name in inspect.getattr_static(kind, "__init__").__code__.co_names


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """An application for a configuration that serves nobody."""
