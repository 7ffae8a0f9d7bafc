"""The bytes of a table's file: unpacked, as UTF-8, and refused in a sentence where they are no table."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from records.errors import ConfigError, DataError

PARQUET, GZIP = b"PAR1", b"\x1f\x8b"
FOREIGN = {
    b"PK\x03\x04": "a zip archive or an Excel file",
    b"\xd0\xcf\x11\xe0": "an old Excel or Office file",
    b"%PDF": "a PDF",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"SQLite format 3": "a database",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a numpy array",
    b"ARROW1": "an Arrow file",
}
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""A file's first bytes, and what they say. UTF-32 before UTF-16, which begins alike."""
CHUNK = 1 << 22
FEW = 0.1
"""Share of a file's characters beyond ASCII that may be damaged in what is still taken as UTF-8."""
NO_CHARACTERS = b"\x81\x8d\x8f\x90\x9d"
"""Bytes that Windows-1252 has no characters for."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How bytes become characters."""

    name: str
    """As Python's codecs call it."""
    replaced: int = 0
    """Characters that are damaged and become U+FFFD."""

    @property
    def plain(self) -> bool:
        """Whether the bytes are UTF-8 as they are."""
        return self.name == "utf-8" and not self.replaced


def head_of(path: Path) -> bytes:
    """The first bytes, which tell a file's format.

    Raises:
        ConfigError: No such file, or a folder.
        DataError: It cannot be read, or is empty.
    """
    if path.is_dir():
        raise ConfigError(f"{path} is a folder. Expected the file of a table.")
    if not path.exists():
        raise ConfigError(f"There is no file {path}.")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. Expected a readable file.") from error
    if not head:
        raise DataError(f"{path} is empty. Expected a table: a row with the columns' names, and rows below it.")
    for start, what in FOREIGN.items():
        if head.startswith(start):
            raise DataError(f"{path} is {what}, which is not read. Save it as csv, json lines or parquet.")
    return head


@contextmanager
def unpacked(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, without gzip's packing. What goes wrong while they are read becomes a `DataError`."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            yield cast(BinaryIO, gzip.GzipFile(fileobj=file)) if packed else file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged: it cannot be unpacked ({error}). Fetch or pack it again.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. Expected a readable file.") from error


def find_encoding(path: Path, most: int | None = None) -> Encoding:
    """How the file's characters are written: as its first bytes say, else UTF-8 where that fits, else Windows-1252.

    Args:
        path: Of a text file, packed or not.
        most: Bytes to look at; `None`: all.

    Raises:
        DataError: Zero bytes: it is no text.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    replaced = foreign = done = 0
    gaps = False
    with unpacked(path) as file:
        while chunk := file.read(CHUNK if most is None else min(CHUNK, most - done)):
            if not done:
                for mark, name in MARKS:
                    if chunk.startswith(mark):
                        return Encoding(name)
            done += len(chunk)
            if b"\0" in chunk:
                raise DataError(f"{path} is no text: it holds zero bytes. Expected csv, json lines or parquet.")
            if chunk.isascii() and not decoder.getstate()[0]:
                continue
            text = decoder.decode(chunk)
            replaced += max(0, text.count("\ufffd") - chunk.count(codecs.encode("\ufffd")))
            foreign += len(text) - len(text.encode("ascii", "ignore"))
            gaps = gaps or any(byte in chunk for byte in NO_CHARACTERS)
    if most is None or done < most:
        replaced += len(decoder.decode(b"", final=True))
    if replaced <= FEW * foreign:
        return Encoding("utf-8", replaced)
    return Encoding("latin-1" if gaps else "cp1252")


@contextmanager
def as_utf8(path: Path, encoding: Encoding) -> Iterator[BinaryIO]:
    """The file's characters as UTF-8 without a mark, whatever they were. Errors as in `unpacked`."""
    with unpacked(path) as file:
        if encoding.plain:
            start = file.read(3)
            if start != codecs.BOM_UTF8:
                file.seek(0)
            yield file
            return
        name = "utf-8-sig" if encoding.name == "utf-8" else encoding.name
        try:
            yield cast(BinaryIO, _Rewritten(io.TextIOWrapper(file, name, errors="replace", newline="")))
        except UnicodeError as error:  # a codec that refuses even to replace, as UTF-16 without its mark does
            raise DataError(f"{path} is damaged: it cannot be read as {name} ({error}).") from error


class _Rewritten(io.RawIOBase):
    """Characters as UTF-8."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.text, self.rest = text, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.rest:
            self.rest = self.text.read(CHUNK).encode()
        count = min(len(buffer), len(self.rest))
        buffer[:count], self.rest = self.rest[:count], self.rest[count:]
        return count
