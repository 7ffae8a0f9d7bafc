"""Pictures in a request: as base64 in JSON, or as the files of a form."""

from __future__ import annotations

import binascii
from base64 import b64decode

from pydantic import ValidationError

from records.api import PredictRequest
from records.errors import InputError
from records.spec import InputKind
from serving.kinds import WAYS
from serving.parsing.form import split_form
from serving.parsing.parameters import NAMES, Options, check_count, short, text_options

SHAPE = WAYS[InputKind.IMAGE].shape


def read_json(body: bytes, max_inputs: int) -> tuple[list[bytes], Options]:
    """Encoded images, and how the answers are to look.

    Raises:
        InputError: Not JSON (400), too many inputs (413), or not a request (422).
    """
    try:
        request = PredictRequest.model_validate_json(body, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            reason = first["msg"].removeprefix("Invalid JSON: ")
            raise InputError(f"The body is not JSON: {reason}. Expected {SHAPE}.", 400) from None
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise InputError(f"The JSON is not a request: {short(where)}: {first['msg']}. Expected {SHAPE}.") from None
    check_count(len(request.inputs), max_inputs)
    options = Options(top_k=request.top_k, coverage=request.coverage, abstain_below=request.abstain_below)
    return [_decode(one.image, f"inputs.{i}.image") for i, one in enumerate(request.inputs)], options


def read_form(body: bytes, boundary: bytes, max_inputs: int) -> tuple[list[bytes], Options]:
    """The files in the field `image`, and how the answers are to look.

    Raises:
        InputError: Not a form (400), too many files (413), or other fields (422).
    """
    parts = split_form(body, boundary, max_inputs + len(NAMES))
    if unknown := sorted({part.name for part in parts if part.name not in ("image", *NAMES)}):
        raise InputError(
            f"The form has unknown fields. Expected files in `image`, and {', '.join(NAMES)} if wanted. "
            f"Received: {short(', '.join(unknown)) or 'a field without a name'}."
        )
    options = [(part.name, _short_bytes(part.content).strip()) for part in parts if part.name in NAMES]
    images = [part.content for part in parts if part.name == "image"]
    check_count(len(images), max_inputs)
    if not images:
        raise InputError("The form holds no image. Expected at least one file in the field `image`.")
    for image in images:
        if not image:
            raise InputError("A file in `image` is empty. Expected an image.")
        if image.startswith((b"http:", b"https:", b"file:", b"data:")):
            raise InputError(f"`image` is an address. Expected the file itself. Received: {_short_bytes(image)!r}.")
    return images, text_options(options)


def _decode(text: str, where: str) -> bytes:
    if text.startswith(("http:", "https:", "file:", "data:")):
        raise InputError(f"{where} is an address. Expected the image itself, as base64. Received: {short(text)!r}.")
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{where} is not base64: {error}. Received: {short(text)!r}.") from None
    if not data:
        raise InputError(f"{where} is empty. Expected an image, as base64.")
    return data


def _short_bytes(data: bytes) -> str:
    return short(data[:100].decode("utf-8", "replace"))
