"""Reads weights that are stored in the safetensors format: a JSON header, then the numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from records.errors import ConfigError

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U8": "|u1"}
MAX_HEADER_BYTES = 100_000_000
"""The format's own limit."""


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file by name. They are read-only views of the mapped file: what is not looked at is not read.

    Raises:
        ConfigError: The file cannot be read or is damaged.
    """
    try:
        content = np.memmap(path, dtype=np.uint8, mode="r")
        if len(content) < 8:
            raise ValueError("it is cut short")
        length = int.from_bytes(content[:8].tobytes(), "little")
        if length > min(MAX_HEADER_BYTES, len(content) - 8):
            raise ValueError("its header is cut short")
        header = json.loads(content[8 : 8 + length].tobytes())
        numbers = content[8 + length :]
        return {name: _tensor(numbers, **entry) for name, entry in header.items() if name != "__metadata__"}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"The weights in {path.name} cannot be read: {error}. Expected a safetensors file. "
            "Install the package of these weights again."
        ) from error


def _tensor(numbers: np.ndarray, *, dtype: str, shape: list[int], data_offsets: list[int]) -> np.ndarray:
    """One tensor; nothing outside of the file can be reached, whatever the header says."""
    start, stop = data_offsets
    values: list[Any] = [start, stop, *shape]
    if not all(type(value) is int and value >= 0 for value in values) or stop > len(numbers):
        raise ValueError("a tensor lies outside of the file")
    kind = np.dtype(DTYPES[dtype])
    if stop - start != math.prod(shape) * kind.itemsize:
        raise ValueError("a tensor's shape does not fit its size")
    return np.frombuffer(numbers[start:stop], dtype=kind).reshape(shape)
