"""Starting and stopping the server: BentoML in processes of its own, with what it serves in its environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from records.errors import BundleError, ConfigError, KerasmithError
from serving.address import Address, listenable
from serving.bundle import verify
from serving.children import end, signals_set
from serving.guarding.tokens import find_tokens
from serving.lifeline import PARENT
from serving.model_store import folder_of
from serving.settings import MAX_WORKERS, ServeOptions, Settings
from store.database import open_database
from store.home import Home
from store.registry import Registry

READY_SECONDS = 120.0
"""A server with Keras as its engine needs some ten seconds; the rest is for slow machines."""
DRAIN_SECONDS = 5
"""For requests that are being answered when the server is told to stop."""
STOP_SECONDS = 10.0
"""After so long, what is left of the server is killed."""


def serve(
    home: Home,
    ref: str | None = None,
    host: str = "127.0.0.1",
    port: int = 3000,
    workers: int = 1,
    on_ready: Callable[[str, str], None] | None = None,
    options: ServeOptions | None = None,
) -> None:
    """Serves a registered model until Ctrl-C or SIGTERM, then returns.

    Args:
        home: Where the model is.
        ref: `name` or `name:version`; `None`: the newest model.
        host: The address to listen on; `0.0.0.0` lets other machines in.
        port: 0: any that is free.
        workers: Processes that answer.
        on_ready: Called with the model's reference and the server's URL as soon as it answers.
        options: How to serve; `None`: as usual.

    Raises:
        ConfigError: No such model, an option that cannot be, or the address cannot be listened on.
        BundleError: The model is damaged.
        KerasmithError: The server ended by itself.
    """
    settings = find_model(home, ref, workers, options)
    stop = threading.Event()
    with signals_set(stop), running(settings, host, port, stop) as server:
        if on_ready is not None and not stop.is_set():
            on_ready(settings.ref, server.url)
        while not stop.wait(0.2):
            server.check()


@contextmanager
def start_server(
    home: Home,
    ref: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    workers: int = 1,
    options: ServeOptions | None = None,
) -> Iterator[str]:
    """A server for as long as the body runs: yields its URL once it answers. Raises what `serve` raises."""
    with running(find_model(home, ref, workers, options), host, port) as server:
        yield server.url


def find_model(home: Home, ref: str | None = None, workers: int = 1, options: ServeOptions | None = None) -> Settings:
    """What to serve for `ref`, resolved and verified.

    Raises:
        ConfigError: No such model, a wrong number of workers, or an option that cannot be.
        BundleError: The model is damaged or gone.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise ConfigError(f"`workers` must lie between 1 and {MAX_WORKERS}. Received: {workers}.")
    options = options or ServeOptions()
    options.check()
    engine = open_database(home)
    try:
        model = Registry(engine).resolve(ref)
    finally:
        engine.dispose()
    folder = folder_of(home, model.name, model.bundle_id)
    verify(folder, model.checksum)
    feedback = home.feedback_folder(model.name, model.version)
    return Settings(
        folder=folder,
        ref=model.ref,
        checksum=model.checksum,
        workers=workers,
        feedback_folder=feedback,
        options=options,
    )


@dataclass(frozen=True)
class RunningServer:
    """The process that starts the workers, and what it tells."""

    url: str
    process: subprocess.Popen[bytes]
    failure_file: Path

    def check(self) -> None:
        """Raises when the server ended, with the reason that a worker left behind."""
        code = self.process.poll()
        if code is None:
            return
        if self.failure_file.is_file():
            raise BundleError(self.failure_file.read_text("utf-8"))
        raise KerasmithError(f"The server ended by itself, with exit code {code}. Its messages stand above.")

    def wait_until_ready(self, stop: threading.Event) -> None:
        """Returns when the server answers, or when `stop` is set."""
        deadline = time.monotonic() + READY_SECONDS
        with httpx.Client(base_url=self.url, timeout=1.0, trust_env=False) as client:
            while not stop.wait(0.05):
                self.check()
                try:
                    if client.get("/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    pass  # it listens before it answers
                if time.monotonic() > deadline:
                    raise KerasmithError(f"The server was not ready after {READY_SECONDS:g} seconds; it was stopped.")

    def stop(self) -> None:
        """Lets it finish what it is answering; kills what is left after a while, or at once when interrupted."""
        end(self.process, STOP_SECONDS)


@contextmanager
def running(
    settings: Settings, host: str = "127.0.0.1", port: int = 0, stop: threading.Event | None = None
) -> Iterator[RunningServer]:
    """A server for any bundle, for as long as the body runs. Setting `stop` ends the waiting until it is ready."""
    address = listenable(host, port)
    with tempfile.TemporaryDirectory(prefix="kerasmith-serve-", ignore_cleanup_errors=True) as scratch:
        settings = replace(settings.absolute(), failure_file=Path(scratch) / "failure")
        find_tokens({**os.environ, **settings.to_environment()})  # says what is wrong with them before anything starts
        server = _launch(settings, address, Path(scratch))
        try:
            server.wait_until_ready(stop or threading.Event())
            yield server
        finally:
            server.stop()


def _launch(settings: Settings, address: Address, scratch: Path) -> RunningServer:
    command = [sys.executable, "-P", "-m", "serving.launch", "--host", address.host, "--port", str(address.port)]
    command += ["--workers", str(settings.workers), "--drain-seconds", str(DRAIN_SECONDS)]
    process = subprocess.Popen(
        command,
        cwd=scratch,
        env=_environment(settings, scratch),
        stdin=subprocess.DEVNULL,
        stdout=2,  # our own standard output stays clean
        start_new_session=True,  # Ctrl-C reaches this process only, which then stops the others in order
    )
    assert settings.failure_file is not None
    return RunningServer(address.url, process, settings.failure_file)


def _environment(settings: Settings, scratch: Path) -> dict[str, str]:
    """Ours and the user's, without what the user configured for other BentoML services."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("BENTOML_", "BENTOCLOUD_"))}
    thrift = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    return {
        **thrift,
        **inherited,
        **settings.to_environment(),
        # a home of its own, because BentoML makes folders wherever it starts
        "BENTOML_HOME": str(scratch / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        PARENT: str(os.getpid()),
        "PYTHONSAFEPATH": "1",  # a folder `records` or `serving` where the user stands is not ours
    }
