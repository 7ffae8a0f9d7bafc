"""Keeps a library's chatter away from a person's terminal, and from `--json` on stdout."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path


@contextmanager
def quietly() -> Iterator[None]:
    """Sends stdout and stderr nowhere while the body runs, also what C++ code writes; exceptions still come through."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TQDM_DISABLE", "1")
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.CRITICAL)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    try:
        with ExitStack() as stack:
            nowhere = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(redirect_stdout(nowhere))
            stack.enter_context(redirect_stderr(nowhere))
            for descriptor in (1, 2):
                with suppress(OSError):  # a closed descriptor needs no silencing
                    stack.callback(_put_back, os.dup(descriptor), descriptor)
                    os.dup2(nowhere.fileno(), descriptor)
            yield
    finally:
        absl.setLevel(level)


def _put_back(copy: int, descriptor: int) -> None:
    os.dup2(copy, descriptor)
    os.close(copy)
