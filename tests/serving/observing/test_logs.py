import json
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

from serving.bundle import ModelBundle
from serving.endpoint import Endpoint
from serving.limits import Limits
from serving.observing.logs import LOGGER, RequestLog, set_up
from serving.observing.observer import Observer
from serving.served import Served

SECRET = "a-secret-of-the-client"


@pytest.fixture
def served(bundle: ModelBundle) -> Served:
    served = Served(limits=Limits(max_inputs=3))
    served.load(bundle, "tiny:1")
    return served


@pytest.fixture
def own_logger() -> Iterator[None]:
    logger = logging.getLogger(LOGGER)
    before = logger.handlers, logger.level, logger.propagate
    yield
    logger.handlers, logger.level, logger.propagate = before


class Written:
    """What a log wrote into a pipe."""

    def __init__(self) -> None:
        self._read, self.end = os.pipe()

    def lines(self) -> list[dict[str, Any]]:
        os.close(self.end)
        with os.fdopen(self._read) as file:
            return [json.loads(line) for line in file]


@pytest.fixture
def written() -> Written:
    return Written()


def test_each_request_is_one_line_without_what_was_sent(
    served: Served, written: Written, picture: Any, in_process: Any
) -> None:
    client = in_process(Endpoint(None, served, observer=Observer(log=RequestLog(served, written.end))))  # type: ignore[arg-type]
    image = {"content-type": "image/png", "x-request-id": "mine-1", "authorization": f"Bearer {SECRET}"}
    content = picture()
    answer = client.post("/predict?top_k=2", content=content, headers=image)
    client.post("/predict", files=[("image", content)] * 2)
    client.post("/predict?top_k=" + SECRET, content=content, headers=image)
    client.post("/predict", content=SECRET, headers={"content-type": SECRET})
    client.post("/predict", content='{"' + SECRET, headers={"content-type": "application/json"})
    client.get("/" + SECRET)
    client("X" * 99, "/describe")
    client.get("/livez")
    client.get("/readyz")
    lines = written.lines()
    assert len(lines) == 7  # probes that are well are left out
    first = lines[0]
    assert first.pop("time").endswith("Z") and first.pop("milliseconds") > 0
    assert first == {
        "level": "info",
        "request_id": "mine-1",
        "method": "POST",
        "route": "/predict",
        "status": 200,
        "bytes_in": len(content),
        "bytes_out": len(answer.content),
        "inputs": 1,
        "model": "tiny:1",
    }
    assert lines[1]["inputs"] == 2 and len(lines[1]["request_id"]) == 32
    assert [(line["status"], line["reason"]) for line in lines[2:]] == [
        (422, "input"),
        (415, "content_type"),
        (400, "malformed"),
        (404, "address"),
        (405, "method"),
    ]
    assert lines[5]["route"] == "other" and len(lines[6]["method"]) == 10
    assert SECRET not in json.dumps(lines)


class Failing:
    def run(self, batch: Any) -> Any:
        raise ValueError(f"could not read {SECRET}")

    def close(self) -> None: ...


@pytest.mark.parametrize("as_json", [False, True])
def test_an_error_is_told_with_its_request_and_its_place_but_not_with_its_text(
    served: Served,
    picture: Any,
    in_process: Any,
    own_logger: None,
    capsys: pytest.CaptureFixture[str],
    as_json: bool,
) -> None:
    set_up(as_json)
    bundle = served.bundle
    assert bundle is not None
    served.load(ModelBundle(bundle.folder, bundle.manifest, bundle.codec, Failing()), "tiny:1")
    client = in_process(Endpoint(None, served))  # type: ignore[arg-type]
    reply = client.post("/predict", content=picture(), headers={"content-type": "image/png", "x-request-id": "mine-2"})
    assert reply.status_code == 500
    err = capsys.readouterr().err
    assert SECRET not in err and "mine-2" in err and "test_logs.py" in err
    if as_json:
        line = json.loads(err)
        assert (line["level"], line["request_id"], line["error"]) == ("error", "mine-2", "ValueError")
        assert line["message"] == "A request failed." and line["places"][0].endswith(" run")
    else:
        assert "ERROR A request failed. (request mine-2)\n  ValueError\n  " in err


def test_what_is_no_warning_is_not_written(own_logger: None, capsys: pytest.CaptureFixture[str]) -> None:
    set_up(as_json=False)
    logging.getLogger("kerasmith.serving").info("not worth a line")
    logging.getLogger("kerasmith.serving").warning("worth a line")
    assert capsys.readouterr().err.endswith("Z WARNING worth a line\n")
