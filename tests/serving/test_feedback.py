import json
from pathlib import Path
from typing import Any

import pytest

from records.api import ErrorResponse
from records.feedback import MAX_ITEMS, FeedbackResponse
from serving.bundle import open_bundle
from serving.endpoint import Endpoint
from serving.feedback_files import FeedbackFolder, read_feedback
from serving.served import Served
from tests.serving.kinds import HORIZON, KITS, make_bundle

RIGHT: dict[str, list[Any]] = {
    "text": ["good", "a class that is new"],
    "series": ["up"],
    "table": ["yes"],
    "number": [1, 2.5, -3e9],
    "forecast": [[1, 2.5, 3][:HORIZON]],
}
WRONG: dict[str, list[Any]] = {
    "text": [1, None, True, "", "x" * 201, ["good"], {"label": "good"}],
    "series": [0, [1, 2]],
    "table": [False, 1.5],
    "number": ["1", True, None, [1], "", {}],
    "forecast": [1, [1, 2], [1, 2, 3, 4], [1, 2, None], [1, 2, "3"], [1, 2, True], [[1], 2, 3]],
}


@pytest.fixture(scope="module", params=KITS)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = make_bundle(request.param, tmp_path_factory.mktemp("feedback") / request.param)
    served = Served(feedback=FeedbackFolder(tmp_path_factory.mktemp("kept") / request.param))
    served.load(open_bundle(folder), f"{request.param}:3")
    return served


@pytest.fixture
def client(served: Served, in_process: Any) -> Any:
    return in_process(Endpoint(lambda *_: None, served))  # type: ignore[arg-type, return-value]


def test_right_answers_are_kept_and_wrong_ones_refused(client: Any, served: Served) -> None:
    assert served.feedback is not None
    right = RIGHT[served.name]
    items = [{"request_id": "one.request-1", "index": i, "truth": truth} for i, truth in enumerate(right)]
    response = client.post("/feedback", json=items, headers={"x-request-id": "telling"})
    assert response.status_code == 200, response.text
    answer = FeedbackResponse.model_validate_json(response.content)
    assert (answer.model, answer.request_id, answer.kept) == (f"{served.name}:3", "telling", len(items))
    assert answer.unknown == (["a class that is new"] if served.name == "text" else [])
    assert client.post("/feedback", json=items).status_code == 200  # as after a lost answer
    found = list(read_feedback(served.feedback.folder))
    assert [one.truth for one in found] == right and [one.index for one in found] == list(range(len(right)))
    for truth in WRONG[served.name]:
        body = {"request_id": "wrong", "truth": truth}
        for told in (body, [{"request_id": "beside", "truth": right[0]}, body]):
            response = client.post("/feedback", json=told)
            assert response.status_code == 422, truth
            where = "the feedback" if told is body else "feedback 1"
            assert f"In {where}, `truth` is" in ErrorResponse.model_validate_json(response.content).error
    assert len(list(read_feedback(served.feedback.folder))) == len(found)


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b'{"request_id": "a", "truth": NaN}', 400, "not JSON"),
        (b'{"request_id": "a", "truth": "\\ud800"}', 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"7", 422, "Not feedback: the feedback is a number"),
        (b"[null]", 422, "Not feedback: feedback 0 is null"),
        (b"[]", 422, "The list is empty"),
        (b"{}", 422, "`request_id` is wrong: Field required"),
        (b'{"request_id": "../../x", "truth": "up"}', 422, "`request_id` is wrong"),
        (b'{"request_id": "a\\n", "truth": "up"}', 422, "`request_id` is wrong"),
        (b'{"request_id": "", "truth": "up"}', 422, "`request_id` is wrong"),
        (b'{"request_id": 5, "truth": "up"}', 422, "`request_id` is wrong"),
        (b'{"request_id": "a", "index": -1, "truth": "up"}', 422, "`index` is wrong"),
        (b'{"request_id": "a", "index": true, "truth": "up"}', 422, "`index` is wrong"),
        (b'{"request_id": "a", "index": 1e300, "truth": "up"}', 422, "`index` is wrong"),
        (b'{"request_id": "a", "truth": "up", "path": "/etc/passwd"}', 422, "`path` is wrong"),
        (b'{"request_id": "a"}', 422, "`truth` is wrong: Field required"),
        (json.dumps([{"request_id": "a", "truth": "up"}] * (MAX_ITEMS + 1)).encode(), 413, "Expected at most 1000"),
        (b" " * 8_000_001, 413, "too large"),
    ],
)
def test_what_is_no_feedback_is_refused_with_a_sentence(
    tmp_path: Path, in_process: Any, body: bytes, status: int, sentence: str
) -> None:
    served = Served(feedback=FeedbackFolder(tmp_path / "kept"))
    served.load(open_bundle(make_bundle("series", tmp_path / "series")), "series:1")
    client = in_process(Endpoint(lambda *_: None, served))
    response = client.post("/feedback", content=body, headers={"content-type": "application/json"})
    assert response.status_code == status
    error = ErrorResponse.model_validate_json(response.content).error
    assert sentence in error and len(error) < 500
    assert not (tmp_path / "kept").exists()


def test_another_type_of_body_and_a_server_without_a_folder(tmp_path: Path, in_process: Any) -> None:
    served = Served()
    served.load(open_bundle(make_bundle("series", tmp_path / "series")), "series:1")
    client = in_process(Endpoint(lambda *_: None, served))
    response = client.post("/feedback", json={"request_id": "a", "truth": "up"})
    assert response.status_code == 404 and "Feedback is not kept here" in response.json()["error"]
    served.feedback = FeedbackFolder(tmp_path / "kept")
    response = client.post("/feedback", content=b"{}", headers={"content-type": "text/plain"})
    assert response.status_code == 415 and "Expected application/json" in response.json()["error"]
    served.feedback = FeedbackFolder(tmp_path / "kept", max_bytes=10)
    response = client.post("/feedback", json={"request_id": "a", "truth": "up"})
    assert response.status_code == 507
