"""How an engine is best used on this machine: measured when a worker loads its model, then decided."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import TypedDict

import numpy as np

from serving.batching import Batching, EngineSettings
from serving.bundle import ModelBundle
from serving.engines import ENGINES, Engine
from serving.settings import num_workers

logger = logging.getLogger("kerasmith.serving")

SIZES = (1, 8, 32)
MOST_SECONDS = 0.8
"""For all measuring; what would take longer is not measured, and then not used."""
SECONDS_A_SIZE = 0.03
NUM_RUNS = 20
THREADS_PAY = 0.8
"""Several threads are taken for a batch when one example then takes at most this part of its time on one thread. They
cost throughput: beside each other, two requests on one thread each are faster than one after the other on two."""
BATCHES_PAY = 0.9
"""A larger batch is formed when an example in it takes at most this part of its time in the next smaller one."""
HANDING_SECONDS = 50e-6
"""What handing a request to another thread and its answer back costs; a batch must save more for each example."""
THREADS_SAVE_SECONDS = 50e-6
"""And several threads must save so much: below it, a measurement is mostly noise."""
MOST_REQUESTS = 64
"""That are worked on at once. More gain nothing: Python runs one at a time, only networks and decoders beside it."""
THREADS_TRIED = 4
"""Beside one thread and all cores; more than these seldom help a single example."""
SAME_ANSWER = 1e-5
EXPRESS_SECONDS = 2e-3
"""One example takes no longer: then handing Python's lock to a thread of each request costs a good part of it."""
INLINE_SECONDS = 1e-3
"""The event loop is never held longer by the network: a fifth of what any thread of Python may hold it."""
PYTHON_SECONDS = 4e-4
"""Of a small request that are spent in Python. A network that takes so long keeps up with the event loop alone."""
COMPANY_COSTS = 1.05
"""An example may take so much longer in a batch that the event loop's threads form: each batch saves a change of
threads."""


class Express(TypedDict):
    """A part of `EngineSettings`."""

    express_lanes: int
    express_batch: int
    inline: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """One measurement of an engine."""

    threads: int
    batch: int
    """Examples."""
    seconds: float
    """For the whole batch."""


def tuned(bundle: ModelBundle, cores: int | None = None) -> ModelBundle:
    """The same bundle, whose engine takes the threads and forms the batches that pay here. Closes the one given.

    Args:
        bundle: Just opened, on one thread.
        cores: For this process; `None`: its share of the machine.
    """
    began = time.perf_counter()
    kind = ENGINES[bundle.engine_name]
    cores = cores or share_of_cores()
    full = bundle.encoded_sample()
    one = bundle.codec.collate([full])
    engine = bundle.engine
    timings = measure(engine, one, 1, began + MOST_SECONDS)
    if kind.threaded:
        for threads in threads_to_try(cores):
            if time.perf_counter() + 5 * timings[0].seconds < began + MOST_SECONDS:
                engine.close()  # two loaded networks would need the memory of both
                engine = kind.load(bundle.folder, threads)
                timings += measure(engine, one, threads, began + MOST_SECONDS)
    settings = decide(timings, cores, kind.parallel)
    if kind.threaded:  # also without the memory that large batches were given
        engine.close()
        engine = kind.load(bundle.folder, settings.threads)
        engine.run(one)
    if max(settings.largest_batch, settings.express_batch) > 1 and not company_changes_nothing(engine, one):
        settings = decide([timing for timing in timings if timing.batch == 1], cores, kind.parallel)
    if settings.largest_batch > 1 and not padding_changes_nothing(engine, full[None], one):
        settings = replace(settings, max_padding=1.0)
    give_back_memory()
    taken = time.perf_counter() - began
    logger.info("%s on %d cores, measured in %.2f s: %s", bundle.engine_name, cores, taken, settings)
    return replace(bundle, engine=engine, batching=Batching(engine, bundle.codec.collate, settings))


def give_back_memory() -> None:
    """Hands what is free to the system, where glibc is: after measuring, 10 to 40 MB of a worker."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # no such function, or no such way to find it
        ctypes.CDLL(None).malloc_trim(0)


def share_of_cores() -> int:
    """Processor cores that this worker may count on, at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // num_workers())


def threads_to_try(cores: int) -> tuple[int, ...]:
    """Beside one."""
    return tuple(sorted({min(THREADS_TRIED, cores), cores} - {1}))


def measure(engine: Engine, one: np.ndarray, threads: int, until: float) -> list[Timing]:
    """The engine's time for one example, and for batches of it while there is time; the least of several runs each,
    since whatever else the machine does can only add to it.

    Args:
        engine: On `threads` threads.
        one: `[1, ...]`, an example.
        threads: Noted in the result.
        until: Of `time.perf_counter`; only the single example is measured after it.
    """
    timings: list[Timing] = []
    for size in SIZES:
        if timings and time.perf_counter() + 2.5 * timings[-1].seconds * size / timings[-1].batch > until:
            break
        batch = np.repeat(one, size, axis=0)
        engine.run(batch)  # the first run of a shape makes room for it
        seconds: list[float] = []
        while len(seconds) < NUM_RUNS and (not seconds or sum(seconds) < SECONDS_A_SIZE):
            began = time.perf_counter()
            engine.run(batch)
            seconds.append(time.perf_counter() - began)
        timings.append(Timing(threads, size, min(seconds)))
    return timings


def decide(timings: Sequence[Timing], cores: int, parallel: bool = True) -> EngineSettings:
    """What pays, by these measurements.

    Args:
        timings: One example on one thread among them, and of every number of threads one example.
        cores: That this process may count on.
        parallel: Whether the engine runs several batches at once.
    """
    single = {timing.threads: timing.seconds for timing in timings if timing.batch == 1}
    most = min(THREADS_PAY * single[1], single[1] - THREADS_SAVE_SECONDS)
    enough = [threads for threads, seconds in single.items() if seconds <= most]
    best = min((single[threads] for threads in enough), default=single[1])
    threads = min((threads for threads in enough if single[threads] <= best / BATCHES_PAY), default=1)
    largest, each = 1, single[threads]
    for timing in sorted((one for one in timings if one.threads == threads), key=lambda one: one.batch):
        now = timing.seconds / timing.batch
        if now <= BATCHES_PAY * each and single[threads] - now >= HANDING_SECONDS:
            largest, each = timing.batch, now
    lanes = max(1, cores // threads) if parallel else 1
    if largest > 1:
        requests = min(MOST_REQUESTS, lanes * (1 + largest))
    elif parallel:
        lanes = requests = (
            lanes + 1
        )  # while one waits for Python, another's batch has the core; nobody waits for a lane
    else:
        requests = 2  # one is read and decoded while the other's batch runs
    padding = 1 + (single[threads] / each - 1) / 2  # padding may eat half of what a batch saves
    settings = EngineSettings(
        threads=threads, lanes=lanes, largest_batch=largest, max_padding=round(padding, 3), requests=requests
    )
    return replace(settings, **_express([one for one in timings if one.threads == threads], cores // threads, parallel))


def _express(timings: Sequence[Timing], lanes: int, parallel: bool) -> Express:
    """How the event loop asks the network, by what it takes on the chosen number of threads."""
    seconds = {timing.batch: timing.seconds / timing.batch for timing in timings}
    if seconds[1] > EXPRESS_SECONDS:
        return {"express_lanes": 0, "express_batch": 1, "inline": False}
    enough = round(seconds[1] / PYTHON_SECONDS)
    return {
        "express_lanes": max(1, min(enough, lanes)) if parallel else 1,
        # the smallest: a larger one changes threads hardly less often, and waits longer for what it needs
        "express_batch": next((size for size in SIZES[1:] if seconds.get(size, inf) <= COMPANY_COSTS * seconds[1]), 1),
        "inline": seconds[1] <= INLINE_SECONDS,
    }


def company_changes_nothing(engine: Engine, one: np.ndarray) -> bool:
    """Whether an example `[1, ...]` gets the same answer beside another one: a network may look at its whole batch."""
    return _same(engine.run(one)[0], engine.run(np.concatenate([one, np.zeros_like(one)]))[0][:1])


def padding_changes_nothing(engine: Engine, full: np.ndarray, one: np.ndarray) -> bool:
    """Whether an example gets the same answer with a quarter more of padding, or all of it where that is less.

    Args:
        engine: To ask.
        full: `[1, ...]` with all padding.
        one: The same without.
    """
    if full.shape == one.shape:
        return True
    length = one.shape[1]
    return _same(engine.run(one)[0], engine.run(full[:, : length + max(1, length // 4)])[0])


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    largest = SAME_ANSWER * max(1.0, float(np.abs(first).max()))
    return first.shape == second.shape and bool(np.abs(first - second).max() <= largest)
