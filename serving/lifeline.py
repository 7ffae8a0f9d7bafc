"""A child that outlives its parent would keep the port and the memory, so it looks whether its parent is there."""

from __future__ import annotations

import os
import signal
import threading
import time

PARENT = "KERASMITH_PARENT"
"""The environment variable with the parent's process id: who asks for it late may have lost it already."""
WHOLE = signal.SIGUSR2
"""Tells a worker that the whole server stops, see `serving.guarding.draining`. SIGTERM is for this worker alone."""
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 15.0


def end_with_parent(parent_id: int) -> None:
    """Ends this process soon after its parent ended: with SIGTERM, or without ceremony where that does not help."""
    threading.Thread(target=_watch, args=(parent_id,), name="lifeline", daemon=True).start()


def _watch(parent_id: int) -> None:
    while os.getppid() == parent_id:
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_SECONDS)
    os._exit(1)
