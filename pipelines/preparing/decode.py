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
import zlib
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

from pipelines.cores import num_cores
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
    arrays = np.empty((len(raws), *codec.input_shape), dtype=codec.dtype)
    errors: dict[int, tuple[int, str]] = {}
    readable = 0
    for position, raw in enumerate(raws):
        try:
            arrays[readable] = codec.encode(raw)
        except InputError as error:
            errors[position] = (error.status, str(error))
            continue
        readable += 1
    arrays = arrays[:readable]
    thumbnails = _thumbnails(arrays)
    return Decoded(arrays=arrays, thumbnails=thumbnails, digests=_digests(arrays, thumbnails), errors=errors)


def decode_all(codec: Codec, chunks: Iterator[Sequence[Any]], processes: int | None = None) -> Iterator[Decoded]:
    """Decodes chunk after chunk, in order.

    Args:
        codec: What decodes.
        chunks: Raw examples, at most `CHUNK` together.
        processes: How many may work at once; `None`: as many as there are cores. With 1 no other is started.
    """
    processes = num_cores() if processes is None else processes
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


@contextmanager
def _workers(codec: Codec, count: int) -> Iterator[SimpleQueue[Connection]]:
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    idle: SimpleQueue[Connection] = SimpleQueue()
    connections: list[Connection] = []
    children: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            ours, theirs = Pipe()
            connections.append(ours)
            # -P: a folder of the user's that is called like one of ours must not be imported instead.
            program = f"from pipelines.preparing.decode import work; work({theirs.fileno()})"
            command = [sys.executable, "-P", "-c", program]
            with theirs:
                children.append(
                    subprocess.Popen(
                        command,
                        env=environment,
                        pass_fds=[theirs.fileno()],
                        stdin=subprocess.DEVNULL,
                        start_new_session=True,  # Ctrl-C is for the parent, which then ends them
                    )
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


def _thumbnails(arrays: np.ndarray) -> np.ndarray:
    """Makes all of a chunk small at once, as one tall picture: a box never reaches over the seam of two images."""
    count, height, width, channels = arrays.shape
    if not count:
        return np.empty((0, THUMBNAIL_SIDE**2), dtype=np.uint8)
    tall = arrays.reshape(count * height, width, channels)
    image = Image.fromarray(tall[:, :, 0] if channels == 1 else tall).convert("L")
    small = image.resize((THUMBNAIL_SIDE, count * THUMBNAIL_SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.uint8).reshape(count, THUMBNAIL_SIDE**2)


def _digests(arrays: np.ndarray, thumbnails: np.ndarray) -> np.ndarray:
    """A checksum of each array beside a hash of its thumbnail; one strong hash would cost a tenth of the decoding."""
    pairs = [
        (zlib.crc32(array.data), int.from_bytes(hashlib.blake2b(thumbnail.data, digest_size=8).digest()))
        for array, thumbnail in zip(arrays, thumbnails, strict=True)
    ]
    return np.array(pairs, dtype=np.uint64).reshape(-1, 2)


def work(descriptor: int) -> None:
    """Decodes what comes over the socket `descriptor` until it closes: the body of a decoding process."""
    with suppress(EOFError, ConnectionError, KeyboardInterrupt), Connection(descriptor) as connection:
        codec = load_codec(connection.recv())
        while True:
            connection.send(decode(codec, connection.recv()))
