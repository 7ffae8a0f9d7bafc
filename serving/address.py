"""The address that a server listens on, tried before anything is started."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from records.errors import ConfigError

ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses that mean all of this machine's, and where to reach them from here."""


@dataclass(frozen=True)
class Address:
    """An IP address and a port."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Where this machine reaches it."""
        host = ANY.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def listenable(host: str, port: int) -> Address:
    """The address for a host's name and a port; port 0 becomes one that is free now.

    Raises:
        ConfigError: It cannot be listened on.
    """
    if not 0 <= port <= 65535:
        raise ConfigError(f"`port` must lie between 0 and 65535. Received: {port}.")
    try:
        family, _, _, _, name = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"`host` is not an address of this machine: {host!r}. Expected e.g. 127.0.0.1.") from error
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(name)
            probe.listen(1)
        except OSError as error:
            raise ConfigError(_why_not(host, port, error)) from error
        return Address(str(name[0]), probe.getsockname()[1])


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is taken by another program. Choose another with --port; 0 finds a free one."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Port {port} may not be used by this user. Choose one from 1024 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine. Expected e.g. 127.0.0.1, or 0.0.0.0 for all of them."
    return f"{host} port {port} cannot be listened on: {error.strerror or error}."
