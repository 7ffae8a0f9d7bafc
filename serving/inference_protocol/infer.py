"""Answering `POST /v2/models/{name}/infer`."""

from __future__ import annotations

from typing import Any

import orjson
from python_multipart.multipart import parse_options_header

from records.errors import InputError
from serving.encoding import is_light
from serving.inference_protocol.asking import Asked, read
from serving.inference_protocol.binary import HEADER_LENGTH, to_binary
from serving.inference_protocol.inputs import READERS, max_tensors
from serving.inference_protocol.metadata import check_model
from serving.inference_protocol.outputs import Outcome, check_wanted, make
from serving.inference_protocol.tensors import Tensor, to_json
from serving.kinds import WAYS
from serving.messages import JSON, Reply, Request
from serving.parsing.parameters import short
from serving.served import Served
from serving.working import Working

TYPES = frozenset({b"", b"application/json", b"application/octet-stream"})
"""Clients send any of them for either form: the header with the JSON's length tells which form it is."""
BINARY = b"application/octet-stream"


def infer(served: Served, request: Request) -> Working[Reply]:
    """One inference request: tensors in, tensors out, by the same codec, network and limits as `/predict`.

    Raises:
        InputError: Another model (404), not ready (503), or anything wrong in the request (400, 413, 415, 422).
    """
    bundle = check_model(served, request)
    media, _ = parse_options_header(request.content_type)
    if media not in TYPES:
        told = short(media.decode("latin-1"))
        raise InputError(
            f"The body's type is not taken. Expected application/json or application/octet-stream. Received: {told!r}.",
            415,
        )
    way = WAYS[bundle.codec.kind]
    if len(request.body) > way.max_body_bytes:
        raise InputError(
            f"The body is too large. Expected at most {way.max_body_bytes} bytes. Send fewer {way.several} at once.",
            413,
        )
    most = way.max_inputs if served.limits.max_inputs is None else served.limits.max_inputs
    asked = read(request.headers, request.body, max_tensors(bundle.codec), most)
    options = asked.options.over(served.defaults)
    bundle.honesty.check(options)
    check_wanted(bundle, asked.wanted)
    raws = READERS[bundle.codec.kind](bundle.codec, asked.tensors)
    light = is_light(bundle.codec, len(request.body))
    predictions, embeddings = yield from bundle.asking(raws, served.limits.decode_seconds, light)
    outcome = Outcome(bundle, predictions, embeddings, options)
    return _reply(served, asked, make(outcome, asked.wanted, asked.binary), len(raws))


def _reply(served: Served, asked: Asked, outputs: list[tuple[Tensor, bool]], num_inputs: int) -> Reply:
    told: dict[str, Any] = {"model_name": served.name}
    if served.version:
        told["model_version"] = served.version
    if asked.id is not None:
        told["id"] = asked.id
    told["outputs"], behind = [], []
    for tensor, binary in outputs:
        if binary:
            one, data = to_binary(tensor)
            behind.append(data)
        else:
            one = to_json(tensor)
        told["outputs"].append(one)
    head = orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)
    if not behind:
        return Reply(200, head, JSON, num_inputs=num_inputs)
    length = str(len(head)).encode()
    return Reply(200, b"".join((head, *behind)), BINARY, ((HEADER_LENGTH, length),), num_inputs=num_inputs)
