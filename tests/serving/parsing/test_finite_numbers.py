"""No number that is none comes in, and none goes out: every kind of input, every way to write one."""

from typing import Any

import orjson
import pytest

from records.api import ErrorResponse
from serving.bundle import open_bundle
from serving.served import Served
from tests.serving.asking import answer
from tests.serving.kinds import KITS, make_bundle

NUMBER = {
    "series": b'{"inputs": [{"series": [[1, 2], [%b, 3]]}]}',
    "table": b'{"inputs": [{"row": {"age": %b, "city": "Rome"}}]}',
    "number": b'{"inputs": [{"row": {"age": %b, "city": "Rome"}}]}',
    "forecast": b'{"inputs": [{"history": [{"day": "2024-02-25", "sales": %b}, {"day": "2024-02-26", "sales": 2}]}]}',
}
"""Bodies with a place for a number, by kind. A text has none."""
NONE_AT_ALL = (b"NaN", b"Infinity", b"-Infinity", b"nan", b"1e999", b"-1e999", b"1e", b"0x10", b"+1", b".5", b"1_000")
"""What JSON does not know."""
WORDS = (b'"inf"', b'"-Infinity"', b'"1e999"', b'"soon"')
"""Strings that Python would read as numbers that are none, and one that is nothing at all."""
LARGE = (b"1e308", b"-1e308", b"3.5e38", b"1" + b"0" * 300)
"""Numbers, but the networks calculate with 32 bits."""


@pytest.fixture(scope="module", params=sorted(KITS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def served(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Served:
    served = Served()
    served.load(open_bundle(make_bundle(kind, tmp_path_factory.mktemp("finite") / kind)), f"{kind}:1")
    return served


def asked(served: Served, body: bytes) -> tuple[int, Any]:
    reply = answer(served, "application/json", b"", body)
    return reply.status, orjson.loads(reply.body)  # which refuses NaN and Infinity


def test_every_kind_with_numbers_is_here() -> None:
    assert set(NUMBER) | {"text"} == set(KITS)


def test_what_json_does_not_know_is_refused(kind: str, served: Served) -> None:
    body = NUMBER.get(kind, b'{"inputs": [{"text": "a"}], "top_k": %b}')
    for number in NONE_AT_ALL:
        status, told = asked(served, body % number)
        assert status == 400 and ErrorResponse.model_validate(told).error.startswith("The body is not JSON"), number


def test_a_string_that_is_no_finite_number_is_refused(kind: str, served: Served) -> None:
    body = NUMBER.get(kind)
    for word in WORDS if body else ():
        status, told = asked(served, body % word)
        assert status == 422, (word, told)
        ErrorResponse.model_validate(told)


def test_a_number_too_large_to_calculate_with_gets_a_finite_answer_or_422(kind: str, served: Served) -> None:
    body = NUMBER.get(kind)
    for number in LARGE if body else ():
        status, told = asked(served, body % number)
        assert status in (200, 422), (number, told)


def test_a_missing_value_is_no_wrong_number(kind: str, served: Served) -> None:
    if body := NUMBER.get(kind):
        status, told = asked(served, body % b"null")
        assert status in (200, 422), told
