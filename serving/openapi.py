"""The server's own description, for people and for clients: OpenAPI 3.1, `/describe`, and the page at `/`."""

from __future__ import annotations

from html import escape
from typing import Any

from pydantic import BaseModel

from records.api import Description, ErrorResponse, PredictRequest, PredictResponse
from serving.bundle import ModelBundle
from serving.limits import Limits
from serving.parsing import IMAGE_TYPES
from serving.routes import ROUTES, Route

ERRORS = {
    "400": "The body or the address is not well-formed, or empty.",
    "404": "No such address.",
    "405": "Another method is expected.",
    "408": "The body did not arrive in time.",
    "413": "The body or an image is too large, or there are too many images.",
    "415": "The body is of another type.",
    "422": "Well-formed, but not a picture that can be classified, or a wrong `top_k`.",
    "429": "Too many large requests at once; send it again after `Retry-After` seconds.",
    "500": "The model failed on this input.",
}
FILE = {"type": "string", "format": "binary"}
TOP_K = {"type": "integer", "minimum": 1}


def describe(bundle: ModelBundle, ref: str, limits: Limits) -> Description:
    """What `/describe` answers."""
    manifest = bundle.manifest
    codec_limits = {name: value for name, value in bundle.codec.to_json().items() if name.startswith("max_")}
    return Description(
        model=ref,
        task=manifest.task,
        input_kind=manifest.input_kind,
        input_shape=list(manifest.input_shape),
        labels=list(manifest.labels),
        engine=manifest.engine,
        created_at=manifest.created_at,
        objective=manifest.objective,
        metrics={name: figure.model_dump() for name, figure in manifest.evaluation.metrics.items()},
        limits={
            "max_body_bytes": limits.max_body_bytes,
            "max_inputs": limits.max_inputs,
            "max_top_k": len(manifest.labels),
            **codec_limits,
        },
        sample=bundle.sample_request(),
    )


def openapi(description: Description) -> dict[str, Any]:
    """The OpenAPI document: one entry for each line of `ROUTES`."""
    schemas: dict[str, Any] = {}
    for model in (PredictRequest, PredictResponse, ErrorResponse, Description):
        _add_schema(schemas, model)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Kerasmith: {description.model}", "version": "1"},
        "paths": {route.path: {route.method.lower(): _operation(route, description)} for route in ROUTES.values()},
        "components": {"schemas": schemas},
    }


def page(description: Description) -> str:
    """The HTML at `/`. It loads nothing from anywhere."""
    metrics = "".join(
        f"<tr><td>{escape(name)}<td>{figure['value']:.4f}<td>{figure['low']:.4f} to {figure['high']:.4f}"
        for name, figure in description.metrics.items()
    )
    routes = "".join(
        f"<tr><td>{route.method}<td>"
        + (f"<a href='{route.path}'>{route.path}</a>" if route.method == "GET" else route.path)
        + f"<td>{escape(route.summary)}"
        for route in ROUTES.values()
    )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(description.model)}</title>"
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
        "td,th{padding:.2rem 1rem .2rem 0;text-align:left}code{background:#8882;padding:.1rem .3rem}</style>"
        f"<h1>{escape(description.model)}</h1>"
        f"<p>Answers {escape(description.task)} requests for {len(description.labels)} classes: "
        f"{escape(_some(description.labels))}.</p>"
        "<p>Try it: <code>curl -F image=@picture.jpg <span id='here'></span>/predict</code></p>"
        f"<h2>On its test split</h2><table><tr><th>Metric<th>Value<th>95 % interval{metrics}</table>"
        f"<h2>Addresses</h2><table>{routes}</table>"
        "<script>document.getElementById('here').textContent=location.origin</script></html>"
    )


def _some(labels: list[str], most: int = 20) -> str:
    return ", ".join(labels[:most]) + (f" and {len(labels) - most} more" if len(labels) > most else "")


def _operation(route: Route, description: Description) -> dict[str, Any]:
    if route.path == "/predict":
        return _predict(route, description)
    content: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
    if route.path == "/":
        content = {"text/html": {"schema": {"type": "string"}}}
    elif route.path == "/describe":
        content = {"application/json": {"schema": _ref(Description), "example": description.model_dump()}}
    elif route.ours:
        content = {"application/json": {"schema": {"type": "object"}}}
    return {"summary": route.summary, "responses": {"200": {"description": "OK", "content": content}}}


def _predict(route: Route, description: Description) -> dict[str, Any]:
    form = {
        "type": "object",
        "required": ["image"],
        "properties": {"image": {"type": "array", "items": FILE, "minItems": 1}, "top_k": TOP_K},
        "additionalProperties": False,
    }
    content: dict[str, Any] = {
        "application/json": {"schema": _ref(PredictRequest), "example": description.sample},
        "multipart/form-data": {"schema": form},
        **{image_type: {"schema": FILE} for image_type in IMAGE_TYPES},
    }
    error = {"application/json": {"schema": _ref(ErrorResponse)}}
    return {
        "summary": route.summary,
        "operationId": "predict",
        "parameters": [{"name": "top_k", "in": "query", "required": False, "schema": TOP_K}],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": _ref(PredictResponse)}}},
            **{status: {"description": text, "content": error} for status, text in ERRORS.items()},
        },
    }


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _add_schema(schemas: dict[str, Any], model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
