"""What the files of a bundle hold, as far as it can be seen without loading them: data, and no more than they declare.

A bundle may come from a stranger. What reads these files does so safely (ONNX Runtime runs no code of a file, Keras is
asked in its safe mode, numpy without pickle); here is refused, quickly and in any process, what would only be refused
after gigabytes were allocated, or what has no business in a bundle.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from records.bundle import KERAS_MODEL, ONNX_MODEL
from records.errors import BundleError
from serving.admitting.onnx_files import check_onnx
from serving.arrays import UNREADABLE

SUFFIXES = frozenset({".json", ".keras", ".onnx", ".tflite", ".npz", ".npy", ".md", ".html", ".svg", ".yaml"})
"""Of files that may lie in a bundle. All of them are data."""
MAX_ARRAY_BYTES = 2_000_000_000
"""In all arrays of a file, as they declare it."""
MAX_CONFIG_BYTES = 64_000_000
"""Of the description of a Keras network."""
MAX_RATIO = 200
"""Declared bytes for each byte of a compressed member: weights shrink to nine tenths, descriptions to a tenth."""
MAX_MEMBERS = 1000
KERAS_MEMBERS = frozenset({"metadata.json", "config.json", "model.weights.h5"})
CODE_CLASSES = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "__lambda__"})
"""Of Keras, that hold or load code."""


def check_contents(folder: Path, names: set[str]) -> None:
    """Refuses a bundle with a file that is not what its name says, or that would take much more than its size.

    Args:
        folder: Of the bundle.
        names: Of its files, relative.

    Raises:
        BundleError: The first that was found.
    """
    for name in sorted(names):
        path = folder / name
        if path.suffix not in SUFFIXES:
            raise BundleError(
                f"The bundle {folder} holds a file of an unknown sort: {name!r}. "
                f"Expected {', '.join(sorted(SUFFIXES))}."
            )
        if path.suffix in (".npz", ".npy"):
            check_arrays(path)
        elif name == ONNX_MODEL or path.suffix == ".onnx":
            check_onnx(path)
        elif name == KERAS_MODEL or path.suffix == ".keras":
            check_keras(path)


def check_arrays(path: Path) -> None:
    """Refuses an .npz or .npy file that holds pickled objects, or shapes that its bytes cannot fill.

    Raises:
        BundleError: So.
    """
    try:
        if path.suffix == ".npy":
            with path.open("rb") as file:
                declared = _declared(file)
                if declared > path.stat().st_size:
                    raise ValueError("it declares more than it holds")
            return
        with zipfile.ZipFile(path) as archive:
            declared = 0
            for member in _members(archive):
                with archive.open(member) as file:
                    size = _declared(file)
                if size > member.file_size:
                    raise ValueError(f"{member.filename!r} declares more than it holds")
                declared += size
            if declared > MAX_ARRAY_BYTES:
                raise ValueError(f"its arrays would take {declared} bytes")
    except UNREADABLE as error:
        raise BundleError(f"{path} does not hold plain arrays: {error}.") from error


def check_keras(path: Path) -> None:
    """Refuses a .keras file with other members than Keras writes, sizes that are too large, or layers that hold code.

    What its weights declare is not looked at: that takes HDF5, so Keras loads a stranger's file in a limited process.

    Raises:
        BundleError: So.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for member in _members(archive):
                name = member.filename
                if name not in KERAS_MEMBERS and not name.startswith("assets/"):
                    raise ValueError(f"it holds {name!r}")
                if name.endswith(".json") and member.file_size > MAX_CONFIG_BYTES:
                    raise ValueError(f"its {name} would take {member.file_size} bytes")
            for found in _classes(json.loads(archive.read("config.json"))):
                raise ValueError(f"it holds {found}, which may run code")
    except (*UNREADABLE, KeyError) as error:  # a RecursionError is a RuntimeError
        raise BundleError(f"{path} is not a Keras file that may be loaded: {_sentence(error)}.") from error


def _members(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """Files of an archive; names that climb out, bombs and links are refused before anything is unpacked."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise ValueError(f"it holds {len(members)} members")
    for member in members:
        if member.filename.startswith(("/", "\\")) or ".." in member.filename.replace("\\", "/").split("/"):
            raise ValueError(f"its member {member.filename!r} lies outside of it")
        if (member.external_attr >> 16) & 0o170000 == 0o120000:
            raise ValueError(f"its member {member.filename!r} is a link")
        if member.file_size > max(member.compress_size, 10_000) * MAX_RATIO:
            raise ValueError(
                f"its member {member.filename!r} would grow from {member.compress_size} to {member.file_size} bytes"
            )
        if not member.is_dir():
            yield member


def _declared(file: Any) -> int:
    """Bytes that the header of an .npy file says its array takes."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects")
    return math.prod(shape) * dtype.itemsize


def _classes(config: Any) -> Iterator[str]:
    """What in the description of a Keras network is not plainly one of Keras' own classes."""
    left = [config]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            name, module = one.get("class_name"), one.get("module")
            if isinstance(name, str) and name in CODE_CLASSES:
                yield f"a {name}"
            if isinstance(module, str) and module != "builtins" and module.split(".")[0] != "keras":
                yield f"something of {module!r}"
            if module == "builtins" and name != "function" and isinstance(name, str):
                yield f"something of {module!r}"
            left += one.values()
        elif isinstance(one, list):
            left += one


def _sentence(error: BaseException) -> str:
    return "a member is missing" if isinstance(error, KeyError) else str(error) or type(error).__name__
