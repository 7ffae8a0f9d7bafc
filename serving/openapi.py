"""The server's own description for clients: `/describe`, and OpenAPI 3.1 for the kind of input that is served."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from records.api import (
    REQUESTS,
    ColumnDescription,
    Description,
    ErrorResponse,
    ForecastPrediction,
    NumberPrediction,
    Prediction,
    PredictResponse,
)
from records.spec import InputKind
from records.task import TASKS, TargetKind
from serving.bundle import ModelBundle
from serving.kinds import WAYS
from serving.limits import Limits
from serving.routes import ROUTES, Route

ERRORS = {
    "400": "The body or the address is not well-formed, or empty.",
    "404": "No such address.",
    "405": "Another method is expected.",
    "408": "The body did not arrive in time.",
    "413": "The body or an input is too large, or there are too many inputs.",
    "415": "The body is of another type.",
    "422": "Well-formed, but not an input that the model can answer, or a wrong `top_k`.",
    "429": "Too many large requests at once; send it again after `Retry-After` seconds.",
    "500": "The model failed on this input.",
}
FILE = {"type": "string", "format": "binary"}
TOP_K = {"type": "integer", "minimum": 1}
ANSWERS: dict[TargetKind, type[BaseModel]] = {
    TargetKind.CLASS: Prediction,
    TargetKind.NUMBER: NumberPrediction,
    TargetKind.FUTURE: ForecastPrediction,
}
VERBS = {TargetKind.CLASS: "Classify", TargetKind.NUMBER: "Estimate a number for", TargetKind.FUTURE: "Forecast"}


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
        engine=manifest.engine,
        created_at=manifest.created_at,
        objective=manifest.objective,
        metrics={name: figure.model_dump() for name, figure in manifest.evaluation.metrics.items()},
        limits={
            "max_body_bytes": min(limits.max_body_bytes, way.max_body_bytes),
            "max_inputs": way.max_inputs if limits.max_inputs is None else limits.max_inputs,
            **top_k,
            **told.get("limits", {}),
        },
        sample=bundle.sample_request(),
    )


def openapi(description: Description) -> dict[str, Any]:
    """The OpenAPI document: one entry for each line of `ROUTES`."""
    schemas: dict[str, Any] = {}
    answer = ANSWERS[TASKS[description.task].target]
    for model in (REQUESTS[InputKind(description.input_kind)], PredictResponse, ErrorResponse, Description):
        _add_schema(schemas, model)
    schemas["PredictResponse"]["properties"]["predictions"]["items"] = _ref(answer)
    for other in set(ANSWERS.values()) - {answer}:
        del schemas[other.__name__]
    if description.task != "classification":
        del schemas["ClassProbability"]
    _add_columns(schemas, description.columns)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Kerasmith: {description.model}", "version": "1"},
        "paths": {route.path: {route.method.lower(): _operation(route, description)} for route in ROUTES.values()},
        "components": {"schemas": schemas},
    }


def summary(route: Route, description: Description) -> str:
    """What a route does, in the words of the served model."""
    if route.path != "/predict":
        return route.summary
    way = WAYS[description.input_kind]
    return f"{VERBS[TASKS[description.task].target]} one {way.one} or several."


def _operation(route: Route, description: Description) -> dict[str, Any]:
    if route.path == "/predict":
        return _predict(route, description)
    content: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
    if route.path == "/":
        content = {"text/html": {"schema": {"type": "string"}}}
    elif route.path == "/describe":
        content = {"application/json": {"schema": _ref(Description), "example": description.model_dump()}}
    elif route.path == "/sample.json":
        request = REQUESTS[InputKind(description.input_kind)]
        content = {"application/json": {"schema": _ref(request), "example": description.sample}}
    elif route.ours:
        content = {"application/json": {"schema": {"type": "object"}}}
    return {"summary": route.summary, "responses": {"200": {"description": "OK", "content": content}}}


def _predict(route: Route, description: Description) -> dict[str, Any]:
    error = {"application/json": {"schema": _ref(ErrorResponse)}}
    told: dict[str, Any] = {"summary": summary(route, description), "operationId": "predict"}
    if description.labels:
        told["parameters"] = [{"name": "top_k", "in": "query", "required": False, "schema": TOP_K}]
    return {
        **told,
        "requestBody": {"required": True, "content": _bodies(description)},
        "responses": {
            "200": {"description": "OK", "content": {"application/json": {"schema": _ref(PredictResponse)}}},
            **{status: {"description": text, "content": error} for status, text in ERRORS.items()},
        },
    }


def _bodies(description: Description) -> dict[str, Any]:
    kind = InputKind(description.input_kind)
    bodies: dict[str, Any] = {"application/json": {"schema": _ref(REQUESTS[kind]), "example": description.sample}}
    if kind is InputKind.IMAGE:
        form = {
            "type": "object",
            "required": ["image"],
            "properties": {"image": {"type": "array", "items": FILE, "minItems": 1}, "top_k": TOP_K},
            "additionalProperties": False,
        }
        bodies["multipart/form-data"] = {"schema": form}
    plain = {"schema": {"type": "string"}, "example": description.sample["inputs"][0].get("text")}
    for media_type in WAYS[kind].body_types:
        bodies[media_type] = plain if kind is InputKind.TEXT else {"schema": FILE}
    return bodies


def _add_columns(schemas: dict[str, Any], columns: list[ColumnDescription]) -> None:
    """Names the columns of rows and histories in their schema."""
    named = {column.name: _column(column) for column in columns}
    if named and "RowInput" in schemas:
        schemas["RowInput"]["properties"]["row"]["properties"] = named
    if named and "ForecastInput" in schemas:
        schemas["ForecastInput"]["properties"]["history"]["items"]["properties"] = named


def _column(column: ColumnDescription) -> dict[str, Any]:
    told = column.kind
    if column.values:
        more = ", …" if len(column.values) > 5 else ""
        told += f": {', '.join(column.values[:5])}{more}"
    elif column.low is not None and column.high is not None:
        told += f", {column.low:g} to {column.high:g} in training"
    return {"description": told, **({} if column.typical is None else {"examples": [column.typical]})}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _add_schema(schemas: dict[str, Any], model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
