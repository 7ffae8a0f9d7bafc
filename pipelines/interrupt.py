"""Ctrl-C: once to finish with what there is, twice to leave."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Whether somebody asked to stop. Before the search there is nothing to finish with: then it raises at once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._polite = False
        self._asked = False

    def asked(self) -> bool:
        """True after the first Ctrl-C."""
        return self._asked

    @contextmanager
    def polite(self) -> Iterator[None]:
        """While the body runs the first Ctrl-C is a request, and only the second an interruption."""
        self._polite = True
        try:
            yield
        finally:
            self._polite = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler."""
        if self._asked or not self._polite:
            raise KeyboardInterrupt
        self._asked = True
        self._say("Stopping: the best model so far is finished and packaged. Ctrl-C again leaves without it.")


@contextmanager
def listening(say: Callable[[str], None]) -> Iterator[Interrupts]:
    """Takes Ctrl-C and SIGTERM for as long as the body runs, in the main thread; elsewhere nothing is taken."""
    interrupts = Interrupts(say)
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = {number: signal.signal(number, interrupts.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
