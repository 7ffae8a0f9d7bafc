"""What an ONNX file holds, read without running any of it: Protocol Buffers' fields, and nothing of what they mean.

ONNX Runtime follows tensors to other files and allocates what their shapes declare, so both are looked at before. The
numbers of the fields are those of onnx.proto3 (IR version 9 to 13); a field that is not named here is passed over.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from pathlib import Path

from records.errors import BundleError

MAX_DEPTH = 16
"""Graphs inside of graphs: the branches of an `If`, the body of a `Loop`. Exports have two at most."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

MODEL_GRAPH, MODEL_TRAINING, MODEL_FUNCTION = 7, 20, 25
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE = 1, 5, 15
FUNCTION_NODE, FUNCTION_ATTRIBUTE = 7, 11
NODE_ATTRIBUTE = 5
ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPH, ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS = 5, 6, 10, 11
ATTRIBUTE_SPARSE = (22, 23)
TENSOR_DIMS, TENSOR_EXTERNAL, TENSOR_LOCATION = 1, 13, 14
TENSOR_DATA = frozenset({4, 5, 6, 7, 9, 10, 11})

Field = tuple[int, int | memoryview]
"""Its number, and its value: a number, or the bytes of a text or of a message."""


def check_onnx(path: Path) -> None:
    """Refuses a file that points elsewhere, declares more than it holds, or is no ONNX file.

    Raises:
        BundleError: External data, sparse tensors, a tensor that is larger than its data, graphs nested too deeply,
            or broken Protocol Buffers.
    """
    try:
        with path.open("rb") as file:
            # not closed by hand: an error's traceback still points into it; it is let go with its last part
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        _check_model(memoryview(content))
    except _Wrong as error:
        raise BundleError(f"{path} is not a network that may be loaded: {error}.") from None
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise BundleError(f"{path} cannot be read: {error}.") from error


class _Wrong(Exception):
    """What is wrong, as a clause."""


def _check_model(model: memoryview) -> None:
    graphs = 0
    for number, value in _fields(model):
        if number == MODEL_GRAPH:
            graphs += 1
            _check_graph(_message(value), 1)
        elif number == MODEL_TRAINING:
            raise _Wrong("it holds a training step")
        elif number == MODEL_FUNCTION:
            _check_function(_message(value))
    if graphs != 1:
        raise _Wrong(f"expected one graph, received {graphs}")


def _check_graph(graph: memoryview, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _Wrong(f"its graphs are nested more than {MAX_DEPTH} deep")
    for number, value in _fields(graph):
        if number == GRAPH_NODE:
            _check_node(_message(value), depth)
        elif number == GRAPH_INITIALIZER:
            _check_tensor(_message(value))
        elif number == GRAPH_SPARSE:
            raise _Wrong("it holds a sparse tensor")


def _check_function(function: memoryview) -> None:
    for number, value in _fields(function):
        if number == FUNCTION_NODE:
            _check_node(_message(value), 1)
        elif number == FUNCTION_ATTRIBUTE:
            _check_attribute(_message(value), 1)


def _check_node(node: memoryview, depth: int) -> None:
    for number, value in _fields(node):
        if number == NODE_ATTRIBUTE:
            _check_attribute(_message(value), depth)


def _check_attribute(attribute: memoryview, depth: int) -> None:
    for number, value in _fields(attribute):
        if number in (ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS):
            _check_tensor(_message(value))
        elif number in (ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS):
            _check_graph(_message(value), depth + 1)
        elif number in ATTRIBUTE_SPARSE:
            raise _Wrong("it holds a sparse tensor")


def _check_tensor(tensor: memoryview) -> None:
    dims: list[int] = []
    held = 0
    for number, value in _fields(tensor):
        if number == TENSOR_EXTERNAL or (number == TENSOR_LOCATION and value):
            raise _Wrong("it keeps data in another file")
        if number == TENSOR_DIMS:
            dims += list(_packed(value)) if isinstance(value, memoryview) else [value]
        elif number in TENSOR_DATA:
            # a number that is not packed takes its tag too, so counting it as one byte is on the safe side
            held += len(value) + 1 if isinstance(value, memoryview) else 1
    if any(dim >= 2**63 for dim in dims):
        raise _Wrong("a tensor has a negative size")
    declared = math.prod(dims)
    if declared > 2 * held:  # the smallest numbers have four bits
        raise _Wrong(f"a tensor declares {declared} elements and holds {held} bytes")


def _message(value: int | memoryview) -> memoryview:
    if not isinstance(value, memoryview):
        raise _Wrong("it is broken: a number stands where a message was expected")
    return value


def _packed(value: memoryview) -> Iterator[int]:
    place = 0
    while place < len(value):
        number, place = _varint(value, place)
        yield number


def _fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message, in order. Groups, which ONNX does not use, are refused."""
    place, end = 0, len(message)
    while place < end:
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if kind == BYTES:
            size, place = _varint(message, place)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise _Wrong("it is broken: a field of an unknown sort")
        if size > end - place:
            raise _Wrong("it is broken: it ends too early")
        yield number, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number that begins at `place`, and the place behind it."""
    number = shift = 0
    while place < len(message):
        byte = message[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
        shift += 7
        if shift > 63:
            raise _Wrong("it is broken: a number that is too long")
    raise _Wrong("it is broken: it ends too early")
