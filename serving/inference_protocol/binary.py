"""The binary tensor data extension: values as bytes behind the JSON, in the order of the tensors.

Little-endian, row by row, nothing between the values. A BYTES value is its length as four bytes, then the bytes.
Source: the page "Binary Tensor Data Extension" of Triton's documentation of the protocol.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from records.errors import InputError
from serving.inference_protocol.tensors import (
    DATATYPES,
    FLOATS,
    Declared,
    Tensor,
    check_size,
    heading,
    objects,
    out_of_range,
)
from serving.parsing.parameters import short

HEADER_LENGTH = b"inference-header-content-length"
MAX_DIGITS = 12
LENGTH = struct.Struct("<I")


def split(headers: Mapping[bytes, bytes], body: bytes) -> tuple[memoryview, memoryview | None]:
    """The JSON of a request, and what stands behind it; `None` where the request says of no such thing.

    Raises:
        InputError: The JSON's length is no number, or longer than the body (400).
    """
    told, view = headers.get(HEADER_LENGTH), memoryview(body)
    if told is None:
        return view, None
    if not told.isdigit() or len(told) > MAX_DIGITS or int(told) > len(body):
        raise InputError(
            "Inference-Header-Content-Length is wrong. Expected the length of the JSON in bytes, at most that of the "
            f"body, {len(body)}. Received: {short(told.decode('latin-1'))!r}.",
            400,
        )
    return view[: int(told)], view[int(told) :]


class Rest:
    """What stands behind the JSON: each tensor takes its own bytes from it."""

    def __init__(self, view: memoryview | None) -> None:
        self._view = view
        self._start = 0

    def take(self, tensor: Declared, size: Any) -> memoryview:
        """The next bytes, uncopied.

        Args:
            tensor: Whose they are, for a sentence.
            size: Its `binary_data_size`, as it came.

        Raises:
            InputError: No size, or more than there is (422).
        """
        if self._view is None:
            raise InputError(
                f"The tensor {short(tensor.name)!r} has a binary_data_size, but the request does not say where its "
                "JSON ends. Expected the header Inference-Header-Content-Length.",
                400,
            )
        left = len(self._view) - self._start
        if type(size) is not int or not 0 <= size <= left:
            raise InputError(
                f"The binary_data_size of the tensor {short(tensor.name)!r} is wrong. "
                f"Expected a whole number up to the {left} bytes that are left. Received: {short(repr(size))}."
            )
        taken = self._view[self._start : self._start + size]
        self._start += size
        return taken

    def check_empty(self) -> None:
        """Whether every byte was some tensor's.

        Raises:
            InputError: Some are left (422).
        """
        left = 0 if self._view is None else len(self._view) - self._start
        if left:
            raise InputError(f"{left} bytes behind the last tensor belong to none. Expected none.")


def from_binary(tensor: Declared, data: memoryview, may_be_nan: bool) -> Tensor:
    """A tensor from its bytes; numbers are not copied.

    Args:
        tensor: As declared.
        data: Its bytes.
        may_be_nan: Whether NaN stands for a missing value; else it is refused.

    Raises:
        InputError: Bytes that are not these values, or numbers that are not finite (422).
    """
    if tensor.datatype == "BYTES":
        return Tensor(tensor.name, tensor.datatype, objects(_elements(tensor, data)).reshape(tensor.shape))
    dtype = DATATYPES[tensor.datatype]
    if len(data) % dtype.itemsize:
        raise InputError(
            f"The tensor {short(tensor.name)!r} is cut off. Expected {dtype.itemsize} bytes for each value. "
            f"Received: {len(data)} bytes."
        )
    check_size(tensor, len(data) // dtype.itemsize)
    if tensor.datatype == "BOOL" and np.frombuffer(data, np.uint8).max() > 1:
        raise InputError(f"The tensor {short(tensor.name)!r} is of BOOL. Expected bytes of 0 or 1.")
    values = np.frombuffer(data, dtype).reshape(tensor.shape)
    if tensor.datatype in FLOATS:
        values = _finite(tensor, values, may_be_nan)
    return Tensor(tensor.name, tensor.datatype, values)


def to_binary(tensor: Tensor) -> tuple[dict[str, Any], bytes]:
    """An output's JSON, and its bytes."""
    if tensor.datatype == "BYTES":
        data = b"".join(
            part for value in tensor.values.reshape(-1).tolist() for part in (LENGTH.pack(len(value)), value)
        )
    else:
        data = tensor.values.astype(DATATYPES[tensor.datatype], copy=False).tobytes()
    return {**heading(tensor), "parameters": {"binary_data_size": len(data)}}, data


def _elements(tensor: Declared, data: memoryview) -> list[bytes]:
    # each has a length of four bytes at least, so a shape that is too large is refused before anything is read
    if tensor.size * LENGTH.size > len(data):
        raise _climbs_out(tensor)
    elements, start = [], 0
    for _ in range(tensor.size):
        if start + LENGTH.size > len(data):
            raise _climbs_out(tensor)
        stop = start + LENGTH.size + LENGTH.unpack_from(data, start)[0]
        if stop > len(data):
            raise _climbs_out(tensor)
        elements.append(bytes(data[start + LENGTH.size : stop]))
        start = stop
    if start != len(data):
        raise InputError(
            f"The tensor {short(tensor.name)!r} has more bytes than its {tensor.size} elements. "
            f"Received: {len(data) - start} more."
        )
    return elements


def _climbs_out(tensor: Declared) -> InputError:
    return InputError(
        f"The elements of the tensor {short(tensor.name)!r} are longer than its bytes. "
        f"Expected {short(str(tensor.size))} elements, each a length in four bytes and as many bytes as it says."
    )


def _finite(tensor: Declared, values: np.ndarray, may_be_nan: bool) -> np.ndarray:
    """The values themselves where all are finite; a copy where NaN stands for what is missing."""
    if np.isfinite(values).all():
        return values
    if np.isinf(values).any():
        raise out_of_range(tensor)
    if not may_be_nan:
        raise InputError(
            f"The tensor {short(tensor.name)!r} holds NaN. Expected finite numbers. If NaN stands for missing values, "
            'say so in the request: "parameters": {"nan_is_missing": true}.'
        )
    values = values.copy()
    values[np.isnan(values)] = np.nan  # of the many NaN, one that raises no signal when it is computed with
    return values
