"""How fast a body must come. The rest of its limits is tested with the endpoint."""

import asyncio
import time
from typing import Any

import pytest

from records.errors import InputError
from serving.guarding.body import BodyReader
from serving.limits import Limits

LIMITS = Limits(patient_seconds=0.3, slowest_bytes_per_second=1000, body_seconds=3.0)


def send(pieces: list[bytes], pause_seconds: float) -> tuple[Any, float]:
    """What becomes of a body in these pieces, and the seconds it took."""
    queue = list(pieces)

    async def receive() -> Any:
        await asyncio.sleep(pause_seconds)
        return {"type": "http.request", "body": queue.pop(0), "more_body": bool(queue)}

    began = time.monotonic()
    try:
        told: Any = asyncio.run(BodyReader(LIMITS).read({}, receive))
    except InputError as error:
        told = error
    return told, time.monotonic() - began


def test_a_byte_now_and_then_does_not_keep_a_request_open() -> None:
    told, seconds = send([b"x"] * 100, 0.05)
    assert told.status == 408 and "Expected 1000 bytes a second after the first 0.3 seconds" in str(told)
    assert seconds < 1.0


def test_a_steady_body_may_take_longer_than_the_first_seconds() -> None:
    told, seconds = send([b"x" * 1000] * 8, 0.1)
    assert told == b"x" * 8000 and seconds > 0.7


def test_a_body_that_stops_in_the_middle_is_given_up() -> None:
    told, seconds = send([b"x" * 1000, b"x" * 10, *[b"x"] * 100], 0.2)
    assert told.status == 408 and seconds < 2.0


@pytest.mark.parametrize("length", [1_000_000, 10])
def test_however_large_a_body_is_it_has_its_end(length: int) -> None:
    told, seconds = send([b"x" * length] * 50, 0.1)
    assert told.status == 408 and "all of it within 3 seconds" in str(told)
    assert seconds < 3.7
