"""From a request's bytes to the raw inputs that the codec takes. No address in a request is ever fetched or opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from python_multipart.multipart import parse_options_header

from records.errors import InputError
from records.spec import InputKind
from serving.kinds import WAYS, Way
from serving.parsing import images as parsing_images
from serving.parsing import json_bodies as parsing_json
from serving.parsing.parameters import PLAIN, Options, query_options, short

Read = Callable[[bytes, int], tuple[list[Any], Options]]
"""`(body, max_inputs) -> (raws, options)`."""
OTHER_IMAGE_TYPES = frozenset({"image/jpg", "image/pjpeg", "image/x-ms-bmp", "image/x-bmp", "application/octet-stream"})
"""Names that clients also use. What the bytes are is seen by the codec, whatever the type says."""

JSON_READERS: dict[str, Read] = {
    InputKind.IMAGE: parsing_images.read_json,
    InputKind.TEXT: parsing_json.read_texts,
    InputKind.SERIES: parsing_json.read_series,
    InputKind.TABLE: parsing_json.read_rows,
    InputKind.FORECAST: parsing_json.read_forecasts,
}


@dataclass(frozen=True)
class Asked:
    """What a request asks."""

    raws: list[Any]
    options: Options = PLAIN


def parse_request(content_type: str, query: bytes, body: bytes, kind: str, max_inputs: int | None = None) -> Asked:
    """Reads any body that a model of this kind takes.

    Args:
        content_type: The header, as it came.
        query: Of the address.
        body: Of the request.
        kind: What the served model takes, a key of `WAYS`.
        max_inputs: In one request; `None`: as many as suit the kind.

    Raises:
        InputError: Status 400 (not even well-formed), 413 (too much), 415 (another type) or 422 (anything else).
    """
    way = WAYS[kind]
    most = way.max_inputs if max_inputs is None else max_inputs
    media, options = parse_options_header(content_type)
    media_type = media.decode("latin-1")
    in_query = query_options(query, kind)
    if not _is_taken(media_type, kind, way):
        raise InputError(
            f"The body's type is not taken: this model answers {way.several}. Expected {way.expected}. "
            f"Received: {short(media_type) or 'no type'!r}.",
            415,
        )
    if not body:
        raise InputError(f"The body is empty. Expected {way.expected}.", 400)
    if len(body) > way.max_body_bytes:
        raise InputError(
            f"The body is too large. Expected at most {way.max_body_bytes} bytes. Send fewer {way.several} at once.",
            413,
        )
    in_body = PLAIN
    if media_type == "application/json":
        raws, in_body = JSON_READERS[kind](body, most)
    elif media_type == "multipart/form-data":
        raws, in_body = parsing_images.read_form(body, options.get(b"boundary", b""), most)
    elif media_type == "text/plain":
        raws = [parsing_json.read_plain(body, options.get(b"charset", b"utf-8"))]
    else:
        raws = [body]
    return Asked(raws, in_body if in_query is PLAIN else in_query.together(in_body))


def _is_taken(media_type: str, kind: str, way: Way) -> bool:
    if media_type == "application/json" or media_type in way.body_types:
        return True
    return kind == InputKind.IMAGE and (media_type == "multipart/form-data" or media_type in OTHER_IMAGE_TYPES)
