import json
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Mount, Route

from records.api import PredictResponse
from serving.bundle import ModelBundle
from serving.endpoint import Door, Endpoint, Served
from serving.routes import ROUTES, methods


@pytest.fixture
def client(bundle: ModelBundle, in_process: Any) -> Any:
    served = Served()
    served.load(bundle, "tiny:1")
    return in_process(Door(Endpoint(lambda *_: None, served)))  # type: ignore[arg-type, return-value]


def test_openapi_lists_every_route_of_bentomls_router_that_can_be_reached(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    from serving.service import Kerasmith

    paths = client.get("/openapi.json").json()["paths"]
    bentomls: dict[str, Any] = {}
    for route in Kerasmith.to_asgi()._app.routes:
        assert isinstance(route, Route | Mount)
        bentomls[route.path] = route
    for path in bentomls:
        assert path in paths or client.get(path).status_code == 404, path
    for route in ROUTES.values():
        if not route.ours:
            assert set(bentomls[route.path].methods) == set(methods(route))
    assert paths.keys() == ROUTES.keys()


def test_both_addresses_of_the_document_agree(client: Any) -> None:
    document = client.get("/openapi.json")
    assert document.json()["openapi"] == "3.1.0"
    assert document.content == client.get("/docs.json").content


def test_the_examples_work_as_printed(client: Any) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    example = paths["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    response = client.post("/predict", json=example)
    assert response.status_code == 200
    assert PredictResponse.model_validate_json(response.content).predictions[0].label == "red"
    described = paths["/describe"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    assert described == client.get("/describe").json()


def test_every_reference_leads_somewhere(client: Any) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    names = [part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]]
    assert names and all(name in schemas for name in names)


def test_the_page_loads_nothing_from_elsewhere(client: Any) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "tiny:1" in page.text and "blue, green, red" in page.text and "0.9000" in page.text
    assert "http:" not in page.text and "https:" not in page.text and "src=" not in page.text
