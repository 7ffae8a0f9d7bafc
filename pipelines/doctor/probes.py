"""Questions that are asked in a process of their own: what hangs or breaks there does neither here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

LIMIT_SECONDS = 12.0
"""Importing Keras with TensorFlow takes 5 to 9 s on two slow cores."""

KERAS = """
import json, os, time
began = time.perf_counter()
import keras
backend = keras.backend.backend()
module = __import__(backend)
if backend == "tensorflow":
    devices = [device.name for device in module.config.list_physical_devices("GPU")]
else:
    # asked for those of one kind, JAX raises where there are none
    devices = [device for device in keras.distribution.list_devices() if not device.startswith("cpu")]
version = getattr(module, "__version__", "")
print(json.dumps({"keras": keras.__version__, "backend": f"{backend} {version}".strip(),
                  "devices": devices, "seconds": time.perf_counter() - began}))
"""

TELEMETRY = """
import json, os
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
from bentoml._internal.utils.analytics.usage_stats import do_not_track
print(json.dumps({"off": do_not_track()}))
"""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, or why nothing did."""

    fields: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    """A sentence; empty when there is an answer."""
    timed_out: bool = False


@contextmanager
def asking(program: str, limit_seconds: float = LIMIT_SECONDS) -> Iterator[Callable[[], Answer]]:
    """Starts a Python program that prints one line of JSON. The function that is given waits for it.

    Whatever it started is ended with the body.
    """
    deadline = time.monotonic() + limit_seconds
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", program],  # -P: a folder `keras` where the user stands is not the library
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        start_new_session=True,
    )
    try:
        yield lambda: _answer(process, deadline)
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _answer(process: subprocess.Popen[bytes], deadline: float) -> Answer:
    try:
        out, errors = process.communicate(timeout=max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return Answer(error="It did not answer in time.", timed_out=True)
    try:
        return Answer(fields=json.loads(out.decode().strip().splitlines()[-1]))
    except (ValueError, IndexError):
        lines = errors.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"it ended with exit code {process.returncode}"
        return Answer(error=f"It failed: {reason}.")


def memory_bytes() -> int:
    """Memory that this process may use: the machine's, or the container's where that is less."""
    total = int(psutil.virtual_memory().total)
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # "max" is no number: there is no limit
            total = min(total, int(Path(name).read_text()))
    return total
