"""From the tensors of a request to the raw inputs that the codec takes. One function for each kind of input."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import orjson

from records.errors import InputError
from records.spec import InputKind
from serving.codecs.catalog import Codec
from serving.inference_protocol.tensors import FLOATS, Tensor
from serving.parsing.json_bodies import CELLS
from serving.parsing.parameters import short

Tensors = Mapping[str, Tensor]
Read = Callable[[Codec, Tensors], list[Any]]
"""`(codec, tensors) -> raws`: one for each position of the first axis."""


def read_images(codec: Codec, tensors: Tensors) -> list[Any]:
    """Encoded pictures from `image`, or `<uint8>[height, width, channels]` from `pixels`.

    Raises:
        InputError: Other tensors, no base64, or pixels of another size.
    """
    if "pixels" not in tensors:
        elements = _elements(_only(tensors, "image", " or `pixels`")["image"])
        return [one if isinstance(one, bytes) else _from_base64(one, i) for i, one in enumerate(elements)]
    pixels = _only(tensors, "pixels", " or `image`")["pixels"]
    values, shape = pixels.values, codec.input_shape
    if pixels.datatype != "UINT8" or values.shape[1:] != shape:
        raise InputError(
            f"`pixels` is not of the model's size. Expected UINT8 of shape {[-1, *shape]}; pictures of other sizes go "
            f"into `image`. Received: {pixels.datatype} of shape {short(str(list(values.shape)))}."
        )
    return list(values)


def read_texts(codec: Codec, tensors: Tensors) -> list[Any]:
    """Strings from `text`.

    Raises:
        InputError: Other tensors, or bytes that are not UTF-8.
    """
    tensor = _only(tensors, "text")["text"]
    return [_text(tensor, one, i) for i, one in enumerate(_elements(tensor))]


def read_series(codec: Codec, tensors: Tensors) -> list[Any]:
    """`<float>[steps]` or `[steps, channels]` from `series`; NaN is a missing value.

    Raises:
        InputError: Other tensors, or no numbers.
    """
    tensor = _only(tensors, "series")["series"]
    if tensor.datatype in ("BOOL", "BYTES") or tensor.values.ndim not in (2, 3):
        raise InputError(
            "`series` is wrong. Expected FP64 or other numbers of shape [-1, steps] or [-1, steps, channels]. "
            f"Received: {tensor.datatype} of shape {short(str(list(tensor.values.shape)))}."
        )
    return list(tensor.values)


def read_rows(codec: Codec, tensors: Tensors) -> list[Any]:
    """Rows from one tensor a column. The codec refuses columns that it does not know.

    Raises:
        InputError: A tensor of another shape, or bytes that are not UTF-8.
    """
    columns = [_cells(tensor) for tensor in tensors.values()]
    return [dict(zip(tensors, row, strict=True)) for row in zip(*columns, strict=True)]


def read_forecasts(codec: Codec, tensors: Tensors) -> list[Any]:
    """Histories, and futures where there are any, from `history` and `future`.

    Raises:
        InputError: Other tensors, or elements that are no JSON list of rows.
    """
    given = _only(tensors, "history", " and, where wanted, `future`", ("future",))
    histories = [_rows(given["history"], one, i) for i, one in enumerate(_elements(given["history"]))]
    futures: list[Any] = [None] * len(histories)
    if "future" in given:
        found = _elements(given["future"], True)
        futures = [_rows(given["future"], one, i) if one else None for i, one in enumerate(found)]
    return [{"history": past, "future": coming} for past, coming in zip(histories, futures, strict=True)]


READERS: dict[str, Read] = {
    InputKind.IMAGE: read_images,
    InputKind.TEXT: read_texts,
    InputKind.SERIES: read_series,
    InputKind.TABLE: read_rows,
    InputKind.FORECAST: read_forecasts,
}


def max_tensors(codec: Codec) -> int:
    """How many tensors a request may have: for a table one a column, those that are not read included."""
    return len(getattr(codec, "columns", ())) + len(getattr(codec, "ignored", ())) if codec.kind == "table" else 2


def _only(tensors: Tensors, name: str, others: str = "", optional: tuple[str, ...] = ()) -> Tensors:
    unknown = [given for given in tensors if given != name and given not in optional]
    if unknown or name not in tensors:
        received = ", ".join(tensors)
        raise InputError(f"The tensors are not this model's. Expected `{name}`{others}. Received: {short(received)}.")
    return tensors


def _elements(tensor: Tensor, may_miss: bool = False) -> list[Any]:
    """The elements of BYTES: one for each input, as `asking` sees to."""
    if tensor.datatype != "BYTES":
        raise InputError(f"`{tensor.name}` is of another datatype. Expected BYTES. Received: {tensor.datatype}.")
    elements: list[Any] = tensor.values.reshape(-1).tolist()
    if not may_miss and None in elements:
        raise InputError(f"Element {elements.index(None)} of `{tensor.name}` is null. Expected a string.")
    return elements


def _text(tensor: Tensor, element: bytes | str, index: int) -> str:
    if isinstance(element, str):
        return element
    try:
        return element.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"Element {index} of the tensor {short(tensor.name)!r} is not UTF-8: byte {error.start} cannot be read."
        ) from None


def _from_base64(text: str, index: int) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(
            f"Element {index} of `image` is not base64: {error}. Expected a picture as base64, or bytes behind the "
            f"JSON. Received: {short(text)!r}."
        ) from None


def _cells(tensor: Tensor) -> list[Any]:
    values = tensor.values
    if values.size != len(values):
        raise InputError(
            f"The column {short(tensor.name)!r} is of another shape. Expected [-1] or [-1, 1]. "
            f"Received: {short(str(list(values.shape)))}."
        )
    cells: list[Any] = values.reshape(-1).tolist()
    if tensor.datatype == "BYTES":
        return [None if one is None else _text(tensor, one, i) for i, one in enumerate(cells)]
    if tensor.datatype in FLOATS and np.isnan(values).any():
        return [None if one != one else one for one in cells]
    return cells


def _rows(tensor: Tensor, element: bytes | str, index: int) -> list[dict[str, Any]]:
    where = f"Element {index} of `{tensor.name}`"
    try:
        rows = orjson.loads(element)
    except orjson.JSONDecodeError as error:
        raise InputError(f"{where} is not JSON: {error}. Expected a list of rows.") from None
    if type(rows) is not list:
        raise InputError(f"{where} is no list of rows. Received: {short(repr(rows))}.")
    for number, row in enumerate(rows, 1):
        if type(row) is not dict or not CELLS.issuperset(map(type, row.values())):
            raise InputError(
                f"Row {number} in element {index} of `{tensor.name}` is wrong. Expected columns with numbers, strings, "
                f"true, false or null. Received: {short(repr(row))}."
            )
    return rows
