"""`python -m serving.launch`: listens, starts the workers, and starts one again that died.

It does what `bentoml serve` does, with the same supervisor (circus) and the same workers, except that

- it loads neither BentoML nor a model itself, which takes a second and 50 MB;
- it looks every half second whether a worker died, not every ten, and also in a container;
- it is steered through a socket in its own folder, not through an open port that obeys every user of the machine;
- it ends when the process that started it does.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from circus.arbiter import Arbiter
from circus.exc import ConflictError
from circus.sockets import CircusSocket
from circus.watcher import Watcher

from serving.lifeline import PARENT, WHOLE, end_with_parent

SERVICE = "serving.service:Kerasmith"
NAME = "kerasmith"
SOCKET = "http"
BACKLOG = 2048
"""Connections that wait until a worker takes them."""
KNOWN = ("KERASMITH_MODEL_CHECKSUM", "KERASMITH_FAILURE_FILE")
"""Who sets both has verified the model, see `serving.admitting.admission`."""
COUNTS = "kerasmith-counts"
"""The folder in which the workers count, see `serving.observing.tally`."""
LOOK_SECONDS = 0.5
LAST_SECONDS = 5.0
"""After the workers' own patience with what they are answering, they are killed."""


class Supervisor(Arbiter):
    """Circus's, which tells workers that the whole server stops, and is not kept from stopping."""

    def stop(self) -> Any:
        for watcher in self.iter_watchers():
            watcher.stop_signal = WHOLE
        try:
            return super().stop()
        except ConflictError:  # it is just looking after its workers
            return self.loop.call_later(0.05, self.stop)


def main() -> None:
    """Runs until it is told to stop, by SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=int(os.environ.get("KERASMITH_WORKERS") or 1))
    parser.add_argument("--drain-seconds", type=int, default=5)
    given = parser.parse_args()
    if PARENT in os.environ:  # in a container nobody started it but the container
        end_with_parent(int(os.environ[PARENT]))
    os.environ[PARENT] = str(os.getpid())  # the workers inherit it: this process is theirs
    if not all(os.environ.get(name) for name in KNOWN):
        from serving.admitting.admission import admit_model  # takes half a second, and most models are known

        admit_model()
    logging.getLogger("circus").setLevel(logging.ERROR)
    folder = Path.cwd()
    arbiter = Supervisor(
        [_workers(folder, given.workers, given.drain_seconds)],
        # relative, because the path of such a socket may not be long
        endpoint="ipc://control",
        pubsub_endpoint="ipc://events",
        check_delay=LOOK_SECONDS,
        sockets=[_socket(given.host, given.port)],
    )
    ended = arbiter.start()
    if error := ended.exception():
        raise error


def _socket(host: str, port: int) -> CircusSocket:
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return CircusSocket(name=SOCKET, host=host, port=port, family=family, backlog=BACKLOG)


def _workers(folder: Path, number: int, drain_seconds: int) -> Watcher:
    counts = folder / COUNTS
    counts.mkdir(exist_ok=True)
    for left in counts.glob("*.db"):  # a container that starts again gives its processes the same numbers
        left.unlink()
    arguments = ["-m", "_bentoml_impl.worker.service", SERVICE, "--service-name", NAME]
    arguments += ["--fd", f"$(circus.sockets.{SOCKET})", "--worker-id", "$(CIRCUS.WID)", "--backlog", str(BACKLOG)]
    arguments += ["--timeout-graceful-shutdown", str(drain_seconds)]
    return Watcher(
        name="workers",
        cmd=shlex.quote(sys.executable),
        args=arguments,
        numprocesses=number,
        use_sockets=True,
        copy_env=True,
        env={"PROMETHEUS_MULTIPROC_DIR": str(counts), "BENTOML_QUIET": "True"},
        working_dir=str(folder),
        stop_children=True,
        graceful_timeout=drain_seconds + LAST_SECONDS,
        respawn=True,
    )


if __name__ == "__main__":
    main()
