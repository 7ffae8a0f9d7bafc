"""Decodes raw examples with a codec, on every core once that pays.

A decoding process is a plain child with a socket that it was born with. It ends when the socket closes, so none
outlives a killed parent, and it imports numpy and Pillow, and nothing of the caller's.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from PIL import Image

from records.errors import DataError, InputError
from serving.codecs.catalog import Codec, load_codec

CHUNK = 64
"""Examples in one piece of work."""
ALONE_SECONDS = 1.5
"""Decode in this process for so long before others are started: most small datasets are ready by then."""
QUEUED = 2
"""Pieces of work that are read ahead for each process, so that it never waits for the source."""
THUMBNAIL_SIDE = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """One chunk. `arrays` and the rest have a row for each readable example, in order; `errors` tell of the others."""

    arrays: np.ndarray
    """`<uint8>[readable, ...input_shape]`."""
    thumbnails: np.ndarray
    """`<uint8>[readable, THUMBNAIL_SIDE ** 2]`: grey, each pixel the mean of an area."""
    digests: np.ndarray
    """`<uint64>[readable, 2]`: equal for equal arrays."""
    errors: dict[int, tuple[int, str]]
    """Position in the chunk → (status, message) of an `InputError`."""


def decode(codec: Codec, raws: Sequence[Any]) -> Decoded:
    """Decodes a chunk in this process."""
    arrays, thumbnails, digests = [], [], []
    errors: dict[int, tuple[int, str]] = {}
    for position, raw in enumerate(raws):
        try:
            array = codec.encode(raw)
        except InputError as error:
            errors[position] = (error.status, str(error))
            continue
        arrays.append(array)
        thumbnails.append(_thumbnail(array))
        digests.append(hashlib.sha1(array.data, usedforsecurity=False).digest()[:16])
    return Decoded(
        arrays=np.stack(arrays) if arrays else np.empty((0, *codec.input_shape), dtype=codec.dtype),
        thumbnails=np.stack(thumbnails) if arrays else np.empty((0, THUMBNAIL_SIDE**2), dtype=np.uint8),
        digests=np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(-1, 2),
        errors=errors,
    )


def decode_all(codec: Codec, chunks: Iterator[Sequence[Any]], processes: int | None = None) -> Iterator[Decoded]:
    """Decodes chunk after chunk, in order.

    Args:
        codec: What decodes.
        chunks: Raw examples, at most `CHUNK` together.
        processes: How many may work at once; `None`: as many as there are cores. With 1 no other is started.
    """
    processes = count_cores() if processes is None else processes
    started = time.monotonic()
    for chunk in chunks:
        yield decode(codec, chunk)
        if processes > 1 and time.monotonic() - started > ALONE_SECONDS:
            break
    else:
        return
    with _workers(codec, processes) as idle, ThreadPoolExecutor(processes) as threads:
        waiting: deque[Future[Decoded]] = deque()
        try:
            for chunk in chunks:
                waiting.append(threads.submit(_ask, idle, chunk))
                if len(waiting) > processes * QUEUED:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _workers(codec: Codec, count: int) -> Iterator[SimpleQueue[Connection]]:
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    idle: SimpleQueue[Connection] = SimpleQueue()
    connections: list[Connection] = []
    children: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            ours, theirs = Pipe()
            connections.append(ours)
            # -P: a folder of the user's that is called like one of ours must not be imported instead.
            program = f"from pipelines.decode import work; work({theirs.fileno()})"
            command = [sys.executable, "-P", "-c", program]
            with theirs:
                children.append(
                    subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
                )
            ours.send(codec.to_json())
            idle.put(ours)
        yield idle
    finally:
        for connection in connections:
            connection.close()
        for child in children:
            child.terminate()
        for child in children:
            child.wait()


def _ask(idle: SimpleQueue[Connection], chunk: Sequence[Any]) -> Decoded:
    worker = idle.get()
    try:
        worker.send(list(chunk))
        return worker.recv()
    except (EOFError, OSError) as error:
        raise _died() from error
    finally:
        idle.put(worker)


def _died() -> DataError:
    return DataError(
        "A process that decodes images died, most likely for want of memory. "
        "Expected it to answer. Free some memory and run the command again."
    )


def _thumbnail(array: np.ndarray) -> np.ndarray:
    image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    small = image.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX, reducing_gap=1.0)
    return np.asarray(small.convert("L"), dtype=np.uint8).reshape(-1)


def work(descriptor: int) -> None:
    """Decodes what comes over the socket `descriptor` until it closes: the body of a decoding process."""
    with suppress(EOFError, ConnectionError, KeyboardInterrupt), Connection(descriptor) as connection:
        codec = load_codec(connection.recv())
        while True:
            connection.send(decode(codec, connection.recv()))
