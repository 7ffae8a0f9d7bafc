"""How a file of delimited text is written: what stands between its cells, and whether its first row names columns."""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from pipelines.datasets.tables.columns import NUMBER
from pipelines.datasets.tables.missing import is_missing
from pipelines.datasets.tables.quotes import enclose_cells
from pipelines.datasets.tables.times import parse_times

DELIMITERS = {"\t": "tab", ";": "semicolon", "|": "bar", ",": "comma"}
"""From what is least to what is most likely to stand inside a text."""
NOWHERE = "\x1f"
"""Delimiter of a file that has one column: a character for this purpose, which nobody types."""
SAMPLE = 1 << 19
MOST_SAMPLE = 1 << 26
ROWS = 1000
FEW_ROWS = 50
WORDS = 4
"""Of a text, on average."""
NAME_LENGTH = 64
"""Characters of a column's name; what is longer is a text."""
OF_A_KIND = 0.9
NUMERIC = re.compile(NUMBER)
NUMERIC_HERE = re.compile(r"^[+-]?[0-9]*[.,]?[0-9]+([eE][+-]?[0-9]+)?$")


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file of delimited text is written."""

    delimiter: str
    quoted: bool
    """Whether quotes enclose cells."""
    width: int
    """Cells of a row."""
    header: tuple[str, ...] | None
    """The cells of the first row where it names the columns, as they stand there."""
    labelled: bool = False
    """A short label, a space and a text make a row; it has two cells then, whatever the delimiter."""
    padded: bool = False
    """The header has one cell less than the rows, whose last is empty: each ends with a delimiter."""


def sniff(file: BinaryIO) -> Dialect:
    """How the file is written, told from its first rows.

    Args:
        file: Bytes, UTF-8, at their beginning.
    """
    sample, whole = _sample(file)
    best: tuple[tuple[float, float, int], Dialect] | None = None
    for delimiter in (*DELIMITERS, NOWHERE):
        quoted = enclose_cells(BytesIO(sample.encode()), delimiter)
        rows = parse(sample, delimiter, quoted, whole)
        widths = Counter(len(row) for row in rows)
        width = max(widths, key=lambda width: (widths[width], width), default=1)
        if width == 1 and delimiter != NOWHERE:
            continue
        share = widths[width] / max(1, len(rows)) if delimiter != NOWHERE else 0.3
        score = (round(share, 1), _numeric(rows), width)
        if best is None or score > best[0]:
            best = score, _dialect(rows, delimiter, quoted, width)
    assert best is not None
    found = best[1]
    if found.width == 1 and _begin_with_labels(parse(sample, NOWHERE, False, whole)):
        return Dialect(NOWHERE, False, 1, None, labelled=True)
    return found


def parse(text: str, delimiter: str, quoted: bool, whole: bool) -> list[list[str]]:
    """The cells of the first `ROWS` rows that are not empty; the last row only where the text is `whole`."""
    if not quoted:
        lines = [line for line in re.split(r"\r\n|\n|\r", text) if line]
        rows = [line.split(delimiter) for line in lines]
    else:
        limit = csv.field_size_limit(sys.maxsize)  # one cell may hold a book
        try:
            reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
            rows = [row for row in reader if row]
        except csv.Error:
            return parse(text, delimiter, False, whole)
        finally:
            csv.field_size_limit(limit)
    if not whole and len(rows) > 1:
        rows.pop()
    return [[cell.strip() for cell in row] for row in rows[:ROWS]]


def _begin_with_labels(rows: list[list[str]]) -> bool:
    """Whether each row is a label, one of few, and a text: "1 a stirring , funny film"."""
    cut = [row[0].split(maxsplit=1) for row in rows if len(row) == 1]
    if len(cut) < FEW_ROWS or any(len(parts) < 2 for parts in cut):
        return False
    labels = {label for label, _ in cut}
    words = sum(text.count(" ") + 1 for _, text in cut) / len(cut)
    return 2 <= len(labels) <= len(cut) // 10 and words >= WORDS


def _sample(file: BinaryIO) -> tuple[str, bool]:
    """The file's beginning, long enough for some rows, and whether that is all of it."""
    data = b""
    while len(data) < SAMPLE or (len(data) < MOST_SAMPLE and data.count(b"\n") < FEW_ROWS):
        more = file.read(SAMPLE)
        if not more:
            return data.decode("utf-8", "replace"), True
        data += more
    return data.decode("utf-8", "replace"), False


def _numeric(rows: list[list[str]]) -> float:
    """Share of the cells that are numbers, a comma allowed: with the wrong delimiter few are."""
    cells = [cell for row in rows[:200] for cell in row[:50]]
    return round(sum(map(bool, map(NUMERIC_HERE.match, cells))) / max(1, len(cells)), 1)


def _dialect(rows: list[list[str]], delimiter: str, quoted: bool, width: int) -> Dialect:
    body = [row for row in rows if len(row) == width]
    open_end = bool(body) and len(rows[0]) == width - 1 and not any(row[-1] for row in body)
    if open_end and _is_header([*rows[0], ""], body):
        return Dialect(delimiter, quoted, width, (*rows[0], ""), padded=True)
    header = tuple(body[0]) if body and _is_header(body[0], body[1:]) else None
    return Dialect(delimiter, quoted, width, header)


def _is_header(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns, rather than being one of them.

    A column of numbers or dates whose first cell is none speaks for it; one whose first cell is one speaks against it,
    and so does a first cell that comes again. Where nothing speaks, names are different, short and not missing.
    """
    named = [cell for cell in first if cell]
    if not named or _counted(first):
        return bool(named)
    if not body:
        return not any(map(NUMERIC.match, named))
    pro = contra = 0
    for cell, below in zip(first, zip(*body, strict=True), strict=True):
        if cell and not is_missing(cell):
            vote = _vote(cell, [other for other in below[:200] if not is_missing(other)], below)
            pro, contra = pro + (vote > 0), contra + (vote < 0)
    if pro or contra:
        return pro > contra
    distinct = len({cell.casefold() for cell in named}) == len(named)
    return distinct and len(named) >= len(first) - 1 and max(map(len, named)) <= NAME_LENGTH


def _counted(first: Sequence[str]) -> bool:
    """Whether the cells count up, maybe after one that does not: the names that a matrix gets where it is written."""
    tail = first[1:] if not NUMERIC.match(first[0]) else first
    start = int(tail[0]) if tail and re.fullmatch("[0-9]{1,6}", tail[0]) else None
    if start is None or len(tail) < 3 or (len(tail) == len(first) and start != 0):
        return False
    return list(tail) == [str(number) for number in range(start, start + len(tail))]


def _vote(cell: str, values: Sequence[str], below: Sequence[str]) -> int:
    """1: the cell is of another kind than those below it; -1: of the same; 0: cannot be told."""
    if not values:
        return 0
    if sum(map(bool, map(NUMERIC.match, values))) >= OF_A_KIND * len(values):
        return -1 if NUMERIC.match(cell) else 1
    if any(letter.isdigit() for letter in values[0]):
        unknown = np.isnat(parse_times(pa.array([cell, *values])))
        if (~unknown[1:]).sum() >= OF_A_KIND * len(values):
            return 1 if unknown[0] else -1
    return -1 if cell in below else 0
