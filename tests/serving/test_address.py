import socket

import pytest

from records.errors import ConfigError
from serving.address import Address, listenable


def test_port_zero_becomes_a_free_port() -> None:
    address = listenable("127.0.0.1", 0)
    assert address.host == "127.0.0.1" and address.port > 0
    assert listenable("localhost", address.port).port == address.port


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:81"), ("0.0.0.0", "http://127.0.0.1:81"), ("::", "http://[::1]:81")],
)
def test_url_is_where_this_machine_reaches_it(host: str, url: str) -> None:
    assert Address(host, 81).url == url


def test_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port} of 127.0.0.1 is taken .* --port; 0 finds a free one"):
            listenable("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("127.0.0.1", 70_000, "`port` must lie between 0 and 65535. Received: 70000"),
        ("127.0.0.1", -1, "`port` must lie between"),
        ("192.0.2.7", 0, "192.0.2.7 is not an address of this machine"),
        ("no such host", 0, "`host` is not an address of this machine: 'no such host'"),
        ("a" * 300, 0, "`host` is not an address"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_told(host: str, port: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        listenable(host, port)


def test_a_forbidden_port_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", forbidden)
    with pytest.raises(ConfigError, match="Port 80 may not be used by this user"):
        listenable("127.0.0.1", 80)
