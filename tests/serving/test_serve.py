import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from records.bundle import ONNX_MODEL
from records.errors import BundleError, ConfigError
from serving.bundle import write_checksums
from serving.client import Client
from serving.model_store import folder_of, put
from serving.serve import find_model, running, start_server
from serving.settings import Settings
from store.database import open_database
from store.home import Home
from store.registry import Registry
from tests.serving.kinds import KITS, make_bundle

TRAP = """
import os, sys
def trap(event, args):
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
    elif event == "socket.getaddrinfo" or event == "socket.gethostbyname":
        address = (args[0],)
    else:
        return
    host = address[0] if isinstance(address, tuple) else "a local path"
    with open(os.environ["TRAP_FILE"], "a") as file:
        file.write(f"{event} {host} {sys.argv[:3]}\\n")
sys.addaudithook(trap)
with open(os.environ["TRAP_FILE"], "a") as file:
    file.write(f"trapped\\n")
"""


@pytest.fixture
def registered(home: Home, pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with the tiny model as tiny:1."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what a killed server leaves there goes with the test
    checksum = write_checksums(pristine)
    put(home, "tiny", "tiny-1", pristine)
    engine = open_database(home)
    Registry(engine).register("tiny", "tiny-1", "run-1", checksum, {})
    engine.dispose()
    return home


def test_find_model_verifies_what_it_finds(registered: Home) -> None:
    settings = find_model(registered, "tiny")
    assert settings.ref == "tiny:1" and settings.folder == folder_of(registered, "tiny", "tiny-1")
    (settings.folder / ONNX_MODEL).write_bytes(b"")
    with pytest.raises(BundleError, match="model.onnx is not what was packaged"):
        find_model(registered)


def test_find_model_refuses_unknown_models_and_numbers_of_workers(registered: Home) -> None:
    with pytest.raises(ConfigError, match="no model 'other'"):
        find_model(registered, "other")
    for workers in (0, 65):
        with pytest.raises(ConfigError, match=f"`workers` must lie between 1 and 64. Received: {workers}"):
            find_model(registered, workers=workers)


def test_a_taken_port_is_told_before_anything_is_started(registered: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match="is taken by another program"), start_server(registered, port=port):
            raise AssertionError("it started")


@pytest.mark.e2e
def test_a_server_answers_and_leaves_nothing_behind(
    registered: Home, picture: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = set(psutil.Process().children(recursive=True))
    with start_server(registered, workers=2) as url, Client(url) as client:
        started = set(psutil.Process().children(recursive=True)) - before
        assert len(started) >= 3  # BentoML and two workers
        assert client.predict([picture()]).predictions[0].label == "red"
        assert client.describe().model == "tiny:1"
        for path in ("/healthz", "/livez", "/readyz"):
            assert httpx.get(url + path).status_code == 200
        httpx.get(url + "/invented-address")
        metrics = httpx.get(url + "/metrics").text
        assert 'endpoint="/predict"' in metrics and "invented-address" not in metrics
    assert not [process for process in started if process.is_running()]
    assert not list(scratch.iterdir())


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["text", "forecast"])
def test_a_server_answers_other_kinds_of_input(name: str, tmp_path: Path) -> None:
    kit = KITS[name]()
    with (
        running(Settings(folder=make_bundle(name, tmp_path / name), ref="x:1")) as server,
        Client(server.url) as client,
    ):
        answers = client.predict(kit.raws).predictions
        assert len(answers) == len(kit.raws)
        sample = httpx.get(server.url + "/sample.json")
        assert client.describe().sample == sample.json()
        headers = {"content-type": "application/json"}
        alone = httpx.post(server.url + "/predict", content=sample.content, headers=headers)
        assert set(alone.json()["predictions"][0]) == set(answers[0].model_dump(exclude_unset=True))


@pytest.mark.e2e
def test_a_server_makes_no_outgoing_connection(
    pristine: Path, picture: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(TRAP)
    trap = tmp_path / "trapped"
    monkeypatch.setenv("TRAP_FILE", str(trap))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with running(Settings(folder=pristine, ref="tiny:1")) as server, Client(server.url) as client:
        client.predict([picture()])
        for body in (b"http://192.0.2.1/x.png", b"https://example.com/x.png"):
            refused = httpx.post(server.url + "/predict", files={"image": (None, body)})
            assert refused.status_code == 422
    lines = trap.read_text().splitlines()
    assert lines.count("trapped") >= 2  # BentoML and its worker
    places = {line.split()[1] for line in lines if line != "trapped"}
    assert places <= {"127.0.0.1", "localhost"}, lines


def speak(url: str, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Sends bytes as they are, and returns what comes back until the server closes."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=15) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


@pytest.mark.e2e
def test_what_is_not_even_http_does_not_hurt_the_server(pristine: Path, picture: Callable[..., bytes]) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: image/png\r\n"
    with running(Settings(folder=pristine, ref="tiny:1")) as server, Client(server.url) as client:
        for pieces in (
            [b"\x00\xff\x00\xff\r\n\r\n"],
            [b"GET / HTTP/9.9\r\n\r\n"],
            [head + b"Content-Length: -1\r\n\r\n"],
            [head + b"Content-Length: 10\r\n\r\nfew"],  # and goes away
            [head + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n"],
            [b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n"],
        ):
            answer = speak(server.url, *pieces)
            assert b" 5" not in answer.split(b"\r\n")[0]
        large = head + b"Transfer-Encoding: chunked\r\n\r\n"
        answer = speak(server.url, large, *[b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n"] * 40, b"0\r\n\r\n")
        assert b" 413 " in answer.split(b"\r\n")[0] and b"The body is too large" in answer
        upgrade = (
            b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        )
        answer = speak(server.url, upgrade + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert b" 4" in answer.split(b"\r\n")[0]
        assert client.predict([picture()]).predictions[0].label == "red"


@pytest.mark.e2e
@pytest.mark.parametrize("known", [True, False])
def test_a_model_that_cannot_be_loaded_ends_the_server_with_the_reason(
    bundle_folder: Path, capfd: pytest.CaptureFixture[str], known: bool
) -> None:
    (bundle_folder / ONNX_MODEL).write_bytes(b"not a network")
    checksum = write_checksums(bundle_folder)
    with (
        pytest.raises(BundleError, match="is not a network that may be loaded|ONNX Runtime cannot load"),
        running(Settings(folder=bundle_folder, ref="x:1", checksum=checksum if known else None)),
    ):
        raise AssertionError("it started")
    assert "Traceback" not in "".join(capfd.readouterr())


SERVE = """
import sys
from serving.serve import serve
from store.home import open_home
serve(open_home(), port=0, on_ready=lambda ref, url: print(ref, url, flush=True))
print("the end", flush=True)
"""


@pytest.fixture
def process(registered: Home, tmp_path: Path) -> Iterator[Any]:
    """`serve` in a process of its own, ready; its URL is `process.url`."""
    stranger = tmp_path / "where the user stands"
    for name in ("serving", "records"):
        (stranger / name).mkdir(parents=True)
        (stranger / name / "__init__.py").write_text("raise SystemExit('this is the user\\'s own')")
    process: Any = subprocess.Popen(
        [sys.executable, "-P", "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=stranger
    )
    ref, process.url = process.stdout.readline().split()
    assert ref == "tiny:1"
    yield process
    process.kill()


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_cleanly_on_a_signal(process: Any, number: signal.Signals) -> None:
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "the end\n")
    assert "Traceback" not in err and "rror" not in err
    assert not [child for child in family if child.is_running()]


@pytest.mark.e2e
@pytest.mark.parametrize("seconds", [0.8, 1.4, 2.0])
def test_serve_ends_cleanly_while_it_starts(registered: Home, seconds: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    time.sleep(seconds)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    assert process.returncode in (0, -signal.SIGTERM)  # the latter before Python has come as far as our handler
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive


@pytest.mark.e2e
def test_a_killed_serve_does_not_leave_its_server_on_the_port(process: Any) -> None:
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive
    with pytest.raises(httpx.TransportError):
        httpx.get(process.url + "/healthz")
