"""When a client asks again, and when it does not."""

from typing import Any

import httpx
import pytest

from records.errors import InputError, KerasmithError
from serving import async_client, client
from serving.clients import retrying
from serving.clients.retrying import Retry
from tests.serving.clients.connecting import in_turn

ERROR = b'{"error": "Too many."}'


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the clients waited; no time passes."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(client, "time", type("Time", (), {"sleep": staticmethod(waited.append)}))
    monkeypatch.setattr(async_client, "asyncio", type("Asyncio", (), {"sleep": staticmethod(sleep)}))
    return waited


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(make_client: Any, waits: list[float], status: int) -> None:
    busy = httpx.Response(status, headers={"retry-after": "2"}, content=ERROR)
    body = b'{"model": "m:1", "predictions": [{"value": 1.5}]}'
    respond, asked = in_turn(busy, busy, httpx.Response(200, content=body))
    assert make_client(respond).predict(["x"]).predictions[0].value == 1.5
    assert len(waits) == 2 and all(2 <= seconds <= 2.6 for seconds in waits) and waits[0] != waits[1]
    assert len({one.headers["x-request-id"] for one in asked}) == 1 and len({one.content for one in asked}) == 1


def test_a_server_that_stays_busy_is_told_after_some_attempts(make_client: Any, waits: list[float]) -> None:
    respond, asked = in_turn(httpx.Response(429, content=ERROR))
    with pytest.raises(InputError, match="Too many") as caught:
        make_client(respond, retry=Retry(attempts=3)).predict(["x"])
    assert caught.value.status == 429 and len(asked) == 3 and len(waits) == 2 and waits[1] > waits[0]
    respond, asked = in_turn(httpx.Response(503, headers={"retry-after": "31"}, content=ERROR))
    with pytest.raises(KerasmithError, match="Too many"):
        make_client(respond).predict(["x"])  # longer than it may take
    assert len(asked) == 1
    with pytest.raises(InputError):
        make_client(respond := in_turn(httpx.Response(422, content=ERROR))[0]).predict(["x"])
    assert len(waits) == 2


def test_a_broken_connection_is_tried_again_and_a_slow_server_is_not(make_client: Any, waits: list[float]) -> None:
    body = b'{"model": "m:1", "request_id": "r", "kept": 1}'
    for broken in (httpx.ConnectError("x"), httpx.ReadError("x"), httpx.RemoteProtocolError("x")):
        respond, asked = in_turn(broken, httpx.Response(200, content=body))
        assert make_client(respond).feedback("r", "red").kept == 1 and len(asked) == 2
    assert all(0 < seconds <= 0.1 for seconds in waits)
    respond, asked = in_turn(httpx.ReadTimeout("late"))
    with pytest.raises(KerasmithError, match="did not answer in time"):
        make_client(respond).predict(["x"])
    assert len(asked) == 1


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retrying.retry_after(" 12 ") == 12 and retrying.retry_after("0") == 0
    assert retrying.retry_after("Fri, 31 Dec 1999 23:59:59 GMT") == 0
    assert retrying.retry_after("Fri, 31 Dec 9999 23:59:59 GMT") > 1e9  # type: ignore[operator]
    for text in ("", "soon", "-1", "1.5", "٣", "inf", "Fri, 99 Dec 1999"):
        assert retrying.retry_after(text) is None, text
