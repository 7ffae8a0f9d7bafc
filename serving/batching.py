"""Requests that wait for the network go through it together. Whoever finds it free does not wait at all.

A thread that finds a free lane runs its own inputs at once. One that finds none waits in a queue; the lane that becomes
free next is handed to the first of the queue, which takes along all that wait by then and fit: up to the largest batch
that pays, and of similar length. So batches form only when there is something to join, and no timer is needed
(combining: Hendler, Incze, Shavit and Tzafrir 2010, "Flat combining and the synchronization-parallelism tradeoff").
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from threading import Lock

import numpy as np

from records.errors import BundleError
from serving.engines import Engine
from serving.working import Outputs

logger = logging.getLogger("kerasmith.serving")

Collate = Callable[[Sequence[np.ndarray]], np.ndarray]


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """How an engine is used on this machine. `serving.tuning` measures and decides it."""

    threads: int = 1
    """That one batch takes."""
    lanes: int = 1
    """Batches that run at once."""
    largest_batch: int = 1
    """Examples of several requests that are joined; 1: nothing is joined."""
    max_padding: float = 1.0
    """Inputs of different length are joined while the batch with its padding has at most so many times their steps."""
    requests: int = 2
    """That are worked on at once: so many that a batch can form while others run."""
    express_lanes: int = 0
    """Threads that run the network for the event loop, see `serving.express`; 0: it takes so long that each request
    has a thread of its own."""
    express_batch: int = 1
    """Examples that one of them takes together."""
    inline: bool = False
    """Whether the network is so quick that it may run on the event loop while nothing else is asked."""

    def told(self) -> dict[str, float]:
        """As `/describe` shows it."""
        return asdict(self)


class _Waiting:
    """The inputs of one request. `gate` is locked until it has its answer, or a lane."""

    __slots__ = ("arrays", "batch", "error", "gate", "outputs", "since")

    def __init__(self, arrays: Sequence[np.ndarray], batch: np.ndarray) -> None:
        self.arrays = arrays
        self.batch = batch
        self.gate: Lock | None = None
        self.since = 0.0
        self.outputs: Outputs | None = None
        self.error: Exception | None = None

    @property
    def length(self) -> int:
        """Of the longest input: the network's work for a text or a series grows with it."""
        return self.batch.shape[1] if self.batch.ndim > 1 else 1

    @property
    def answered(self) -> bool:
        return self.outputs is not None or self.error is not None

    def result(self) -> Outputs:
        if self.error is not None:
            raise self.error
        assert self.outputs is not None
        return self.outputs


class Batching:
    """The network of one worker, asked by several threads. What one of them sends never reaches another."""

    def __init__(self, engine: Engine, collate: Collate, settings: EngineSettings) -> None:
        self.settings = settings
        self.listener: Callable[[int, float], None] | None = None
        """Called for each batch, from the thread that runs it: examples, and the seconds that the oldest waited."""
        self._engine = engine
        self._collate = collate
        self._lock = Lock()
        self._free = settings.lanes
        self._queue: deque[_Waiting] = deque()  # empty while a lane is free

    @property
    def waiting(self) -> int:
        """Requests that wait for the network now."""
        return len(self._queue)

    def run(self, arrays: Sequence[np.ndarray], since: float = 0.0) -> Outputs:
        """Predictions and embeddings of encoded inputs, in their order.

        Args:
            arrays: One or more.
            since: Of `time.perf_counter`: when the oldest of them began to wait; 0: they did not.

        Raises:
            Exception: What the engine raises for these inputs alone.
        """
        mine = _Waiting(arrays, self._collate(arrays))
        mine.since = since
        with self._lock:
            if self._free:
                self._free -= 1
            else:
                mine.gate = Lock()
                mine.gate.acquire()
                mine.since = since or time.perf_counter()
                self._queue.append(mine)
        if mine.gate is not None:
            mine.gate.acquire()
            if mine.answered:
                return mine.result()
        try:
            others = self._take_along(mine) if mine.gate is not None else []
            if self.listener is not None:
                size = len(mine.arrays) + sum(len(other.arrays) for other in others)
                self.listener(size, time.perf_counter() - mine.since if mine.since else 0.0)
            if not others:
                return self._engine.run(mine.batch)
            self._run_together([mine, *others])
            return mine.result()
        finally:
            self._hand_on()

    def _hand_on(self) -> None:
        """Gives this thread's lane to the first that waits."""
        with self._lock:
            if not self._queue:
                self._free += 1
                return
            gate = self._queue.popleft().gate
        assert gate is not None
        gate.release()

    def _take_along(self, mine: _Waiting) -> list[_Waiting]:
        """Those of the queue that go through the network with `mine`, oldest first."""
        most, padding = self.settings.largest_batch, self.settings.max_padding
        size, longest = len(mine.arrays), mine.length
        steps = size * longest
        taken: list[_Waiting] = []
        with self._lock:
            left: deque[_Waiting] = deque()
            for other in self._queue:
                count, length = len(other.arrays), other.length
                padded = (size + count) * max(longest, length)
                if size + count <= most and padded <= padding * (steps + count * length):
                    taken.append(other)
                    size, longest, steps = size + count, max(longest, length), steps + count * length
                else:
                    left.append(other)
            self._queue = left
        return taken

    def _run_together(self, group: list[_Waiting]) -> None:
        """Fills in the outputs or the error of each, and wakes all but the first, whose thread this is."""
        try:
            try:
                outputs, embeddings = self._engine.run(self._joined(group))
                if not len(outputs) == len(embeddings) == sum(len(one.arrays) for one in group):
                    raise BundleError("The network gave another number of answers than it got inputs.")
            except Exception as error:  # one input of one request can make the engine fail: nobody else shall know
                logger.warning("A batch of %d requests failed, each is run alone: %s", len(group), error)
                for one in group:
                    self._run_alone(one)
                return
            start = 0
            for one in group:
                part = slice(start, start + len(one.arrays))
                one.outputs, start = (outputs[part], embeddings[part]), part.stop
        finally:
            for one in group[1:]:
                if not one.answered:
                    one.error = BundleError("The network was stopped before it answered.")
                assert one.gate is not None
                one.gate.release()

    def _run_alone(self, one: _Waiting) -> None:
        try:
            one.outputs = self._engine.run(one.batch)
        except Exception as error:
            one.error = error

    def _joined(self, group: list[_Waiting]) -> np.ndarray:
        if all(one.batch.shape[1:] == group[0].batch.shape[1:] for one in group):
            return np.concatenate([one.batch for one in group])
        return self._collate([array for one in group for array in one.arrays])
