import re
import shlex
from html import unescape
from typing import Any

import pytest

from serving.describing.page import SCRIPT, STYLE, page
from serving.endpoint import Endpoint
from serving.feedback_files import read_feedback
from serving.routes import ROUTES
from serving.served import Served
from tests.serving.kinds import KITS


@pytest.fixture(params=["image", *KITS])
def served(request: pytest.FixtureRequest, serve_kind: Any) -> Served:
    kept: Served = serve_kind(request.param)
    return kept


@pytest.fixture
def client(served: Served, in_process: Any) -> Any:
    return in_process(Endpoint(lambda *_: None, served))  # type: ignore[arg-type, return-value]


def test_the_page_loads_nothing_from_elsewhere(client: Any, served: Served) -> None:
    response = client.get("/")
    assert response.headers["content-type"].startswith("text/html")
    assert served.ref in response.text and "0.9000" in response.text
    assert "http:" not in response.text and "https:" not in response.text and "src=" not in response.text
    assert response.text.count(f"<style>{STYLE}</style>") == response.text.count(f"<script>{SCRIPT}</script>") == 1


def test_every_route_stands_on_it_and_every_link_leads_somewhere(client: Any) -> None:
    text = client.get("/").text
    assert len(re.findall("<tr><td>(GET|POST)<td>", text)) == len(ROUTES)
    assert "{" not in text.replace(STYLE, "").replace(SCRIPT, "").replace("<pre>", "").split("Addresses")[1]
    links = re.findall("href='([^']*)'", text)
    assert len(links) == len([route for route in ROUTES.values() if route.method == "GET"])
    for link in links:
        assert client.get(unescape(link)).status_code == (404 if link == "/metrics" else 200), link


def test_the_line_that_tells_the_truth_works_as_printed(client: Any, served: Served) -> None:
    lines = re.findall("<pre>(.*?)</pre>", client.get("/").text, re.DOTALL)
    words = shlex.split(unescape(re.sub("<span class='here'></span>", "http://server", lines[1])))
    assert words[:4] == ["curl", "-H", "Content-Type: application/json", "--data-raw"]
    assert words[5] == "http://server/feedback"
    response = client.post("/feedback", content=words[4].encode(), headers={"content-type": "application/json"})
    assert response.status_code == 200
    assert served.feedback is not None
    assert "ID-OF-THE-REQUEST" in {one.request_id for one in read_feedback(served.feedback.folder)}


def test_feedback_and_tokens_are_named_where_they_are(client: Any, served: Served) -> None:
    from serving.describing.openapi import describe

    assert served.bundle is not None
    description = describe(served.bundle, served.ref, served.limits)
    plain, full = page(description), page(description, tokens=True, feedback=True)
    assert "Tell it later" not in plain and "Authorization" not in plain
    assert "Tell it later" in full and "Authorization: Bearer $KERASMITH_TOKEN" in full
