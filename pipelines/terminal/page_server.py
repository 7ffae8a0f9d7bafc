"""Streamlit's process: started with our settings alone, waited for, and ended with all that it started."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from records.errors import KerasmithError
from serving.address import Address
from serving.children import end
from serving.lifeline import PARENT
from store.home import Home

UI = Path(__file__).resolve().parents[2] / "ui"
"""The page's files: started, never imported."""
SERVER = "KERASMITH_SERVER"
"""The environment variable that tells the page which server to ask."""
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
"""After so long, what is left of the page is killed."""
MAX_UPLOAD_MB = 32
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class RunningPage:
    """Streamlit's process."""

    url: str
    process: subprocess.Popen[bytes]

    def check(self) -> None:
        """Raises when it ended."""
        code = self.process.poll()
        if code is not None:
            raise KerasmithError(f"The page ended by itself, with exit code {code}. Its messages stand above.")

    def wait_until_ready(self, stop: threading.Event) -> None:
        """Returns when the page answers, or when `stop` is set."""
        deadline = time.monotonic() + READY_SECONDS
        with httpx.Client(base_url=self.url, timeout=1.0, trust_env=False) as client:
            while not stop.wait(0.05):
                self.check()
                try:
                    if client.get("/_stcore/health").status_code == 200:
                        return
                except httpx.TransportError:
                    pass  # it does not listen yet
                if time.monotonic() > deadline:
                    raise KerasmithError(f"The page was not ready after {READY_SECONDS:g} seconds; it was stopped.")

    def stop(self) -> None:
        """Ends it, with what it started; kills what is left after a while."""
        end(self.process, STOP_SECONDS)


@contextmanager
def running_page(
    home: Home, address: Address, server_url: str | None = None, stop: threading.Event | None = None
) -> Iterator[RunningPage]:
    """The page for as long as the body runs. Setting `stop` ends the waiting until it is ready."""
    program = [sys.executable, "-P", "-m", "pipelines.terminal.page_process"]
    with tempfile.TemporaryDirectory(prefix="kerasmith-ui-", ignore_cleanup_errors=True) as scratch:
        process = subprocess.Popen(
            [*program, "run", str(UI / "app.py"), *_flags(address)],
            cwd=scratch,  # a folder `.streamlit` where the user stands is not ours
            env=_environment(home, server_url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches this process only, which then stops the other
        )
        page = RunningPage(address.url, process)
        try:
            page.wait_until_ready(stop or threading.Event())
            yield page
        finally:
            page.stop()


def _flags(address: Address) -> list[str]:
    settings: dict[str, Any] = {
        "server.address": address.host,
        "server.port": address.port,
        "server.headless": True,
        "server.baseUrlPath": "",
        "server.fileWatcherType": "none",
        "server.maxUploadSize": MAX_UPLOAD_MB,
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "logger.level": "error",
        "runner.magicEnabled": False,
        "theme.base": UI / "theme.toml",
    }
    flags = [f"--{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in settings.items()]
    if address.host in LOOPBACK:  # elsewhere nobody knows by what names the machine is called
        flags += [f"--server.allowedHosts={host}" for host in LOOPBACK]
    return flags


def _environment(home: Home, server_url: str | None) -> dict[str, str]:
    """Ours and the user's, without what the user configured for other pages."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STREAMLIT_")}
    told = {} if server_url is None else {SERVER: server_url}
    database = home.database_url
    if database.get_backend_name() == "sqlite" and database.database:
        database = database.set(database=str(Path(database.database).absolute()))  # the child stands elsewhere
    return {
        "MALLOC_ARENA_MAX": "2",
        **inherited,
        **told,
        "KERASMITH_HOME": str(home.root),
        "KERASMITH_DATABASE": database.render_as_string(hide_password=False),
        PARENT: str(os.getpid()),
        "PYTHONSAFEPATH": "1",
    }
