"""Keeps what libraries print out of a person's terminal: it goes to a log file instead."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LARGEST_LOG = 1_000_000
"""Bytes after which the log begins anew."""


@contextmanager
def chatter_to(path: Path) -> Iterator[None]:
    """Sends the process's standard error to a file while the body runs, also what C++ code writes.

    TensorFlow's runtime writes lines that no setting silences. Whoever is to reach the terminal must have copied the
    stream before (`pipelines.terminal.live.Progress` does).
    """
    sys.stderr.flush()
    fresh = not path.exists() or path.stat().st_size > LARGEST_LOG
    with path.open("wb" if fresh else "ab") as log:
        copy = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(copy, 2)
            os.close(copy)
