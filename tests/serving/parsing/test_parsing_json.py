import json
import time
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from records.api import REQUESTS
from records.errors import InputError
from records.spec import InputKind
from serving.parsing.bodies import parse_request

JSON = "application/json"
KINDS = ("text", "series", "table", "forecast")


def parse(kind: str, body: Any, content_type: str = JSON, query: bytes = b"") -> Any:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return parse_request(content_type, query, content, kind, 4)


def test_texts() -> None:
    asked = parse("text", {"inputs": [{"text": "one"}, {"text": ""}], "top_k": 2})
    assert (asked.raws, asked.options.top_k) == (["one", ""], 2)


@pytest.mark.parametrize("kind", ["text/plain", "text/plain; charset=UTF-8", 'TEXT/PLAIN; charset="us-ascii"'])
def test_a_plain_body_is_one_text(kind: str) -> None:
    asked = parse("text", "\ufeffnaïve\nline".encode(), kind, b"top_k=3")
    assert (asked.raws, asked.options.top_k) == (["naïve\nline"], 3)


def test_series_have_nan_where_values_are_missing() -> None:
    flat, wide = parse("series", {"inputs": [{"series": [1, None, 2.5]}, {"series": [[1, None], [3, 4]]}]}).raws
    np.testing.assert_array_equal(flat, [1, np.nan, 2.5])
    np.testing.assert_array_equal(wide, [[1, np.nan], [3, 4]])
    assert flat.dtype == wide.dtype == np.float64


def test_rows_come_as_they_are() -> None:
    row = {"a": 1, "b": "x", "c": None, "d": True, "e": 1.5}
    assert parse("table", {"inputs": [{"row": row}, {"row": {}}]}).raws == [row, {}]


def test_forecasts_have_a_history_and_perhaps_a_future() -> None:
    rows = [{"day": "2024-01-01", "sales": 3}]
    raws = parse("forecast", {"inputs": [{"history": rows}, {"history": [], "future": rows}]}).raws
    assert raws == [{"history": rows, "future": None}, {"history": [], "future": rows}]


def one(value: Any, **more: Any) -> dict[str, Any]:
    return {"inputs": [value], **more}


REFUSED: list[tuple[str, Any, int, str]] = [
    ("text", b"{", 400, "The body is not JSON: .* Expected {"),
    ("text", b"\xff", 400, "The body is not JSON"),
    ("text", b'{"inputs": [{"text": "\\ud800"}]}', 400, "The body is not JSON"),
    ("table", b"[" * 100_000, 400, "The body is not JSON: depth limit"),
    ("table", b'{"inputs": [{"row": {"a": NaN}}]}', 400, "The body is not JSON"),
    ("table", b'{"inputs": [{"row": {"a": 1e999}}]}', 400, "The body is not JSON: number is infinity"),
    ("text", [], 422, "the body is wrong. Expected an object. Received: a list"),
    ("text", {}, 422, "inputs is wrong. Expected a list. Received: null"),
    ("text", one({"text": "a"}, colour=1), 422, "the body has unknown fields: colour"),
    ("text", {"inputs": []}, 422, "inputs is empty"),
    ("text", {"inputs": "words"}, 422, r"inputs is wrong. Expected a list. Received: a string \('words'\)"),
    ("text", one("words"), 422, "inputs.0 is wrong. Expected an object. Received: a string"),
    ("text", one({}), 422, "inputs.0 has no `text`"),
    ("text", one({"text": 7}), 422, r"inputs.0.text is wrong. Expected a string. Received: a number \(7\)"),
    ("text", one({"text": None}), 422, "inputs.0.text is wrong. Expected a string. Received: null"),
    ("text", one({"text": "a", "lang": "de"}), 422, "inputs.0 has unknown fields: lang"),
    ("text", {"inputs": [{"text": "a"}] * 5}, 413, "Too many inputs .* at most 4"),
    *[
        ("text", one({"text": "a"}, top_k=k), 422, "top_k is wrong. Expected an integer")
        for k in (0, -1, True, "2", 1.0)
    ],
    *[
        ("text", one({"text": "a"}, coverage=value), 422, "`coverage` is wrong. Expected a number from 0.5 to 0.999")
        for value in (0.4, 1, True, "0.9", [0.9], -1)
    ],
    ("table", one({"row": {}}, abstain_below=2), 422, "`abstain_below` is wrong. Expected a number from 0 to 1"),
    ("forecast", one({"history": []}, abstain_below=0.5), 422, "the body has unknown fields: abstain_below"),
    ("series", one({"series": 7}), 422, "inputs.0.series is wrong. Expected a list. Received: a number"),
    ("series", one({"series": [1, "2"]}), 422, r"series.1 is wrong. Expected a number or null. Received: a string"),
    (
        "series",
        one({"series": [1, True]}),
        422,
        "series.1 is wrong. Expected a number or null. Received: true or false",
    ),
    ("series", one({"series": [1, [2]]}), 422, "series.1 is wrong. Expected a number or null. Received: a list"),
    ("series", one({"series": [[1], 2]}), 422, "series.1 is wrong. Expected a list, as the first step is"),
    ("series", one({"series": [[1, 2], [3]]}), 422, "at step 1 than at its first. Expected 2, .* Received: 1"),
    ("series", one({"series": [[1, [2]]]}), 422, "series.0.1 is wrong. Expected a number or null. Received: a list"),
    ("table", one({"row": [1]}), 422, "inputs.0.row is wrong. Expected an object. Received: a list"),
    ("table", one({"row": {"a": {}}}), 422, "inputs.0.row.a is wrong. Expected a number, a string, .* an object"),
    ("table", one({"row": {"x" * 500: [1]}}), 422, "a number, a string, true, false or null. Received: a list"),
    ("table", one({"age": 7}), 422, "inputs.0 has no `row`"),
    ("forecast", one({"history": [1]}), 422, "inputs.0.history.0 is wrong. Expected an object"),
    ("forecast", one({"history": [{"a": [1]}]}), 422, "inputs.0.history.0.a is wrong"),
    ("forecast", one({"history": [], "future": 7}), 422, "inputs.0.future is wrong. Expected a list of rows or null"),
    ("forecast", one({"history": [], "future": [[]]}), 422, "inputs.0.future.0 is wrong"),
    ("forecast", one({"history": []}, top_k=1), 422, "the body has unknown fields: top_k"),
    ("forecast", one({"series": []}), 422, "inputs.0 has no `history`"),
]


@pytest.mark.parametrize(("kind", "body", "status", "message"), REFUSED)
def test_what_is_not_a_request_is_refused_with_a_sentence(kind: str, body: Any, status: int, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse(kind, body)
    assert caught.value.status == status
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("content_type", "body", "status", "message"),
    [
        ("text/plain; charset=latin-1", b"x", 415, "Expected charset=utf-8. Received: 'latin-1'"),
        ("text/plain; charset=rot13", b"x", 415, "Expected charset=utf-8"),
        ("text/plain; charset=" + "x" * 900, b"x", 415, "Expected charset=utf-8"),
        ("text/plain", b"a\xff", 400, "The body is not UTF-8 text: byte 1 cannot be read"),
        ("text/plain", b"", 400, "The body is empty. Expected a text as the body"),
    ],
)
def test_plain_bodies_that_are_no_text_are_refused(content_type: str, body: bytes, status: int, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse("text", body, content_type)
    assert caught.value.status == status


CELLS = st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(-1e9, 1e9), st.text(max_size=3))
SHARES = st.sampled_from([0, 0.0, 0.5, 0.499, 0.9, 0.999, 0.9991, 1, 1.0, 1.5])
VALUES = st.recursive(CELLS, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
STEPS = st.lists(st.one_of(CELLS, st.lists(CELLS, max_size=2)), max_size=3)
ROWS = st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2)
FIELDS = st.sampled_from(["text", "series", "row", "history", "future", "surprise"])
INPUTS = st.one_of(
    VALUES, st.dictionaries(FIELDS, st.one_of(VALUES, ROWS, st.lists(ROWS, max_size=2)), min_size=1, max_size=2)
)
OPTIONS = {"top_k": CELLS, "coverage": CELLS | SHARES, "abstain_below": CELLS | SHARES}
BODIES = st.one_of(
    VALUES,
    st.fixed_dictionaries({"inputs": st.lists(INPUTS, max_size=2)}, optional=OPTIONS),
    *[st.fixed_dictionaries({"inputs": st.lists(st.fixed_dictionaries({name: values}), min_size=1, max_size=2)})
      for name, values in (("text", CELLS), ("series", STEPS), ("row", ROWS), ("history", st.lists(ROWS, max_size=2)))],
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@given(body=BODIES)
@example(body={"inputs": [{"series": [[1.0, 2.0], None]}]})
def test_the_checks_take_what_the_schema_takes(kind: str, body: Any) -> None:
    content = json.dumps(body).encode()
    try:
        REQUESTS[InputKind(kind)].model_validate_json(content, strict=True)
        schema_takes = True
    except ValidationError:
        schema_takes = False
    try:
        parse(kind, content)
    except InputError as error:
        # steps of unequal form are lists of numbers to the schema, and no series
        assert not schema_takes or (kind == "series" and "series" in str(error))
    else:
        assert schema_takes


def test_a_thousand_rows_are_read_in_milliseconds() -> None:
    row = {f"column {i}": i / 7 if i % 3 else f"word {i}" for i in range(20)}
    body = orjson.dumps({"inputs": [{"row": row}] * 1000})
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        assert len(parse_request(JSON, b"", body, "table").raws) == 1000
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.02
