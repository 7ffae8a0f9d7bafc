import asyncio
import base64
import hashlib
import re
import timeit
from typing import Any

import pytest

from records.api import ErrorResponse
from serving.bundle import ModelBundle
from serving.endpoint import Endpoint
from serving.guarding.guard import Guard
from serving.guarding.tokens import Tokens
from serving.limits import Limits
from serving.messages import Reply, Request
from serving.routes import ROUTES
from serving.served import Served

TOKEN = "a-token-of-the-test"
PREDICT, READY = ROUTES["/predict"], ROUTES["/readyz"]
ASKED = Request(id="1", method="POST", path="/predict")


class Clock:
    """A clock that the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


async def beyond(scope: Any, receive: Any, send: Any) -> None:
    """Stands for BentoML."""
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"beyond"})


@pytest.fixture
def served(bundle: ModelBundle) -> Served:
    served = Served()
    served.load(bundle, "tiny:1")
    return served


def retry_after(reply: Reply | None) -> int:
    assert reply is not None and reply.status == 429
    return int(dict(reply.headers)[b"retry-after"])


def test_so_many_are_let_in_and_no_more() -> None:
    guard = Guard(Limits(max_concurrent=3))
    assert [guard.enter() for _ in range(3)] == [None] * 3
    for _ in range(2):  # who is refused takes no place
        assert retry_after(guard.enter()) == 1
    assert retry_after(guard.refusal(PREDICT, ASKED)) == 1  # also before its body is read
    assert guard.refusal(ROUTES["/describe"], ASKED) is None  # for which the model does not work
    guard.leave(0.1)
    assert guard.refusal(PREDICT, ASKED) is None and guard.inside == 2
    assert guard.enter() is None


def test_retry_after_follows_the_pace_of_the_answers() -> None:
    clock = Clock()
    guard = Guard(Limits(max_concurrent=8), clock=clock)
    for _ in range(8):
        guard.enter()
    for _ in range(60):
        clock.now += 2.0
        guard.leave(16.0)  # it waited for seven others: the pace is one in two seconds
        assert guard.enter() is None
    assert guard.pace == pytest.approx(2.0)
    assert retry_after(guard.enter()) == 16
    for _ in range(8):
        guard.leave(16.0)
    clock.now += 1000  # idle time is not the model's
    guard.enter()
    clock.now += 2.0
    guard.leave(2.0)
    assert guard.pace < 2.1


def test_answers_in_batches_count_for_each_request() -> None:
    clock = Clock()
    guard = Guard(Limits(), clock=clock)
    for _ in range(20):
        for _ in range(4):
            guard.enter()
        clock.now += 1.0
        for _ in range(4):
            guard.leave(1.0)
    assert guard.pace == pytest.approx(0.25, rel=0.1)


def test_a_bound_on_waiting_refuses_earlier() -> None:
    clock = Clock()
    guard = Guard(Limits(max_wait_seconds=0.25), clock=clock)
    assert guard.enter() is None  # nothing is known of its pace yet
    clock.now += 0.1
    guard.leave(0.1)
    assert [guard.enter() is None for _ in range(5)] == [True, True, True, False, False]


def test_a_refusal_is_cheap() -> None:
    guard = Guard(Limits(max_concurrent=1), Tokens([TOKEN]))
    guard.enter()
    asked = Request(id="1", method="POST", path="/predict", headers={b"authorization": f"Bearer {TOKEN}".encode()})
    assert retry_after(guard.refusal(PREDICT, asked)) == 1
    assert min(timeit.repeat(lambda: guard.refusal(PREDICT, asked), number=1000, repeat=5)) / 1000 < 100e-6


def test_draining_turns_readiness_off_and_answers_go_on() -> None:
    guard = Guard(Limits())
    assert guard.refusal(READY, ASKED) is None
    guard.draining = True
    for route in (READY, *(route for path, route in ROUTES.items() if path.endswith("/ready"))):
        reply = guard.refusal(route, ASKED)
        assert reply is not None and reply.status == 503
    assert guard.refusal(PREDICT, ASKED) is None and guard.refusal(ROUTES["/livez"], ASKED) is None


def test_every_route_but_the_open_ones_asks_for_a_token(served: Served, in_process: Any) -> None:
    client = in_process(Endpoint(beyond, served, Guard(served.limits, Tokens([TOKEN]))))
    for path, route in ROUTES.items():
        status = client(route.method, path.replace("{ref}", "tiny").replace("{name}", "tiny")).status_code
        assert (status != 401) if route.open else (status == 401), path
    refused = client.get("/describe")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer" in ErrorResponse.model_validate_json(refused.content).error
    for given, status in ((f"Bearer {TOKEN}", 200), (f"Bearer {TOKEN}x", 401), (TOKEN, 401), ("Bearer", 401)):
        assert client("GET", "/describe", headers={"authorization": given}).status_code == status


def test_all_replies_have_the_security_headers(served: Served, in_process: Any) -> None:
    client = in_process(Endpoint(beyond, served))
    for method, path in (("POST", "/predict"), ("GET", "/describe"), ("GET", "/nowhere"), ("PUT", "/"), ("GET", "/")):
        headers = client(method, path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_replies_of_others_get_the_security_headers_too(served: Served) -> None:
    from serving.guarding.security import SECURITY, secured

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(beyond({}, None, secured(send)))
    assert sent[0]["status"] == 299 and set(SECURITY) <= set(sent[0]["headers"])


def test_the_page_may_run_exactly_what_stands_in_it(served: Served, in_process: Any) -> None:
    page = in_process(Endpoint(beyond, served)).get("/")
    policy = page.headers["content-security-policy"]
    inline = re.findall(r"<(style|script)>(.*?)</\1>", page.text, re.S)
    assert {name for name, _ in inline} == {"style", "script"}
    for _, text in inline:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert "unsafe" not in policy and "*" not in policy
    assert not re.search(r"<[^>]+\s(style|on\w+)=", page.text)  # the policy would stop these


def test_a_browser_of_another_site_is_not_let_in(served: Served, in_process: Any) -> None:
    client = in_process(Endpoint(beyond, served))
    headers = {
        "origin": "https://elsewhere.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    for reply in (client("OPTIONS", "/predict", headers=headers), client("GET", "/describe", headers=headers)):
        assert not [name for name in reply.headers if name.startswith("access-control")]
    assert client("OPTIONS", "/predict", headers=headers).status_code == 405
