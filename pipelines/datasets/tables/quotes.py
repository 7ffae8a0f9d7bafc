"""Whether a file's quotation marks enclose cells, or are only what somebody wrote."""

from __future__ import annotations

import re
from typing import BinaryIO

import numpy as np

QUOTE = ord('"')
CHUNK = 1 << 22
FEW = 0.02
"""Share of the quoted cells that may be closed wrongly in a file whose quotes are still believed."""
MANY = 100
"""Quotes after which a last one that is never closed is taken as an accident."""


def enclose_cells(file: BinaryIO, delimiter: str) -> bool:
    """Whether `"` encloses cells: opened where a cell begins, closed where it ends.

    In a file that keeps to the rules every other quote opens a cell. That is seen with a few array operations; only
    where it fails, the cells around are read one by one.

    Args:
        file: Bytes, UTF-8.
        delimiter: Between cells, one ASCII character.
    """
    ends = np.isin(np.arange(256), [ord(delimiter), ord("\n"), ord("\r"), QUOTE])
    before, inside, count = ord("\n"), False, 0  # the byte before the chunk; whether it begins in a quoted cell
    while chunk := file.read(CHUNK):
        if QUOTE in chunk:
            array = np.frombuffer(chunk, np.uint8)
            places = np.flatnonzero(array == QUOTE)
            opening = (np.arange(len(places)) + inside) % 2 == 0
            previous = np.where(places > 0, array[places - 1], before)
            following = array[np.minimum(places + 1, len(array) - 1)]
            bad = ~np.where(opening, ends[previous], ends[following] | (places == len(array) - 1))
            if bad.any():
                return _mostly_closed(_from_a_row(chunk, places, inside), delimiter)
            inside ^= bool(len(places) % 2)
            count += len(places)
        before = chunk[-1]
    return not inside or count > MANY


def _from_a_row(chunk: bytes, places: np.ndarray, inside: bool) -> bytes:
    """The chunk from where a row begins, as far as can be told."""
    if not inside or not len(places):
        return chunk
    return chunk[int(places[0]) + 1 :]


def _mostly_closed(chunk: bytes, delimiter: str) -> bool:
    """Whether nearly all cells that begin with a quote end with one. True where no cell begins with one."""
    mark = re.escape(delimiter.encode())
    cell = re.compile(rb"(?:^|(?<=[\n\r" + mark + rb']))"(?:[^"]+|"")*("|$)(?=(.?))', re.DOTALL)
    good = bad = at = 0
    while found := cell.search(chunk, at):
        if found[1] and found[2] in (b"", b"\n", b"\r", delimiter.encode()):
            good, at = good + 1, found.end()
            continue
        bad += 1
        at = chunk.find(b"\n", found.start() + 1) + 1
        if at == 0:
            break
    return bad <= FEW * good
