"""Arrays of a bundle: whatever the file is, it is read, or refused in a sentence."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from records.errors import BundleError
from serving.admitting.contents import check_arrays, check_keras
from serving.arrays import read_arrays


def packed(name: str, content: bytes) -> bytearray:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return bytearray(buffer.getvalue())


def spoilt(name: str, content: bytes, how: str) -> bytes:
    """An archive whose only member is encrypted, of an unknown compression, or damaged in its stream."""
    data, entry = packed(name, content), len(name) + 30
    directory = data.index(b"PK\x01\x02")
    if how == "encrypted":
        data[6] |= 1
        data[directory + 8] |= 1
    elif how == "unknown":
        data[8] = data[directory + 10] = 99
    else:
        data[entry] = 0xFF
    return bytes(data)


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.arange(1000, dtype=np.float32))
    return buffer.getvalue()


@pytest.mark.parametrize("how", ["encrypted", "unknown", "damaged"])
def test_an_archive_that_cannot_be_read_is_refused_in_a_sentence(how: str, tmp_path: Path) -> None:
    arrays, keras = tmp_path / "conformal.npz", tmp_path / "model.keras"
    arrays.write_bytes(spoilt("scores.npy", array(), how))
    keras.write_bytes(spoilt("config.json", b'{"class_name": "Functional"}' * 50, how))
    for ask in (lambda: read_arrays(arrays, ("scores",)), lambda: check_arrays(arrays), lambda: check_keras(keras)):
        with pytest.raises(BundleError):
            ask()
