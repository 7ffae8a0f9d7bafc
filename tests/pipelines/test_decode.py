"""Decoding in one process and in several."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from pipelines.preparing import decode
from pipelines.preparing.decode import Decoded, decode_all
from records.errors import DataError
from serving.codecs.image import ImageCodec
from tests.pictures import as_jpeg, picture

CODEC = ImageCodec(height=11, width=13, channels=3)


def chunks(count: int, size: int = 3) -> Iterator[list[object]]:
    for number in range(count):
        yield [as_jpeg(picture(number * size + i)) for i in range(size)]


def decoders() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if any("pipelines.preparing.decode" in part for part in child.cmdline())]


def same(one: Decoded, other: Decoded) -> bool:
    return (
        np.array_equal(one.arrays, other.arrays)
        and np.array_equal(one.digests, other.digests)
        and np.array_equal(one.thumbnails, other.thumbnails)
        and one.errors == other.errors
    )


def test_rows_are_the_readable_examples_in_order() -> None:
    raws = [picture(0), b"not an image", picture(1), Path("nowhere.png")]
    decoded = decode.decode(CODEC, raws)
    assert decoded.arrays.shape == (2, 11, 13, 3) and decoded.thumbnails.shape == (2, 256)
    np.testing.assert_array_equal(decoded.arrays[1], CODEC.encode(picture(1)))
    assert decoded.errors.keys() == {1, 3} and decoded.errors[1][0] == 422
    assert decode.decode(CODEC, [b""]).arrays.shape == (0, 11, 13, 3)


def test_equal_arrays_have_equal_digests() -> None:
    other = picture(0).copy()
    other[0, 0, 0] ^= 1
    codec = ImageCodec(height=40, width=50, channels=3)
    digests = decode.decode(codec, [picture(0), other, picture(0)]).digests
    assert (digests[0] == digests[2]).all() and (digests[0] != digests[1]).any()


def test_several_processes_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = list(decode_all(CODEC, chunks(9), processes=1))
    monkeypatch.setattr(decode, "ALONE_SECONDS", 0.0)
    together = list(decode_all(CODEC, chunks(9), processes=2))
    assert len(alone) == len(together) == 9
    assert all(map(same, alone, together))
    assert not decoders()


def test_stopping_early_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "ALONE_SECONDS", 0.0)
    results = decode_all(CODEC, chunks(50), processes=2)
    for _ in range(3):
        next(results)
    assert len(decoders()) == 2
    results.close()  # type: ignore[attr-defined]
    assert not decoders()


def test_killed_decoder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "ALONE_SECONDS", 0.0)
    results = decode_all(CODEC, chunks(200), processes=2)
    next(results), next(results)
    for child in decoders():
        child.kill()
    with pytest.raises(DataError, match="process that decodes images died, most likely for want of memory"):
        list(results)
    assert not decoders()


def test_no_decoder_outlives_a_killed_parent() -> None:
    program = textwrap.dedent("""
        import psutil, time
        from pipelines.preparing import decode
        from serving.codecs.image import ImageCodec
        import numpy as np
        decode.ALONE_SECONDS = 0.0
        codec = ImageCodec(height=8, width=8, channels=3)
        results = decode.decode_all(codec, ([np.zeros((9, 9, 3), np.uint8)] for _ in range(99)), processes=2)
        next(results), next(results)
        print(*(child.pid for child in psutil.Process().children()), flush=True)
        time.sleep(60)
    """)
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen([sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        os.kill(parent.pid, signal.SIGKILL)
    until = time.monotonic() + 20
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in children):
        assert time.monotonic() < until, "a decoding process still runs"
        time.sleep(0.05)
