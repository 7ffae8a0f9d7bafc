import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import jsonschema
import pytest
from openapi_spec_validator import validate
from starlette.routing import Mount, Route

from serving.bundle import ModelBundle
from serving.describing.openapi import PARTS
from serving.endpoint import Endpoint
from serving.handlers import HANDLERS, WORKERS
from serving.routes import ROUTES, find, methods
from serving.served import Served
from tests.serving.kinds import KITS

Json = dict[str, Any]


@pytest.fixture(params=["image", *KITS])
def client(request: pytest.FixtureRequest, serve_kind: Any, in_process: Any) -> Any:
    return in_process(Endpoint(lambda *_: None, serve_kind(request.param)))  # type: ignore[arg-type, return-value]


@pytest.fixture
def document(client: Any) -> Json:
    found: Json = client.get("/openapi.json").json()
    return found


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def addressed(path: str, operation: Json) -> str:
    """The path with its examples in it."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(parameter["example"]))
    return path


def check(value: Any, schema: Json, document: Json) -> None:
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def examples(media: Json) -> list[Any]:
    named = [one["value"] for one in media.get("examples", {}).values()]
    return [*named, *([media["example"]] if "example" in media else [])]


def test_the_document_is_openapi(document: Json) -> None:
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_the_document_has_every_route_and_no_other(document: Json) -> None:
    told = {(path, method.upper()) for path, method, _ in operations(document)}
    assert told == {(path, route.method) for path, route in ROUTES.items()}
    for path, method, operation in operations(document):
        found = find(addressed(path, operation))
        assert found is not None and found[0].path == path and method.upper() in methods(found[0])
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert (
        {route.handler for route in ROUTES.values() if route.ours} == HANDLERS.keys() | WORKERS.keys() == PARTS.keys()
    )


def test_every_example_works_and_its_reply_is_as_described(client: Any, document: Json) -> None:
    asked = 0
    for path, method, operation in operations(document):
        if path == "/metrics":  # nothing is counted in this process
            continue
        bodies = operation.get("requestBody", {}).get("content", {})
        told = [(kind, one) for kind, media in bodies.items() for one in examples(media)] or [("", None)]
        for kind, one in told:
            if kind == "application/json":
                check(one, bodies[kind]["schema"], document)
            content = b"" if one is None else one.encode() if kind == "text/plain" else json.dumps(one).encode()
            address = addressed(path, operation)
            response = client(method.upper(), address, content=content, headers={"content-type": kind})
            assert response.status_code == 200, (path, response.text)
            check_reply(response, operation, document)
            asked += 1
    assert asked >= len(ROUTES) - 1


def check_reply(response: Any, operation: Json, document: Json) -> None:
    told = operation["responses"][str(response.status_code)]
    media = told["content"][response.headers["content-type"].partition(";")[0]]
    if response.headers["content-type"] == "application/json":
        check(response.json(), media["schema"], document)
        if "example" in media:
            assert media["example"] == response.json()
    for name in ("x-request-id", "x-model", "x-model-version"):
        assert name in told["headers"] and name in response.headers


@pytest.mark.parametrize(
    ("path", "headers", "content", "status"),
    [
        ("/predict", {"content-type": "application/json"}, b"{", 400),
        ("/predict", {"content-type": "video/mp4"}, b"x", 415),
        ("/predict", {"content-type": "application/json"}, b"{}", 422),
        ("/models/another/predict", {"content-type": "application/json"}, b"{}", 404),
        ("/feedback", {"content-type": "application/json"}, b"{}", 422),
        ("/v2/models/another/infer", {"content-type": "application/json"}, b"{}", 404),
    ],
)
def test_every_error_is_as_described(
    client: Any, document: Json, path: str, headers: dict[str, str], content: bytes, status: int
) -> None:
    response = client.post(path, headers=headers, content=content)
    assert response.status_code == status
    found = find(path)
    assert found is not None
    check_reply(response, document["paths"][found[0].path]["post"], document)


def test_every_operation_names_its_errors(document: Json) -> None:
    for path, method, operation in operations(document):
        told = set(operation["responses"])
        assert told >= {"200", "431", "503"}
        if method == "post":
            assert told >= {"400", "408", "413", "415", "422", "429", "500"}
            assert "Retry-After" in operation["responses"]["429"]["headers"]
        if "{" in path:
            assert "404" in told
        assert "401" not in told


def test_tokens_are_described_where_they_are_asked_for(bundle: ModelBundle) -> None:
    served = Served(tokens=True)
    served.load(bundle, "tiny:1")
    document = json.loads(served.pages["/openapi.json"].body)
    validate(document)
    assert document["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    for path, _, operation in operations(document):
        assert ("401" in operation["responses"]) == (not ROUTES[path].open)
        assert (operation.get("security") == []) == ROUTES[path].open


def test_openapi_lists_every_route_of_bentomls_router_that_can_be_reached(
    client: Any, document: Json, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    from _bentoml_sdk import Service

    from serving.service import Kerasmith

    bentomls: dict[str, Any] = {}
    for route in Service.to_asgi(cast("Service[Any]", Kerasmith)).routes:
        assert isinstance(route, Route | Mount)
        bentomls[route.path] = route
    for path in bentomls:
        assert path in document["paths"] or client.get(path).status_code == 404, path
    for route in ROUTES.values():
        if not route.ours:
            assert set(bentomls[route.path].methods) == set(methods(route))


def test_both_addresses_of_the_document_agree(client: Any) -> None:
    assert client.get("/openapi.json").content == client.get("/docs.json").content


def test_every_schema_is_used_and_every_reference_leads_somewhere(document: Json) -> None:
    for place in ("schemas", "headers"):
        names = {part.split('"')[0] for part in json.dumps(document).split(f"#/components/{place}/")[1:]}
        names |= {"WWW-Authenticate"} if place == "headers" else set()  # where tokens are asked for
        assert names == document["components"][place].keys()
