"""From raw inputs to what a network takes: within a time, or only where it takes next to none."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from records.errors import InputError
from serving.codecs.catalog import Codec, encode_together

T = TypeVar("T")
LIGHT_INPUTS = 8
"""Of one request, that may be encoded on the event loop where they are small."""
LIGHT_BYTES = 4096
"""Of a body whose inputs are encoded in well under a millisecond, whatever they are."""
LIGHT_IMAGE_BYTES = 16_384
"""The same for images, whose codec looks at their size besides."""


def is_light(codec: Codec, num_bytes: int) -> bool:
    """Whether a body of so many bytes may be parsed and encoded on the event loop."""
    return num_bytes <= (LIGHT_IMAGE_BYTES if codec.kind == "image" else LIGHT_BYTES)


def encode_light(codec: Codec, raws: Sequence[Any]) -> Sequence[np.ndarray] | None:
    """The inputs of a light body, encoded; `None` where one of them would take long after all.

    Raises:
        InputError: An input is not what it should be.
    """
    if len(raws) > LIGHT_INPUTS:
        return None
    encode = getattr(codec, "encode_light", codec.encode)
    arrays = []
    for index in range(len(raws)):
        array = each(encode, raws, index)
        if array is None:
            return None
        arrays.append(array)
    return arrays


def encode_part(
    codec: Codec, raws: Sequence[Any], part: range, seconds: float, most: float | None
) -> tuple[Sequence[np.ndarray], float]:
    """The inputs of `part`, and the seconds that encoding took so far, of which there may be `most`.

    Raises:
        InputError: An input is not what it should be, or they take too long (413).
    """
    began = time.monotonic()
    together = encode_together(codec, raws[part.start : part.stop])
    if together is not None and (most is None or seconds <= most):
        return list(together), seconds + time.monotonic() - began
    arrays = []
    for index in part:
        if most is not None and seconds > most:
            raise _too_slow(index, len(raws), seconds, most)
        began = time.monotonic()
        arrays.append(each(codec.encode, raws, index))
        seconds += time.monotonic() - began
    return arrays, seconds


def each(function: Callable[[Any], T], raws: Sequence[Any], index: int) -> T:
    """The function of one raw input; where there are several, its error says which one it is."""
    try:
        return function(raws[index])
    except InputError as error:
        if len(raws) == 1:
            raise
        raise InputError(f"Input {index + 1} of {len(raws)}: {error}", error.status) from error


def _too_slow(index: int, count: int, seconds: float, most: float) -> InputError:
    return InputError(
        f"Decoding took too long: {index} of {count} inputs in {seconds:.0f} seconds. "
        f"Expected at most {most:g} seconds for all. Send fewer, or smaller ones.",
        413,
    )
