"""What the operations of the OpenAPI document are made of: headers, errors, references."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from records.api import ErrorResponse
from records.feedback import REQUEST_ID
from serving.routes import Route

Json = dict[str, Any]

FILE: Json = {"type": "string", "format": "binary"}
ERRORS = {
    400: "The body or the address is not well-formed, or empty.",
    401: "A token is asked for: `Authorization: Bearer <token>`.",
    404: "Another model than the one that is served, or nothing of the kind is kept here.",
    408: "The body did not arrive in time.",
    413: "The body or an input is too large, or there are too many inputs.",
    415: "The body is of another type.",
    422: "Well-formed, but not an input that the model can answer, or a wrong option.",
    429: "Too many requests at once; send it again after `Retry-After` seconds.",
    431: "The address or the headers are too long.",
    500: "The model failed on this input.",
    503: "The model is not loaded yet, or the server is being stopped; ask again after `Retry-After` seconds.",
    507: "The place for feedback is full.",
}
READ = (400, 408, 413, 415, 422, 429, 431, 500, 503)
"""What can go wrong where there is a body."""
SEEN = (431, 503)
"""What can go wrong where there is none."""

HEADERS: dict[str, Json] = {
    "x-request-id": {
        "description": "The request's own, if it had a plain one; else a new one.",
        "schema": {"type": "string", "pattern": f"^{REQUEST_ID.pattern}$"},
    },
    "x-model": {"description": "The name of the model.", "schema": {"type": "string"}},
    "x-model-version": {"description": "Its version; empty where it has none.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}},
}
NAMES = ("x-request-id", "x-model", "x-model-version")
"""Headers of every reply of ours."""
FURTHER = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
SECURITY: Json = {"bearer": {"type": "http", "scheme": "bearer"}}
ASKED_ID: Json = {
    "name": "x-request-id",
    "in": "header",
    "required": False,
    "description": "A name of the client's own for this request.",
    "schema": HEADERS["x-request-id"]["schema"],
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one operation takes and gives."""

    content: Json
    """Of status 200, by media type."""
    errors: tuple[int, ...] = SEEN
    body: Json | None = None
    """Of the request, by media type."""
    parameters: tuple[Json, ...] = ()
    summary: str = ""
    """Empty: the route's own."""
    captured: Mapping[str, str] = field(default_factory=dict)
    """For each name in braces, the value that works."""
    headers: tuple[str, ...] = ()
    """Of status 200, beside those of every reply."""


def operation(route: Route, part: Part, tokens: bool) -> Json:
    """One operation of the document.

    Args:
        route: Its address.
        part: What it takes and gives.
        tokens: Whether the server asks for one.
    """
    guarded = tokens and not route.open
    parameters = [*map(_captured, part.captured.items()), *part.parameters, *([ASKED_ID] if route.ours else [])]
    told: Json = {
        "operationId": "_".join(re.findall(r"\w+", route.path)) or "page",
        "tags": [route.group],
        "summary": part.summary or route.summary,
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": {"required": True, "content": part.body}} if part.body else {}),
        **({"security": []} if tokens and route.open else {}),
        "responses": {"200": _response(route, 200, "OK", part.content, part.headers)},
    }
    for status in sorted({*part.errors, *((401,) if guarded else ())}):
        content = json_content(ref(ErrorResponse))
        told["responses"][str(status)] = _response(route, status, ERRORS[status], content)
    return told


def ref(model: type[BaseModel] | str) -> dict[str, str]:
    """A reference to its schema."""
    return {"$ref": f"#/components/schemas/{model if isinstance(model, str) else model.__name__}"}


def captured(route: Route, model: str) -> dict[str, str]:
    """For each name in braces, the value that works.

    Args:
        route: Whose path it is.
        model: `name:version`, or a name alone.
    """
    name, _, version = model.rpartition(":")
    values = {"ref": model, "name": name or version, "version": version if name else ""}
    return {name: value for name, value in values.items() if f"{{{name}}}" in route.path}


def json_content(schema: Json, example: Any = None) -> Json:
    """Of a body or a reply in JSON."""
    return {"application/json": {"schema": schema, **({} if example is None else {"example": example})}}


def _response(route: Route, status: int, text: str, content: Json, further: tuple[str, ...] = ()) -> Json:
    names = (*(NAMES if route.ours else ()), *((FURTHER[status],) if status in FURTHER else ()), *further)
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return {"description": text, **({"headers": headers} if headers else {}), "content": content}


def _captured(item: tuple[str, str]) -> Json:
    name, value = item
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "example": value}
