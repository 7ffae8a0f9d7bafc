"""From Python's values to the bytes that a client sends."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from records.errors import ConfigError, InputError


def to_body(inputs: Sequence[Any], name: str | None, options: Mapping[str, Any]) -> bytes:
    """A request for a prediction, as JSON.

    Args:
        inputs: Of one kind.
        name: What each is called; `None`: each is a mapping that is sent as it is.
        options: What else stands in the request.

    Raises:
        InputError: Something in it cannot be written as JSON.
    """
    return to_json({"inputs": [one if name is None else {name: one} for one in inputs], **options})


def to_json(value: Any) -> bytes:
    """NaN becomes null, and arrays lists.

    Raises:
        InputError: Something in it cannot be written as JSON.
    """
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)
    except (TypeError, ValueError) as error:
        raise InputError(f"The inputs cannot be sent as JSON: {error}.") from error


def content_of(image: bytes | Path) -> bytes:
    """An encoded image.

    Raises:
        InputError: The file cannot be read.
    """
    if isinstance(image, bytes):
        return image
    try:
        return image.read_bytes()
    except OSError as error:
        raise InputError(f"The file cannot be read: {image} ({error.strerror or error}).") from error


def server_host(base_url: str) -> str:
    """The machine of an address.

    Raises:
        ConfigError: Not the address of a server.
    """
    try:
        parts = urlsplit(base_url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        raise ConfigError(f"Not the address of a server. Expected http://HOST:PORT. Received: {base_url!r}.")
    return host


def is_local(host: str) -> bool:
    """Whether it is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _plain(value: Any) -> Any:
    """What orjson does not know: arrays that are not contiguous, dates and numbers of other libraries."""
    for method in ("tolist", "isoformat"):
        if hasattr(value, method):
            return getattr(value, method)()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is no number, text, list or dictionary")
