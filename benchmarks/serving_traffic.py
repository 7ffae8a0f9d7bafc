"""Load from a process of its own, as a benchmark starts and reads it: see `benchmarks.serving_load`."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cells import ROOT


@dataclass
class Traffic:
    """Requests in a closed loop (`concurrency`) or an open one (`rate` a second). `start` it; `wait` or `stop` it."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    concurrency: int | None = None
    rate: float | None = None
    seconds: float = 3600.0
    """At most; `stop` ends it earlier."""
    warm_up: float = 0.0
    fresh: bool = False
    """A new connection for each request."""
    seed: int = 0
    method: str = "POST"
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)
    _plan: Path = field(default=Path(), repr=False)

    def start(self) -> Traffic:
        """Starts the generator's process."""
        names = ("url", "concurrency", "rate", "seconds", "warm_up", "fresh", "seed", "method")
        plan = {name: getattr(self, name) for name in names}
        plan |= {"headers": dict(self.headers), "body": base64.b64encode(self.body).decode()}
        with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="kerasmith-load-", delete=False) as file:
            json.dump(plan, file)
        self._plan = Path(file.name)
        command = [sys.executable, "-m", "benchmarks.serving_load", file.name]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        return self

    def wait(self) -> dict[str, Any]:
        """What came of it, when it ends by itself.

        Raises:
            RuntimeError: The generator itself failed.
        """
        assert self._process is not None
        try:
            out, _ = self._process.communicate(timeout=self.seconds + self.warm_up + 60)
        finally:
            self._process.kill()
            self._plan.unlink(missing_ok=True)
        if self._process.returncode != 0:
            raise RuntimeError(f"The load generator ended with exit code {self._process.returncode}.")
        seen: dict[str, Any] = json.loads(out)
        return seen

    def stop(self) -> dict[str, Any]:
        """What came of it until now."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self.wait()


def served(seen: Mapping[str, Any]) -> int:
    """Requests that got a 200."""
    return int(seen["statuses"].get("200", {}).get("count", 0))


def failed(seen: Mapping[str, Any]) -> int:
    """Requests that were sent and got no reply; a connection that was not opened carried none."""
    return int(seen["failures"]["reset"] + seen["failures"]["reset_when_kept"])


def asked(seen: Mapping[str, Any]) -> int:
    """All of them; connections that could not be opened and what is unanswered are counted."""
    replies = sum(one["count"] for one in seen["statuses"].values())
    return int(replies + sum(seen["failures"].values()) + seen["unanswered"])
