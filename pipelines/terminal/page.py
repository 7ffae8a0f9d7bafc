"""`kerasmith ui`: the page in a process of its own, and a server for it to ask where none answers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.terminal.page_server import SERVER, running_page
from serving.address import Address, listenable
from serving.children import signals_set
from serving.client import Client
from serving.serve import RunningServer, find_model, running
from store.database import open_database
from store.home import Home
from store.registry import Registry

DEFAULT_SERVER = "http://127.0.0.1:3000"

OnReady = Callable[[str, str | None], None]
"""Told the page's URL, and that of the server it asks where there is one."""


def open_page(
    home: Home,
    model: str | None = None,
    server_url: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8501,
    on_ready: OnReady | None = None,
) -> None:
    """Shows the page until Ctrl-C or SIGTERM, then returns.

    It asks `server_url`; else a server that is started for `model`; else the one that answers at the usual address;
    else one that is started for the newest model. Where there is no model either, the page says so.

    Args:
        home: Where runs and models are.
        model: `name` or `name:version`.
        server_url: Of a server that runs.
        host: The page's address; `0.0.0.0` lets other machines in.
        port: The page's; 0: any that is free.
        on_ready: Called as soon as the page answers.

    Raises:
        ConfigError: No such model, not a server's URL, or the address cannot be listened on.
        BundleError: The model is damaged.
        KerasmithError: The page or the server ended by itself.
    """
    address = listenable(host, port)
    stop = threading.Event()
    with signals_set(stop), _server(home, model, server_url, stop) as (url, server):
        if not stop.is_set():
            _show(home, address, url, server, stop, on_ready)


def run_page(home: Home, host: str, port: int, server_url: str | None, on_ready: OnReady | None = None) -> None:
    """The page alone, until Ctrl-C or SIGTERM; it asks `server_url`. Raises what `open_page` raises."""
    address = listenable(host, port)
    stop = threading.Event()
    with signals_set(stop):
        _show(home, address, server_url, None, stop, on_ready)


def _show(
    home: Home,
    address: Address,
    server_url: str | None,
    server: RunningServer | None,
    stop: threading.Event,
    on_ready: OnReady | None,
) -> None:
    with running_page(home, address, server_url, stop) as page:
        if on_ready is not None and not stop.is_set():
            on_ready(page.url, server_url)
        while not stop.wait(0.2):
            page.check()
            if server is not None:
                server.check()


@contextmanager
def _server(
    home: Home, model: str | None, server_url: str | None, stop: threading.Event
) -> Iterator[tuple[str | None, RunningServer | None]]:
    """The server to ask, started if need be."""
    if server_url is None and model is None:
        usual = os.environ.get(SERVER, "").strip() or DEFAULT_SERVER
        server_url = usual if _answers(usual) else None
    if server_url is not None:
        Client(server_url).close()  # refuses what is no address
        yield server_url, None
    elif model is None and not _any_model(home):
        yield None, None
    else:
        with running(find_model(home, model), stop=stop) as server:
            yield server.url, server


def _answers(url: str) -> bool:
    with Client(url, timeout_seconds=2.0) as client:
        return client.ready()


def _any_model(home: Home) -> bool:
    engine = open_database(home)
    try:
        return bool(Registry(engine).versions())
    finally:
        engine.dispose()
