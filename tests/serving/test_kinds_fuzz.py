"""No request makes a server fail, whatever it takes."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records.api import ErrorResponse, PredictResponse
from serving.bundle import open_bundle
from serving.served import Served
from tests.serving.asking import answer
from tests.serving.kinds import KITS, make_bundle

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -0.0, 1e308, -1e308, 1e-320, 2**53 + 1, 10**18]),
)
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["nan", "inf", "-Infinity", "1e999", "NA", "", " ", "2024-02-01", "9999-12-31", "0001-01-01", "١٢"]
    ),
)
CELLS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
ROWS = st.dictionaries(st.sampled_from(["age", "city", "day", "sales", "shop", "answer", ""]), CELLS, max_size=4)
DAYS = st.builds(
    lambda days, values: [{"day": f"2024-01-{day + 1:02}", "sales": x} for day, x in zip(days, values, strict=False)],
    st.one_of(st.just(range(28)), st.lists(st.integers(0, 27))),
    st.lists(st.one_of(st.none(), NUMBERS, TEXTS), max_size=12),
)
HISTORIES = st.one_of(DAYS, st.lists(ROWS, max_size=5))
INPUTS: dict[str, Any] = {
    "text": st.fixed_dictionaries({"text": st.text(max_size=300)}),
    "series": st.fixed_dictionaries(
        {"series": st.lists(st.lists(st.one_of(st.none(), NUMBERS), min_size=2, max_size=2), max_size=9)}
    ),
    "table": st.fixed_dictionaries({"row": ROWS}),
    "number": st.fixed_dictionaries({"row": ROWS}),
    "forecast": st.fixed_dictionaries({"history": HISTORIES}, optional={"future": st.one_of(st.none(), HISTORIES)}),
}


@pytest.fixture(scope="module", params=KITS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder: Path = make_bundle(request.param, tmp_path_factory.mktemp("fuzz") / request.param)
    served = Served()
    served.load(open_bundle(folder), request.param)
    return served


@FUZZ
@given(data=st.data())
def test_no_request_makes_the_server_fail(served: Served, data: Any) -> None:
    inputs = data.draw(st.lists(INPUTS[served.ref], min_size=1, max_size=3))
    reply = answer(served, "application/json", b"", orjson.dumps({"inputs": inputs}))
    if reply.status == 200:
        assert len(PredictResponse.model_validate_json(reply.body).predictions) == len(inputs)
    else:
        assert 400 <= reply.status < 500, reply.body
        assert len(ErrorResponse.model_validate_json(reply.body).error) < 1000
