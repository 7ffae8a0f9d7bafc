"""What was written is read, and a damaged or hostile file reaches nothing outside of itself."""

import json
from pathlib import Path

import numpy as np
import pytest

from records.errors import ConfigError
from search_spaces.safetensors import read_safetensors

ENTRY = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def write(path: Path, header: dict[str, object], data: bytes = bytes(range(40))) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_tensors_of_several_types(tmp_path: Path) -> None:
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array([7, -1]),
        "c": np.float16(0.5).reshape(()),
    }
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, array in arrays.items():
        kind = {"f4": "F32", "i8": "I64", "f2": "F16"}[array.dtype.str[1:]]
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": offsets}
        data += array.tobytes()
    read = read_safetensors(write(tmp_path / "w.safetensors", header, data))
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].dtype == array.dtype and not read[name].flags.writeable


@pytest.mark.parametrize(
    "entry",
    [
        {**ENTRY, "data_offsets": [24, 48]},
        {**ENTRY, "data_offsets": [-24, 0]},
        {**ENTRY, "data_offsets": [24, 0]},
        {**ENTRY, "data_offsets": [0, 25]},
        {**ENTRY, "data_offsets": [0]},
        {**ENTRY, "shape": [2, 4]},
        {**ENTRY, "shape": [-2, -3]},
        {**ENTRY, "shape": [2**40, 2**40]},
        {**ENTRY, "shape": "23"},
        {**ENTRY, "dtype": "BF99"},
        {**ENTRY, "more": 1},
        {"dtype": "F32"},
        7,
    ],
)
def test_headers_that_lie_are_refused(tmp_path: Path, entry: object) -> None:
    with pytest.raises(ConfigError, match=r"weights in w.safetensors cannot be read: .* Install the package"):
        read_safetensors(write(tmp_path / "w.safetensors", {"a": entry}))


@pytest.mark.parametrize("content", [b"", b"1234", b"\xff" * 8, b"\x40" + bytes(7) + b"{}", b"\x02" + bytes(7) + b"[]"])
def test_files_that_are_cut_short_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_safetensors(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_safetensors(tmp_path / "missing")
