"""What was measured on this machine and need not be measured again: one small file in the home folder."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import time
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pipelines.backend import libraries
from pipelines.cores import num_cores
from records.errors import StoreError
from store.files import write_atomically
from store.home import Home

FILE = "measured.json"
FORMAT_VERSION = 1
MOST_ENTRIES = 500
"""The oldest ones are forgotten."""
WAIT_SECONDS = 2.0
"""For another process that writes; then the measurement is not kept, which costs measuring it again."""
PACKAGES = ("keras", "tensorflow", "numpy", "onnxruntime")

_log = logging.getLogger(__name__)


class Measured:
    """Figures by key, of this machine and these versions of the libraries alone. Several processes may use it.

    Nothing that matters is lost with the file: a missing or damaged one is measured anew.
    """

    def __init__(self, home: Home) -> None:
        self._path = home.root / FILE

    def get(self, key: str) -> dict[str, Any] | None:
        """What `put` kept under the key, also in an earlier run; `None` where it was not measured yet."""
        found = self._read().get(f"{machine()} {key}")
        return None if found is None else found["figures"]

    def put(self, key: str, figures: dict[str, Any]) -> None:
        """Keeps `figures`, which JSON can hold. What cannot be written is not kept, and the log says so."""
        try:
            with FileLock(self._path.with_suffix(".lock"), timeout=WAIT_SECONDS):
                entries = self._read()
                entries[f"{machine()} {key}"] = {"figures": figures, "at": time.time()}
                latest = sorted(entries.items(), key=lambda entry: float(entry[1]["at"]))[-MOST_ENTRIES:]
                content = {"format_version": FORMAT_VERSION, "entries": dict(latest)}
                write_atomically(self._path, json.dumps(content, indent=1).encode())
        except (OSError, StoreError, Timeout) as error:
            _log.warning("A measurement was not kept: %s", error)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self._path.read_text("utf-8"))
            if content["format_version"] != FORMAT_VERSION:
                return {}
            entries = content["entries"]
            return {key: entry for key, entry in entries.items() if _is_whole(entry)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}


def _is_whole(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("figures"), dict) and isinstance(entry.get("at"), float)


@lru_cache(maxsize=1)
def machine() -> str:
    """Changes when the processor, the cores that may be used, the graphics cards or a library changes."""
    told = [platform.system(), platform.machine(), _processor(), str(num_cores()), *_cards()]
    for package in (*PACKAGES, *(name for name in libraries() if name not in PACKAGES)):
        with suppress(metadata.PackageNotFoundError):
            told.append(f"{package} {metadata.version(package)}")
    return hashlib.sha256("|".join(told).encode()).hexdigest()[:12]


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line
    return platform.processor()


def _cards() -> list[str]:
    cards = Path("/proc/driver/nvidia/gpus")
    with suppress(OSError):
        return sorted((folder / "information").read_text("utf-8").partition("\n")[0] for folder in cards.iterdir())
    return []
