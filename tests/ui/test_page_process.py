"""`kerasmith ui` in processes of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from pipelines.terminal.page import open_page
from pipelines.terminal.page_server import running_page
from records.errors import ConfigError
from records.spec import InputKind
from serving.address import listenable
from serving.bundle import write_checksums
from serving.model_store import put
from store.database import open_database
from store.home import Home
from store.registry import Registry
from tests.ui.stand_in import serving

GOLDEN = Path(__file__).resolve().parents[1] / "serving" / "golden" / "bundle_v1"
OPEN = """
import sys
from pipelines.terminal.page import open_page
from store.home import open_home
open_page(open_home(), sys.argv[1] or None, sys.argv[2] or None, port=0,
          on_ready=lambda url, server: print(url, server, flush=True))
print("the end", flush=True)
"""
TRAP = """
import os, sys
def trap(event, args):
    if event in ("socket.connect", "socket.sendto"):
        host = args[1][0] if isinstance(args[1], tuple) else "a local path"
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    with open(os.environ["TRAP_FILE"], "a") as file:
        file.write(f"{host}\\n")
sys.addaudithook(trap)
"""


def test_a_taken_port_and_what_is_no_server_are_told_before_anything_is_started(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ConfigError, match="is taken by another"):
        open_page(home, port=other.getsockname()[1])
    with pytest.raises(ConfigError, match="Not the address of a server"):
        open_page(home, server_url="localhost:3000", port=0)
    with pytest.raises(ConfigError, match="[Nn]o model"):
        open_page(home, "petals", port=0)


@pytest.fixture
def start(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Starts the page for a model or a server, from a folder with traps; gives the process, ready."""
    stranger = tmp_path / "where the user stands"
    (stranger / ".streamlit").mkdir(parents=True)
    (stranger / ".streamlit" / "config.toml").write_text('[server]\nbaseUrlPath = "elsewhere"\n')
    (stranger / "ui").mkdir()
    (stranger / "ui" / "__init__.py").write_text("raise SystemExit('this is the user\\'s own')")
    monkeypatch.setenv("KERASMITH_SERVER", "http://127.0.0.1:9")  # nobody answers there
    started: list[subprocess.Popen[str]] = []

    def run(model: str = "", server: str = "") -> Any:
        process: Any = subprocess.Popen(
            [sys.executable, "-P", "-c", OPEN, model, server], stdout=subprocess.PIPE, text=True, cwd=stranger
        )
        started.append(process)
        process.url, process.server = process.stdout.readline().split()
        return process

    yield run
    for process in started:
        process.kill()


def gone(processes: list[psutil.Process], seconds: float = 20.0) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_page_ends_with_a_signal_and_leaves_nothing(start: Any, number: signal.Signals) -> None:
    process = start()
    assert process.server == "None"  # there is neither a server nor a model
    assert "<title>" in httpx.get(process.url).text
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    process.send_signal(number)
    assert process.stdout.read() == "the end\n" and process.wait(20) == 0
    assert gone(family)


@pytest.mark.e2e
def test_the_page_ends_when_its_parent_is_killed(start: Any) -> None:
    process = start()
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    assert gone(family)


@pytest.mark.e2e
@pytest.mark.parametrize("model", ["", "golden:1"])
def test_a_server_is_started_where_there_is_a_model(start: Any, home: Home, model: str, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(GOLDEN, tmp_path / "bundle"))
    put(home, "golden", "golden-1", bundle)
    engine = open_database(home)
    Registry(engine).register("golden", "golden-1", "run-1", write_checksums(bundle), {})
    engine.dispose()
    process = start(model)
    assert httpx.get(f"{process.server}/describe").json()["model"] == "golden:1"
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0 and gone(family)


@pytest.mark.e2e
def test_the_page_makes_no_outgoing_connection(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(TRAP)
    trap = tmp_path / "trapped"
    trap.write_text("")
    monkeypatch.setenv("TRAP_FILE", str(trap))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with serving(InputKind.TEXT) as stand_in, running_page(home, listenable("127.0.0.1", 0), stand_in.url) as page:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        headers |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "http://another.example"}
        refused = httpx.get(f"{page.url}/_stcore/stream", headers=headers)
        assert refused.status_code == 403
        time.sleep(1.0)
    assert set(trap.read_text().split("\n")) <= {"127.0.0.1", "localhost", "", "None", "8.8.8.8"}
