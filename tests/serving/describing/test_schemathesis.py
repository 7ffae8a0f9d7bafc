"""Requests made from the served OpenAPI document, right ones and wrong ones: no reply is a failure of the server, and
each is as the document says.

KERASMITH_CASES: how many in the long form, of all kinds of models together.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from serving.endpoint import Endpoint
from tests.serving.kinds import KITS

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EVERY_KIND = ("image", *KITS)
SHORT_CASES = 150
"""With 60, one run in some dozens met no 422 in the wrong requests to a model of numbers."""
LONG_CASES = int(os.environ.get("KERASMITH_CASES", "5000"))
POSTS = 4
"""A route that takes a body is asked so many times more often than another."""


async def beyond(scope: Any, receive: Any, send: Any) -> None:
    """Stands for BentoML: it starts and ends."""
    assert scope["type"] == "lifespan"
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})


@pytest.fixture
def endpoint(serve_kind: Any, request: pytest.FixtureRequest) -> Iterator[Endpoint]:
    yield Endpoint(beyond, serve_kind(request.param))
    asgi.shutdown_lifespans()


def cases(schema: Any, captured: dict[str, str], mode: GenerationMode) -> st.SearchStrategy[Any]:
    """Requests to every operation: half of those with names in their address ask for the model that is there."""
    found = []
    for result in schema.get_all_operations():
        operation = result.ok()
        named = {one.name: captured[one.name] for one in operation.path_parameters}
        weight = POSTS if operation.method == "post" else 1
        ways = [operation.as_strategy(mode, path_parameters=named)] if named else []
        try:
            operation.as_strategy(mode).validate()
            ways.append(operation.as_strategy(mode))
        except Exception:  # a route that takes nothing cannot be asked in a wrong way
            assert mode is GenerationMode.NEGATIVE and operation.method == "get"
            continue
        found += [st.one_of(ways)] * weight
    assert found
    return st.one_of(found)


def ask_all(endpoint: Endpoint, mode: GenerationMode, number: int) -> None:
    served = endpoint._served
    captured = {"ref": served.ref, "name": served.name, "version": served.version}
    schema = schemathesis.openapi.from_asgi("/openapi.json", endpoint)
    told: set[int] = set()

    @settings(max_examples=number, deadline=None, database=None, suppress_health_check=list(HealthCheck),
              phases=[Phase.generate], derandomize=True)  # fmt: skip
    @given(case=cases(schema, captured, mode))
    def ask(case: Any) -> None:
        with asgi.get_client(endpoint) as client:
            response = case.call(session=client)
        case.validate_response(response, checks=CHECKS)
        if response.headers["content-type"][0].startswith("application/json"):
            response.json()
        told.add(response.status_code)

    ask()
    assert 200 in told and 422 in told


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("endpoint", EVERY_KIND, indirect=True)
def test_replies_are_as_described(endpoint: Endpoint, mode: GenerationMode) -> None:
    ask_all(endpoint, mode, SHORT_CASES)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize("endpoint", EVERY_KIND, indirect=True)
def test_thousands_of_replies_are_as_described(endpoint: Endpoint, mode: GenerationMode) -> None:
    ask_all(endpoint, mode, LONG_CASES // (2 * len(EVERY_KIND)))
