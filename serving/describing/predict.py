"""The parts of the OpenAPI document that depend on what the served model takes and answers."""

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
from records.feedback import MAX_ITEMS, FeedbackItem, FeedbackResponse
from records.spec import InputKind
from records.task import TASKS, TargetKind
from serving.describing.parts import FILE, READ, Json, Part, captured, json_content, ref
from serving.kinds import WAYS
from serving.routes import Route

ANSWERS: dict[TargetKind, type[BaseModel]] = {
    TargetKind.CLASS: Prediction,
    TargetKind.NUMBER: NumberPrediction,
    TargetKind.FUTURE: ForecastPrediction,
}
VERBS = {TargetKind.CLASS: "Classify", TargetKind.NUMBER: "Estimate a number for", TargetKind.FUTURE: "Forecast"}
OPTIONS = ("top_k", "coverage", "abstain_below")


def schemas(description: Description) -> Json:
    """Every schema that the document refers to, for this kind of model."""
    found: Json = {}
    answer = ANSWERS[TASKS[description.task].target]
    request = REQUESTS[InputKind(description.input_kind)]
    for model in (request, PredictResponse, ErrorResponse, Description, FeedbackItem, FeedbackResponse):
        _add(found, model)
    found["PredictResponse"]["properties"]["predictions"]["items"] = ref(answer)
    for other in set(ANSWERS.values()) - {answer}:
        del found[other.__name__]
    if answer is not Prediction:
        del found["ClassProbability"]
    for name in set(OPTIONS) - options(description).keys():
        found[request.__name__]["properties"].pop(name, None)
    found["FeedbackItem"]["properties"]["truth"] = {
        **_truth(description),
        "description": found["FeedbackItem"]["properties"]["truth"]["description"],
    }
    _add_columns(found, description.columns)
    return found


def options(description: Description) -> dict[str, Json]:
    """What may be asked for beside the inputs, with its schema."""
    given: Json = REQUESTS[InputKind(description.input_kind)].model_json_schema()["properties"]
    known: dict[str, Json] = {}
    if description.labels:
        known = {"top_k": {"type": "integer", "minimum": 1, "maximum": 999_999_999}}
        known["abstain_below"] = {"type": "number", "minimum": 0, "maximum": 1}
    if description.max_coverage is not None:
        known["coverage"] = {"type": "number", "minimum": 0.5, "maximum": description.max_coverage}
    return {name: {**known[name], "description": given[name]["description"]} for name in OPTIONS if name in known}


def summary(route: Route, description: Description) -> str:
    """What a route does, in the words of the served model."""
    if route.path != "/predict":
        return route.summary
    way = WAYS[description.input_kind]
    return f"{VERBS[TASKS[description.task].target]} one {way.one} or several."


def predict(route: Route, description: Description) -> Part:
    """`/predict`, and the same where the address names the model."""
    named = captured(route, description.model)
    return Part(
        summary=summary(route, description),
        captured=named,
        parameters=tuple(
            {"name": name, "in": "query", "required": False, "schema": schema}
            for name, schema in options(description).items()
        ),
        body=_bodies(description),
        content=json_content(ref(PredictResponse)),
        errors=(404, *READ) if named else READ,
    )


def feedback(route: Route, description: Description) -> Part:
    """`/feedback`."""
    one = ref(FeedbackItem)
    example = {"request_id": "the-id-of-a-prediction", "index": 0, "truth": true_answer(description)}
    several = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_ITEMS}
    content = json_content({"anyOf": [one, several]})
    content["application/json"]["examples"] = {"one": {"value": example}, "several": {"value": [example, example]}}
    return Part(body=content, content=json_content(ref(FeedbackResponse)), errors=(404, *READ, 507))


def _truth(description: Description) -> Json:
    number: Json = {"type": "number"}
    match TASKS[description.task].target:
        case TargetKind.CLASS:
            return {"type": "string", "minLength": 1, "maxLength": 200, "examples": description.labels[:2]}
        case TargetKind.NUMBER:
            return number
        case _:
            steps = {} if description.horizon is None else _length(description.horizon)
            return {"type": "array", "items": number, **steps}


def true_answer(description: Description) -> Any:
    """Something that may be told as the truth, for an example."""
    if description.labels:
        return description.labels[0]
    return 1.5 if description.horizon is None else [1.5] * description.horizon


def _length(steps: int) -> Json:
    return {"minItems": steps, "maxItems": steps}


def _bodies(description: Description) -> Json:
    kind = InputKind(description.input_kind)
    bodies = json_content(ref(REQUESTS[kind]), description.sample)
    if kind is InputKind.IMAGE:
        form = {
            "type": "object",
            "required": ["image"],
            "properties": {"image": {"type": "array", "items": FILE, "minItems": 1}, **options(description)},
            "additionalProperties": False,
        }
        bodies["multipart/form-data"] = {"schema": form}
    plain = {"schema": {"type": "string"}, "example": description.sample["inputs"][0].get("text")}
    for media_type in WAYS[kind].body_types:
        bodies[media_type] = plain if kind is InputKind.TEXT else {"schema": FILE}
    return bodies


def _add_columns(found: Json, columns: list[ColumnDescription]) -> None:
    """Names the columns of rows and histories in their schema."""
    named = {column.name: _column(column) for column in columns}
    if named and "RowInput" in found:
        found["RowInput"]["properties"]["row"]["properties"] = named
    if named and "ForecastInput" in found:
        found["ForecastInput"]["properties"]["history"]["items"]["properties"] = named


def _column(column: ColumnDescription) -> Json:
    told = column.kind
    if column.values:
        more = ", …" if len(column.values) > 5 else ""
        told += f": {', '.join(column.values[:5])}{more}"
    elif column.low is not None and column.high is not None:
        told += f", {column.low:g} to {column.high:g} in training"
    return {"description": told, **({} if column.typical is None else {"examples": [column.typical]})}


def _add(found: Json, model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    found |= schema.pop("$defs", {})
    found[model.__name__] = schema
