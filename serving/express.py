"""The network of a worker, asked from the event loop: for networks so quick that a thread for each request would cost
more than they do.

Python runs in one thread at a time. With a thread for each request, most of a small request's time is spent on handing
Python's lock around: 1,300 requests a second where one thread does all of Python's part, and another only runs the
network on whatever waits by then, reaches 2,300 (two cores, a network of 0.2 ms).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from queue import SimpleQueue

import numpy as np

from records.errors import BundleError
from serving.batching import Batching
from serving.working import Outputs

logger = logging.getLogger("kerasmith.serving")


class _Asked:
    """Encoded inputs of one request, and who waits for their outputs."""

    __slots__ = ("arrays", "error", "future", "outputs", "since")

    def __init__(self, arrays: Sequence[np.ndarray], future: asyncio.Future[Outputs]) -> None:
        self.arrays = arrays
        self.future = future
        self.since = time.perf_counter()
        self.outputs: Outputs | None = None
        self.error: Exception | None = None


class Express:
    """Threads that run the network on what the event loop puts there. They end with the process."""

    def __init__(self, batching: Batching) -> None:
        """Starts no thread yet.

        Args:
            batching: The network. It may be asked by others too.
        """
        self.batching = batching
        self._settings = batching.settings
        self._queue: SimpleQueue[list[_Asked]] = SimpleQueue()
        self._next: list[_Asked] = []
        """What came since the event loop last looked around."""
        self._num_threads = 0

    def run(self, arrays: Sequence[np.ndarray]) -> asyncio.Future[Outputs]:
        """The network's outputs for encoded inputs; to be awaited in the event loop that asks."""
        loop = asyncio.get_running_loop()
        one = _Asked(arrays, loop.create_future())
        group = self._next
        if group and not self._fits(one, group):
            self._send()
            group = self._next
        group.append(one)
        if sum(len(other.arrays) for other in group) >= self._settings.express_batch:
            self._send()
        elif len(group) == 1:
            loop.call_soon(self._send_what_is_there, group)
        return one.future

    def _fits(self, one: _Asked, group: list[_Asked]) -> bool:
        """Whether it goes through the network with them: it has the same shape, and there is room."""
        size = sum(len(other.arrays) for other in group) + len(one.arrays)
        return size <= self._settings.express_batch and one.arrays[0].shape == group[0].arrays[0].shape

    def _send_what_is_there(self, group: list[_Asked]) -> None:
        """At the end of a turn of the event loop, in which all who had sent a request came in."""
        if group is self._next:
            self._send()

    def _send(self) -> None:
        while self._num_threads < self._settings.express_lanes:
            self._num_threads += 1
            threading.Thread(target=self._work, name=f"express-{self._num_threads}", daemon=True).start()
        group, self._next = self._next, []
        self._queue.put(group)

    def _work(self) -> None:
        while True:
            group = self._queue.get()
            self._answer(group)
            try:
                group[0].future.get_loop().call_soon_threadsafe(_settle, group)
            except RuntimeError:  # the loop was closed: nobody waits any more
                return
            del group  # nothing of a request is kept until the next one

    def _answer(self, group: list[_Asked]) -> None:
        """Fills in the outputs or the error of each."""
        try:
            arrays = [array for one in group for array in one.arrays]
            outputs, embeddings = self.batching.run(arrays, group[0].since)
            if not len(outputs) == len(embeddings) == len(arrays):
                raise BundleError("The network gave another number of answers than it got inputs.")
        except Exception as error:
            if len(group) == 1:
                group[0].error = error
                return
            # one input of one request can make the engine fail: nobody else shall know
            logger.warning("A batch of %d requests failed, each is run alone: %s", len(group), error)
            for one in group:
                self._answer([one])
            return
        start = 0
        for one in group:
            part = slice(start, start + len(one.arrays))
            one.outputs, start = (outputs[part], embeddings[part]), part.stop


def _settle(group: list[_Asked]) -> None:
    for one in group:
        if one.future.done():  # cancelled
            continue
        if one.error is not None:
            one.future.set_exception(one.error)
        elif one.outputs is not None:
            one.future.set_result(one.outputs)
