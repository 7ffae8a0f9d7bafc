"""The servers that are compared: how each is started, asked, paused and stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from benchmarks.cells import ROOT
from benchmarks.peers.serving_model import FOLDER, PORT, THREADS, VARIANT
from benchmarks.quality_data import cache_folder as peers_folder
from benchmarks.serving_networks import home
from benchmarks.serving_payloads import peer_folder

START_SECONDS = 90.0
STOP_SECONDS = 15.0
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
KEPT_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to set a server up."""

    name: str
    threads: int = 1
    """Of ONNX Runtime, for one batch."""

    def __str__(self) -> str:
        return f"{self.name}, {self.threads} thread{'s' * (self.threads > 1)} a batch"


@dataclass(frozen=True, kw_only=True)
class Method:
    """One server."""

    name: str
    title: str
    wrapping: str = "plain"
    """See `benchmarks.serving_payloads.Question.payload`."""
    environment: str | None = None
    """A folder that scripts/peers makes; `None`: this one."""
    command: tuple[str, ...] = ()
    """After the interpreter; PORT and SCRATCH stand for what is known later."""
    variants: tuple[Variant, ...] = (Variant(name="as it is"),)
    ready: str = "/readyz"

    @property
    def python(self) -> Path:
        """Its interpreter.

        Raises:
            SystemExit: Its environment is missing.
        """
        if self.environment is None:
            return Path(sys.executable)
        python = peers_folder() / self.environment / "bin" / "python"
        if not python.exists():
            raise SystemExit(f"There is no {python}. Make it first: scripts/peers {self.environment}")
        return python


OURS = "kerasmith"
METHODS = {
    one.name: one
    for one in (
        Method(
            name=OURS, title="Kerasmith", command=("-m", "pipelines", "serve", "NETWORK", "--port", "PORT", "--json")
        ),
        Method(
            name="bare",
            title="uvicorn, orjson, ONNX Runtime",
            command=("-m", "benchmarks.peers.serving_bare"),
            variants=(Variant(name="inline"), Variant(name="inline", threads=CORES), Variant(name="threads")),
            ready="/",
        ),
        Method(
            name="bentoml",
            title="BentoML",
            wrapping="form at /image",
            command=(
                "-m", "bentoml_cli.cli", "serve", "benchmarks.peers.serving_bentoml:Peer", "-q",
                "--host", "127.0.0.1", "--port", "PORT", "--working-dir", str(ROOT),
            ),
            variants=(
                Variant(name="plain"), Variant(name="plain", threads=CORES), Variant(name="threads"),
                Variant(name="batching"),
            ),
        ),
        Method(
            name="mlserver",
            title="MLServer",
            wrapping="v2",
            environment="mlserver",
            command=("-m", "benchmarks.peers.serving_mlserver", "SCRATCH"),
            variants=(
                Variant(name="inline"), Variant(name="inline", threads=CORES), Variant(name="workers"),
                Variant(name="batching"),
            ),
            ready="/v2/health/ready",
        ),
        Method(
            name="litserve",
            title="LitServe",
            wrapping="form",
            environment="litserve",
            command=("-m", "benchmarks.peers.serving_litserve"),
            variants=(
                Variant(name="plain"), Variant(name="plain", threads=CORES), Variant(name="batching"),
                Variant(name="fast_queue"),
            ),
            ready="/health",
        ),
    )
}  # fmt: skip
"""By name; ours and the bare one first."""


@dataclass
class Server:
    """One that runs, with all its processes in a group of their own."""

    method: Method
    variant: Variant
    url: str
    process: subprocess.Popen[bytes]
    log: Path
    ready_seconds: float = 0.0
    _paused: bool = field(default=False, repr=False)

    def family(self) -> list[psutil.Process]:
        """It and everything below it."""
        with contextlib.suppress(psutil.NoSuchProcess):
            first = psutil.Process(self.process.pid)
            return [first, *first.children(recursive=True)]
        return []

    def pause(self) -> None:
        """It takes no core from the others."""
        self._signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        if self._paused:
            self._signal(signal.SIGCONT)
            self._paused = False

    def _signal(self, number: signal.Signals) -> None:
        for one in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(number)

    def wait(self, began: float) -> None:
        """Until it says that it is ready.

        Raises:
            RuntimeError: It ended, or took too long; with the end of its log.
        """
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(self.url + self.method.ready, timeout=1.0, trust_env=False).status_code == 200:
                    self.ready_seconds = time.monotonic() - began
                    self._keep_priority()
                    return
            if self.process.poll() is not None or time.monotonic() - began > START_SECONDS:
                told = self.log.read_text("utf-8", errors="replace")[-3000:]
                raise RuntimeError(f"{self.method.title} ({self.variant}) did not start:\n{told}")
            time.sleep(0.02)

    def _keep_priority(self) -> None:
        """On Linux a session of its own is scheduled as a group of its own, which has no part in our priority."""
        with contextlib.suppress(OSError):
            ours = Path("/proc/self/autogroup").read_text("utf-8").split()[-1]
            for one in self.family() if ours != "0" else []:
                Path(f"/proc/{one.pid}/autogroup").write_text(ours)

    def stop(self) -> None:
        self.resume()
        family = self.family()
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.wait()


@contextlib.contextmanager
def server(name: str, network: str, variant: Variant | None = None, workers: int = 1) -> Iterator[Server]:
    """A method that serves a network, ready, for as long as the body runs. `workers`: of ours only."""
    method = METHODS[name]
    variant, port = variant or method.variants[0], free_port()
    with tempfile.TemporaryDirectory(prefix="kerasmith-serving-", ignore_cleanup_errors=True) as scratch:
        words = {"PORT": str(port), "SCRATCH": scratch, "NETWORK": network}
        command = [str(method.python), *(words.get(word, word) for word in method.command)]
        if name == OURS and workers > 1:
            command += ["--workers", str(workers)]
        environment = {name: value for name, value in os.environ.items() if name not in KEPT_THREADS}
        environment |= {
            "KERASMITH_HOME": str(home().root), "PYTHONPATH": str(ROOT), "BENTOML_DO_NOT_TRACK": "True",
            FOLDER: str(peer_folder(network)), THREADS: str(variant.threads), VARIANT: variant.name, PORT: str(port),
        }  # fmt: skip
        if name == "bentoml":
            environment["BENTOML_HOME"] = scratch
        log = Path(scratch) / "server.log"
        began = time.monotonic()
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, cwd=ROOT if name != "mlserver" else scratch, env=environment, stdin=subprocess.DEVNULL,
                stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        one = Server(method=method, variant=variant, url=f"http://127.0.0.1:{port}", process=process, log=log)
        try:
            one.wait(began)
            yield one
        finally:
            one.stop()


def free_port() -> int:
    """One whose neighbour is free too, for a server that takes two."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
                return port
