"""Arrays of a bundle, read without trust: no pickle, and no more memory than the file says it needs."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from records.errors import BundleError

MOST_BYTES = 256_000_000
"""Of one array. The largest that is written: 512 embeddings of a few networks side by side."""

UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError)
"""What `zipfile` and numpy raise for files that are damaged, encrypted (RuntimeError) or of an unknown compression."""


def read_arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Those of `names` that an `.npz` file holds; nothing where there is no file.

    Raises:
        BundleError: It is not such a file, or an array is no array of numbers, or far too large.
    """
    if not path.is_file():
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            known = set(archive.namelist())
            return {name: _read(archive, f"{name}.npy") for name in names if f"{name}.npy" in known}
    except (*UNREADABLE, KeyError, MemoryError) as error:
        raise BundleError(f"{path} cannot be read: {error}. Package the model again.") from error


def _read(archive: zipfile.ZipFile, member: str) -> np.ndarray:
    """An array whose header says what it needs before the memory is taken."""
    size = archive.getinfo(member).file_size
    if size > MOST_BYTES:
        raise ValueError(f"{member} takes {size} bytes, more than {MOST_BYTES}")
    with archive.open(member) as file:
        read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        shape, _, dtype = read_header[npy.read_magic(file)](file)
    if dtype.kind not in "fiu":
        raise ValueError(f"{member} holds {dtype}, not numbers")
    if np.prod(shape, dtype=object) * dtype.itemsize > size:
        raise ValueError(f"{member} is shorter than it says")
    with archive.open(member) as file:
        return npy.read_array(file, allow_pickle=False)
