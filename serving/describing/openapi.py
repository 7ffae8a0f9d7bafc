"""The server's own description for clients: `/describe`, and OpenAPI 3.1 for the kind of input that is served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from records.api import REQUESTS, Description
from records.spec import InputKind
from serving.bundle import ModelBundle
from serving.describing import predict as openapi_predict
from serving.describing import protocol as openapi_protocol
from serving.describing.parts import HEADERS, SECURITY, SEEN, Json, Part, json_content, operation, ref
from serving.kinds import WAYS
from serving.limits import Limits
from serving.routes import ROUTES, Route

STRING: Json = {"type": "string"}
TEXT: Json = {"text/plain": {"schema": STRING}}


def describe(bundle: ModelBundle, ref: str, limits: Limits) -> Description:
    """What `/describe` answers."""
    manifest, way = bundle.manifest, WAYS[bundle.codec.kind]
    told = bundle.codec.describe()
    top_k = {"max_top_k": len(manifest.labels)} if manifest.labels else {}
    return Description(
        model=ref,
        task=manifest.task,
        input_kind=manifest.input_kind,
        input_shape=list(manifest.input_shape),
        labels=list(manifest.labels),
        target=manifest.target,
        columns=told.get("columns", []),
        channels=told.get("channels", []),
        horizon=told.get("horizon"),
        engine=bundle.engine_name or manifest.engine,
        engine_settings=bundle.batching.settings.told() if bundle.batching else {},
        created_at=manifest.created_at,
        objective=manifest.objective,
        metrics={name: figure.model_dump() for name, figure in manifest.evaluation.metrics.items()},
        limits={
            "max_body_bytes": min(limits.max_body_bytes, way.max_body_bytes),
            "max_inputs": way.max_inputs if limits.max_inputs is None else limits.max_inputs,
            **top_k,
            **told.get("limits", {}),
        },
        max_coverage=bundle.honesty.max_coverage,
        honesty=bundle.honesty.explain(),
        sample=bundle.sample_request(),
    )


def openapi(description: Description, tokens: bool = False) -> dict[str, Any]:
    """The OpenAPI document: one entry for each line of `ROUTES`.

    Args:
        description: Of the model.
        tokens: Whether the server asks for one.
    """
    paths: Json = {}
    for route in ROUTES.values():
        part = PARTS[route.handler](route, description)
        paths[route.path] = {route.method.lower(): operation(route, part, tokens)}
    secured: Json = {"security": [{"bearer": []}]} if tokens else {}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Kerasmith: {description.model}", "version": "1"},
        **secured,
        "paths": paths,
        "components": {
            "schemas": {**openapi_predict.schemas(description), **openapi_protocol.SCHEMAS},
            "headers": {**HEADERS, **openapi_protocol.HEADERS},
            **({"securitySchemes": SECURITY} if tokens else {}),
        },
    }


def _page(route: Route, description: Description) -> Part:
    """What needs nothing and is the same each time."""
    request = REQUESTS[InputKind(description.input_kind)]
    contents = {
        "/": {"text/html": {"schema": STRING}},
        "/describe": json_content(ref(Description), description.model_dump()),
        "/sample.json": json_content(ref(request), description.sample),
    }
    return Part(content=contents.get(route.path) or json_content({"type": "object"}))


def _status(route: Route, description: Description) -> Part:
    """What the machines ask that look after a server."""
    if route.handler == "metrics":
        return Part(content=TEXT, errors=(404, *SEEN))
    return Part(content=json_content({"type": "object", "required": ["status"], "properties": {"status": STRING}}))


PARTS: dict[str, Callable[[Route, Description], Part]] = {
    "predict": openapi_predict.predict,
    "feedback": openapi_predict.feedback,
    "v2_infer": openapi_protocol.infer,
    "page": _page,
    **dict.fromkeys(("alive", "ready", "metrics"), _status),
    **dict.fromkeys(openapi_protocol.REPLIES, openapi_protocol.show),
}
"""By the route's handler."""
