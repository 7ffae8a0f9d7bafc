"""Tensors of the Open Inference Protocol, and how they stand in JSON.

Nothing is allocated from a size that a request declares before what came with it was found to have that size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from records.errors import InputError
from serving.parsing.parameters import short

DATATYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("<u1"), "UINT16": np.dtype("<u2"), "UINT32": np.dtype("<u4"), "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"), "INT16": np.dtype("<i2"), "INT32": np.dtype("<i4"), "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"), "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(np.object_),
}  # fmt: skip
"""As numpy holds them. BYTES are `bytes` where they came in binary, `str` or `None` where they came as JSON."""
FLOATS = frozenset({"FP16", "FP32", "FP64"})
MAX_DIMENSIONS = 8

INTEGERS: frozenset[type] = frozenset({int})
NUMBERS: frozenset[type] = frozenset({int, float, type(None)})
JSON_TYPES: dict[str, frozenset[type]] = {
    **dict.fromkeys(DATATYPES, INTEGERS),
    **dict.fromkeys(FLOATS, NUMBERS),
    "BOOL": frozenset({bool}),
    "BYTES": frozenset({str, type(None)}),
}
WORDS = {"BOOL": "true or false", "BYTES": "strings", **dict.fromkeys(FLOATS, "numbers")}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input of a request, or one output of a reply."""

    name: str
    datatype: str
    """A key of `DATATYPES`."""
    values: np.ndarray
    """Of any shape. NaN in floats from JSON: null, which means that a value is missing."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a request says of an input tensor before its values are read."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of its values. A Python integer: it cannot overflow."""
        return math.prod(self.shape)


def declared(one: Any) -> Declared:
    """Name, datatype and shape of an input in the JSON of a request.

    Raises:
        InputError: One of them is missing or wrong (422).
    """
    if type(one) is not dict:
        raise InputError('An input is not a tensor. Expected {"name": …, "datatype": …, "shape": […], "data": […]}.')
    name, datatype, shape = one.get("name"), one.get("datatype"), one.get("shape")
    if type(name) is not str or not name:
        raise InputError("An input has no name. Expected a string in `name`.")
    if type(datatype) is not str or datatype not in DATATYPES:
        raise InputError(
            f"The tensor {short(name)!r} has an unknown datatype. Expected one of {', '.join(DATATYPES)}. "
            f"Received: {short(repr(datatype))}."
        )
    if type(shape) is not list or not 1 <= len(shape) <= MAX_DIMENSIONS or any(type(side) is not int for side in shape):
        raise InputError(
            f"The shape of the tensor {short(name)!r} is wrong. Expected a list of 1 to {MAX_DIMENSIONS} whole numbers."
        )
    if min(shape) < 1:
        raise InputError(
            f"The shape of the tensor {short(name)!r} is wrong. Expected numbers from 1. Received: {short(str(shape))}."
        )
    return Declared(name, datatype, tuple(shape))


def from_json(tensor: Declared, data: Any) -> Tensor:
    """A tensor whose values stand in the JSON: as one flat list, or as nested lists of its shape.

    Raises:
        InputError: Values of another type, number or range (422).
    """
    values = _flat(tensor, data)
    allowed = JSON_TYPES[tensor.datatype]
    if not allowed.issuperset(map(type, values)):
        wrong = next(value for value in values if type(value) not in allowed)
        raise InputError(
            f"The tensor {short(tensor.name)!r} is of {tensor.datatype}. "
            f"Expected {WORDS.get(tensor.datatype, 'whole numbers')}. Received: {short(repr(wrong))}."
        )
    return Tensor(tensor.name, tensor.datatype, _array(tensor, values).reshape(tensor.shape))


def to_json(tensor: Tensor) -> dict[str, Any]:
    """An output for orjson with OPT_SERIALIZE_NUMPY. BYTES must be texts in UTF-8."""
    values = tensor.values.reshape(-1)
    flat: Any = np.ascontiguousarray(values)
    if tensor.datatype == "BYTES":
        flat = [value.decode() if isinstance(value, bytes) else value for value in values.tolist()]
    elif tensor.datatype == "FP16":
        flat = values.astype(np.float32)
    return {**heading(tensor), "data": flat}


def heading(tensor: Tensor) -> dict[str, Any]:
    """Name, datatype and shape of an output."""
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.values.shape)}


def objects(values: Sequence[Any]) -> np.ndarray:
    """`<object>[n]`, whatever the values are."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def check_size(tensor: Declared, received: int) -> None:
    """Whether so many values came as the shape says.

    Raises:
        InputError: Another number (422).
    """
    if received != tensor.size:
        raise InputError(
            f"The data of the tensor {short(tensor.name)!r} does not fit its shape {short(str(list(tensor.shape)))}. "
            f"Expected {short(str(tensor.size))} values. Received: {received}."
        )


def out_of_range(tensor: Declared) -> InputError:
    """For numbers that their datatype cannot hold, or that are not finite."""
    return InputError(
        f"The tensor {short(tensor.name)!r} holds a number that {tensor.datatype} cannot hold, or that is not finite. "
        "Expected finite numbers."
    )


def _flat(tensor: Declared, data: Any) -> list[Any]:
    if type(data) is not list:
        raise InputError(f"The tensor {short(tensor.name)!r} has no data. Expected a list of values in `data`.")
    if not data or type(data[0]) is not list:
        check_size(tensor, len(data))
        return data
    values = data
    fits = len(values) == tensor.shape[0]
    for width in tensor.shape[1:]:
        fits = fits and all(type(one) is list and len(one) == width for one in values)
        if not fits:
            break
        values = list(chain.from_iterable(values))
    if not fits:
        raise InputError(
            f"The data of the tensor {short(tensor.name)!r} is nested otherwise than its shape "
            f"{short(str(list(tensor.shape)))}. Expected lists of that shape, or one flat list."
        )
    return values


def _array(tensor: Declared, values: list[Any]) -> np.ndarray:
    if tensor.datatype == "BYTES":
        return objects(values)
    dtype = DATATYPES[tensor.datatype]
    if tensor.datatype not in FLOATS:
        try:
            return np.array(values, dtype)
        except OverflowError:
            raise out_of_range(tensor) from None
    wide = np.array(values, np.float64)  # None becomes NaN; JSON itself holds neither NaN nor infinity
    with np.errstate(over="ignore"):
        array = wide.astype(dtype, copy=False)
    if np.isinf(array).any():
        raise out_of_range(tensor)
    return array
