"""From a request's bytes to the raw inputs that the codec takes. No address in a request is ever fetched or opened."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass
from urllib.parse import parse_qsl

from pydantic import ValidationError
from python_multipart.multipart import parse_options_header

from records.api import PredictRequest
from records.errors import InputError
from serving.form import split_form

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif")
OTHER_IMAGE_TYPES = frozenset({"image/jpg", "image/pjpeg", "image/x-ms-bmp", "image/x-bmp", "application/octet-stream"})
"""Names that clients also use. What the bytes are is seen by the codec, whatever the type says."""
JSON_SHAPE = '{"inputs": [{"image": "<base64>"}]}'
WAYS = (
    "an image as the body (Content-Type: image/png), files as multipart/form-data (field `image`), "
    f"or application/json {JSON_SHAPE}"
)


@dataclass(frozen=True)
class Asked:
    """What a request asks."""

    raws: list[bytes]
    top_k: int | None


def parse_request(content_type: str, query: bytes, body: bytes, max_inputs: int) -> Asked:
    """Reads any of the three kinds of body.

    Raises:
        InputError: Status 400 (not even well-formed), 413 (too many inputs), 415 (another type) or 422 (anything else).
    """
    kind, options = parse_options_header(content_type)
    media_type = kind.decode("latin-1")
    in_query = _query_top_k(query)
    if media_type not in ("multipart/form-data", "application/json", *IMAGE_TYPES, *OTHER_IMAGE_TYPES):
        raise InputError(f"The body's type is not taken. Expected {WAYS}. Received: {media_type or 'no type'!r}.", 415)
    if not body:
        raise InputError(f"The body is empty. Expected {WAYS}.", 400)
    if media_type == "multipart/form-data":
        raws, in_body = _parse_form(body, options.get(b"boundary", b""), max_inputs)
    elif media_type == "application/json":
        raws, in_body = _parse_json(body, max_inputs)
    else:
        raws, in_body = [body], None
    if in_query is not None and in_body is not None and in_query != in_body:
        raise InputError(f"`top_k` was given twice. Expected one value. Received: {in_query} and {in_body}.")
    return Asked(raws, in_query if in_body is None else in_body)


def _query_top_k(query: bytes) -> int | None:
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=16, errors="replace")
    except ValueError:
        raise InputError("The address has too many parameters. Expected at most `top_k`.", 400) from None
    if unknown := sorted({name for name, _ in pairs if name != "top_k"}):
        raise InputError(
            f"The address has unknown parameters. Expected `top_k`. Received: {_short(', '.join(unknown))}."
        )
    if len(pairs) > 1:
        raise InputError("`top_k` was given twice. Expected one value.")
    return _top_k(pairs[0][1]) if pairs else None


def _top_k(text: str) -> int:
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text, re.ASCII):
        raise InputError(f"`top_k` is not a number of classes. Expected an integer from 1. Received: {_short(text)!r}.")
    return int(text)


def _parse_json(body: bytes, max_inputs: int) -> tuple[list[bytes], int | None]:
    try:
        request = PredictRequest.model_validate_json(body, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            reason = first["msg"].removeprefix("Invalid JSON: ")
            raise InputError(f"The body is not JSON: {reason}. Expected {JSON_SHAPE}.", 400) from None
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise InputError(
            f"The JSON is not a request: {_short(where)}: {first['msg']}. Expected {JSON_SHAPE}."
        ) from None
    _check_count(len(request.inputs), max_inputs)
    return [_decode(one.image, f"inputs.{i}.image") for i, one in enumerate(request.inputs)], request.top_k


def _decode(text: str, where: str) -> bytes:
    if text.startswith(("http:", "https:", "file:", "data:")):
        raise InputError(f"{where} is an address. Expected the image itself, as base64. Received: {_short(text)!r}.")
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{where} is not base64: {error}. Received: {_short(text)!r}.") from None
    if not data:
        raise InputError(f"{where} is empty. Expected an image, as base64.")
    return data


def _parse_form(body: bytes, boundary: bytes, max_inputs: int) -> tuple[list[bytes], int | None]:
    parts = split_form(body, boundary, max_inputs + 1)  # one more for `top_k`
    if unknown := sorted({part.name for part in parts if part.name not in ("image", "top_k")}):
        raise InputError(
            f"The form has unknown fields. Expected files in `image`, and `top_k` if wanted. "
            f"Received: {_short(', '.join(unknown)) or 'a field without a name'}."
        )
    numbers = [part.content for part in parts if part.name == "top_k"]
    images = [part.content for part in parts if part.name == "image"]
    _check_count(len(images), max_inputs)
    if len(numbers) > 1:
        raise InputError("`top_k` was given twice. Expected one value.")
    if not images:
        raise InputError("The form holds no image. Expected at least one file in the field `image`.")
    for image in images:
        if not image:
            raise InputError("A file in `image` is empty. Expected an image.")
        if image.startswith((b"http:", b"https:", b"file:", b"data:")):
            raise InputError(f"`image` is an address. Expected the file itself. Received: {_short_bytes(image)!r}.")
    return images, _top_k(_short_bytes(numbers[0]).strip()) if numbers else None


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise InputError(f"Too many inputs in one request. Expected at most {most}. Send several requests.", 413)


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[:most] + "…"


def _short_bytes(data: bytes) -> str:
    return _short(data[:100].decode("utf-8", "replace"))
