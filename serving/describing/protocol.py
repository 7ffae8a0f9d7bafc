"""The Open Inference Protocol in the OpenAPI document: its schemas, and examples that fit the served model.

Source: github.com/kserve/open-inference-protocol, `specification/protocol/inference_rest.md`, and for binary values
Triton's "Binary Tensor Data Extension".
"""

from __future__ import annotations

from typing import Any

import orjson

from records.api import Description
from records.spec import InputKind
from serving.describing.parts import FILE, READ, SEEN, Json, Part, captured, json_content, ref
from serving.inference_protocol.tensors import DATATYPES, MAX_DIMENSIONS
from serving.routes import Route

LENGTH = "Inference-Header-Content-Length"
HEADERS: dict[str, Json] = {
    LENGTH: {
        "description": "Bytes of JSON at the beginning of a body with binary values behind it.",
        "schema": {"type": "integer", "minimum": 0},
    }
}

STRING: Json = {"type": "string"}
DATATYPE: Json = {"type": "string", "enum": list(DATATYPES)}
PARAMETERS: Json = {"type": "object"}


def _object(required: tuple[str, ...], told: str, **properties: Json) -> Json:
    return {"type": "object", "required": list(required), "description": told, "properties": properties}


def _list(items: Json, **limits: int) -> Json:
    return {"type": "array", "items": items, **limits}


SHAPE = _list({"type": "integer", "minimum": 1}, minItems=1, maxItems=MAX_DIMENSIONS)
SCHEMAS: dict[str, Json] = {
    "ServerMetadata": _object(
        ("name", "version", "extensions"), "The server.", name=STRING, version=STRING, extensions=_list(STRING)
    ),
    "ServerHealth": _object(
        ("live",), "Whether it lives, and is ready.", live={"type": "boolean"}, ready={"type": "boolean"}
    ),
    "ModelHealth": _object(("name", "ready"), "Whether it is ready.", name=STRING, ready={"type": "boolean"}),
    "TensorMetadata": _object(
        ("name", "datatype", "shape"),
        "A tensor that the model takes or gives; -1 stands for any length.",
        name=STRING,
        datatype=DATATYPE,
        shape=_list({"type": "integer", "minimum": -1}),
        parameters=PARAMETERS,
    ),
    "ModelMetadata": _object(
        ("name", "platform", "inputs", "outputs"),
        "What the model takes and gives.",
        name=STRING,
        versions=_list(STRING),
        platform=STRING,
        inputs=_list(ref("TensorMetadata")),
        outputs=_list(ref("TensorMetadata")),
    ),
    "InferInput": _object(
        ("name", "datatype", "shape"),
        "A tensor with its values in `data`: flat, row by row, or nested as its shape; null is a missing value. Or "
        "with `parameters.binary_data_size`, and its values behind the JSON.",
        name={"type": "string", "minLength": 1},
        datatype=DATATYPE,
        shape=SHAPE,
        data=_list({}),
        parameters=PARAMETERS,
    ),
    "InferWanted": _object(("name",), "An output that is asked for.", name=STRING, parameters=PARAMETERS),
    "InferRequest": _object(
        ("inputs",),
        "Tensors of one batch: the first number of each shape is the same.",
        id=STRING,
        parameters=PARAMETERS,
        inputs=_list(ref("InferInput"), minItems=1),
        outputs=_list(ref("InferWanted")),
    ),
    "InferOutput": _object(
        ("name", "datatype", "shape"),
        "A tensor with its values in `data`, flat; or behind the JSON, if binary ones were asked for.",
        name=STRING,
        datatype=DATATYPE,
        shape=_list({"type": "integer", "minimum": 0}),
        data=_list({}),
        parameters=PARAMETERS,
    ),
    "InferResponse": _object(
        ("model_name", "outputs"),
        "The answers to one batch.",
        model_name=STRING,
        model_version=STRING,
        id=STRING,
        parameters=PARAMETERS,
        outputs=_list(ref("InferOutput")),
    ),
}
REPLIES = {
    "v2_server": "ServerMetadata",
    "v2_live": "ServerHealth",
    "v2_ready": "ServerHealth",
    "v2_model": "ModelMetadata",
    "v2_model_ready": "ModelHealth",
}
"""By the route's handler."""


def show(route: Route, description: Description) -> Part:
    """What the server or the model says of itself."""
    named = captured(route, description.model)
    errors = (404, *SEEN) if named else SEEN
    return Part(content=json_content(ref(REPLIES[route.handler])), errors=errors, captured=named)


def infer(route: Route, description: Description) -> Part:
    """Tensors in, tensors out."""
    length = {"name": LENGTH, "in": "header", "required": False, **HEADERS[LENGTH]}
    return Part(
        captured=captured(route, description.model),
        parameters=(length,),
        body={**json_content(ref("InferRequest"), sample(description)), "application/octet-stream": {"schema": FILE}},
        content={**json_content(ref("InferResponse")), "application/octet-stream": {"schema": FILE}},
        errors=(404, *READ),
        headers=(LENGTH,),
    )


def sample(description: Description) -> Json:
    """An inference request that works as printed: the model's own example, as tensors."""
    one = description.sample["inputs"][0]
    match description.input_kind:
        case InputKind.TABLE:
            inputs = [_cell(name, value) for name, value in one["row"].items()]
        case InputKind.FORECAST:
            inputs = [_bytes(name, orjson.dumps(rows).decode()) for name, rows in one.items() if rows is not None]
        case InputKind.SERIES:
            steps = one["series"]
            inner = [len(steps), len(steps[0])] if steps and isinstance(steps[0], list) else [len(steps)]
            inputs = [{"name": "series", "datatype": "FP64", "shape": [1, *inner], "data": [steps]}]
        case _:
            inputs = [_bytes(name, value) for name, value in one.items()]
    return {"inputs": inputs}


def _cell(name: str, value: Any) -> Json:
    if isinstance(value, bool):
        return {"name": name, "datatype": "BOOL", "shape": [1], "data": [value]}
    if isinstance(value, int | float):
        return {"name": name, "datatype": "FP64", "shape": [1], "data": [value]}
    return _bytes(name, value)


def _bytes(name: str, value: str | None) -> Json:
    return {"name": name, "datatype": "BYTES", "shape": [1], "data": [value]}
