"""Reads a PyTorch state dict without PyTorch, and without running anything that its pickle asks for."""

from __future__ import annotations

import math
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from records.errors import ConfigError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
# Plain strings, since a pickle may change the attributes of whatever object it gets.
STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


class _Storage(NamedTuple):
    key: str
    dtype: str
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(storage: _Storage, offset: int, shape: Any, strides: Any, *_: object) -> _Tensor:
    """Stands in for PyTorch's function: only notes which part of which storage is meant."""
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Admits ordered dicts, tensors and their storages. Every other name is refused before it is imported."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no weights need")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, size, view = pid
        if kind != "storage" or dtype not in STORAGES.values() or view is not None or not isinstance(size, int):
            raise pickle.UnpicklingError("an unknown kind of storage")
        return _Storage(key, dtype, size)


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Reads a legacy (non-zip) `.pth` file that holds a state dict.

    Returns:
        The tensors by name, C-contiguous, in PyTorch's order of axes.

    Raises:
        ConfigError: The file cannot be read, is damaged, or asks for more than tensors.
    """
    try:
        with path.open("rb") as stream:
            if _Unpickler(stream).load() != MAGIC or _Unpickler(stream).load() != PROTOCOL:
                raise ValueError("it is not PyTorch's legacy format")
            _Unpickler(stream).load()  # sizes of C types on the machine that wrote it
            state = _Unpickler(stream).load()
            tensors = {name: tensor for name, tensor in state.items() if isinstance(tensor, _Tensor)}
            if len(tensors) != len(state):
                raise ValueError("it holds more than tensors")
            storages = _read_storages(stream, {t.storage.key: t.storage for t in tensors.values()})
        return {name: _array(tensor, storages) for name, tensor in tensors.items()}
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise ConfigError(
            f"The weights in {path.name} cannot be read: {error or type(error).__name__}. "
            "Expected a PyTorch state dict with nothing but tensors. Install the package of these weights again."
        ) from error


def _read_storages(stream: BinaryIO, expected: dict[str, _Storage]) -> dict[str, np.ndarray]:
    """The numbers follow the pickles: a list of keys, then for each its length and its bytes."""
    storages = {}
    for key in _Unpickler(stream).load():
        storage = expected[key]
        count = int.from_bytes(stream.read(8), "little")
        num_bytes = count * np.dtype(storage.dtype).itemsize
        if count != storage.size or num_bytes > os.fstat(stream.fileno()).st_size - stream.tell():
            raise ValueError("a storage is cut short")
        storages[key] = np.frombuffer(stream.read(num_bytes), storage.dtype)
    return storages


def _array(tensor: _Tensor, storages: dict[str, np.ndarray]) -> np.ndarray:
    """Copies one tensor out of its storage. Strides come from the file, so nothing outside may be reached by them."""
    numbers = storages[tensor.storage.key]
    extents = (tensor.offset, *tensor.shape, *tensor.strides)
    if len(tensor.shape) != len(tensor.strides) or not all(isinstance(n, int) and n >= 0 for n in extents):
        raise ValueError("a tensor of impossible shape")
    last = tensor.offset + sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True))
    if 0 in tensor.shape or math.prod(tensor.shape) > numbers.size or last >= numbers.size:
        raise ValueError("a tensor that is larger than its storage")
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return np.array(np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides), order="C")
