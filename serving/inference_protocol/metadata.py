"""What the server and its model say of themselves in the Open Inference Protocol: names, health, tensors.

Source: github.com/kserve/open-inference-protocol, `specification/protocol/inference_rest.md`.
"""

from __future__ import annotations

from functools import cache
from importlib import metadata
from typing import Any

import orjson

from records.api import ColumnDescription
from records.errors import InputError
from records.spec import InputKind
from serving.bundle import ModelBundle
from serving.inference_protocol.outputs import FURTHER, OUTPUTS, further
from serving.messages import Reply, Request
from serving.served import Served

EXTENSIONS = ["binary_tensor_data"]
PLATFORMS = {"onnxruntime": "onnx_onnxv1"}
"""By engine: the name that the protocol has for it."""


def show_server(served: Served, request: Request) -> Reply:
    """`GET /v2`."""
    return _reply({"name": "kerasmith", "version": _version(), "extensions": EXTENSIONS})


def show_live(served: Served, request: Request) -> Reply:
    """`GET /v2/health/live`: the process answers."""
    return _reply({"live": True})


def show_ready(served: Served, request: Request) -> Reply:
    """`GET /v2/health/ready`.

    Raises:
        InputError: The model is not loaded yet (503).
    """
    _loaded(served)
    return _reply({"live": True, "ready": True})


def show_model_ready(served: Served, request: Request) -> Reply:
    """`GET /v2/models/{name}/ready`, and of a version.

    Raises:
        InputError: Another model (404), or it is not loaded yet (503).
    """
    check_model(served, request)
    return _reply({"name": served.name, "ready": True})


def show_model(served: Served, request: Request) -> Reply:
    """`GET /v2/models/{name}`, and of a version.

    Raises:
        InputError: Another model (404), or it is not loaded yet (503).
    """
    bundle = check_model(served, request)
    versions = {"versions": [served.version]} if served.version else {}
    return _reply(
        {
            "name": served.name,
            **versions,
            "platform": PLATFORMS.get(bundle.manifest.engine, f"kerasmith_{bundle.manifest.engine}"),
            "inputs": input_tensors(bundle),
            "outputs": output_tensors(bundle),
        }
    )


def check_model(served: Served, request: Request) -> ModelBundle:
    """The model that the address names.

    Raises:
        InputError: Another model or version (404), or none is loaded yet (503).
    """
    bundle = _loaded(served)
    name, version = request.captured.get("name"), request.captured.get("version")
    if name != served.name or version not in (None, served.version):
        asked = str(name)[:80] if version is None else f"{str(name)[:80]} in version {version[:40]}"
        expected = f"{served.name} in version {served.version}" if served.version else served.name
        raise InputError(f"There is no model {asked} here. Expected {expected}.", 404)
    return bundle


def input_tensors(bundle: ModelBundle) -> list[dict[str, Any]]:
    """What a request may hold; the parameters say what is optional. -1 stands for any length.

    Of a table, of every column that the model reads.
    """
    codec, kind = bundle.codec, bundle.codec.kind
    if kind == InputKind.IMAGE:
        return [
            _tensor("image", "BYTES", [-1], "Encoded pictures, in JSON as base64. Either this or pixels.", True),
            _tensor("pixels", "UINT8", [-1, *codec.input_shape], "Either this or image.", True),
        ]
    if kind == InputKind.TEXT:
        return [_tensor("text", "BYTES", [-1], "UTF-8.")]
    if kind == InputKind.SERIES:
        channels = codec.describe()["channels"]
        told = f"Channels: {', '.join(channels)}. In JSON null is a missing value."
        return [_tensor("series", "FP64", [-1, -1, len(channels)], told)]
    if kind == InputKind.FORECAST:
        return [
            _tensor("history", "BYTES", [-1], "Each a JSON list of rows, oldest first."),
            _tensor("future", "BYTES", [-1], "Each a JSON list of rows, or empty.", True),
        ]
    return [_column(ColumnDescription.model_validate(column)) for column in codec.describe()["columns"]]


def output_tensors(bundle: ModelBundle) -> list[dict[str, Any]]:
    """What a reply holds if nothing else is asked for, and what it holds only if asked for."""
    manifest = bundle.manifest
    inner: dict[str, list[int]] = {
        "probabilities": [len(manifest.labels)],
        "quantiles": [bundle.codec.describe().get("horizon", -1), len(manifest.quantiles)],
    }
    told: dict[str, dict[str, Any]] = {
        "probabilities": {"labels": list(manifest.labels)},
        "quantiles": {"quantiles": list(manifest.quantiles)},
    }
    tensors: list[dict[str, Any]] = [
        {"name": name, "datatype": datatype, "shape": [-1, *inner.get(name, [])], "parameters": told.get(name, {})}
        for name, (datatype, _) in OUTPUTS[manifest.task].items()
    ]
    shapes = {"embedding": [-1, -1]}
    asked_for = "Only if asked for in outputs."
    more = [_tensor(name, FURTHER[name][0], shapes.get(name, [-1]), asked_for, True) for name in further(bundle)]
    return [*tensors, *more]


def _column(column: ColumnDescription) -> dict[str, Any]:
    datatype = "FP64" if column.kind == "number" else "BYTES"
    return _tensor(column.name, datatype, [-1], f"A {column.kind}. Left out: missing.", True)


def _tensor(name: str, datatype: str, shape: list[int], told: str, optional: bool = False) -> dict[str, Any]:
    parameters = {"optional": optional, "description": told}
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}


def _loaded(served: Served) -> ModelBundle:
    if served.bundle is None:
        raise InputError("The model is not loaded yet. Ask again in a second.", 503)
    return served.bundle


def _reply(told: dict[str, Any]) -> Reply:
    return Reply(200, orjson.dumps(told))


@cache
def _version() -> str:
    """Of Kerasmith; empty where it was not installed as a package."""
    try:
        return metadata.version("kerasmith")
    except metadata.PackageNotFoundError:
        return ""
