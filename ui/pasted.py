"""Numbers and rows as people paste them: read with a sentence for what is wrong, and written back."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence

from records.api import Cell, ColumnDescription
from records.errors import InputError
from ui.words import clean, plural, short

MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "?", "-"})
"""What stands for a missing value, in any case."""
NUMERIC = frozenset({"number", "target"})
"""Kinds of columns whose values are numbers."""
MOST_LINES = 1_000_000

Series = list[list[float | None]]
"""`[steps][channels]`."""


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8 with or without its mark, else Latin-1, which takes every byte."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def read_series(text: str, channels: Sequence[str], line_is_channel: bool = False) -> Series:
    """A series, as `[steps][channels]`.

    Args:
        text: One channel: numbers between commas, spaces or new lines. More: a line for each step with a number for
            each channel, and a first line with the channels' names if wanted.
        channels: Their names, in order.
        line_is_channel: A line holds a channel instead of a step.

    Raises:
        InputError: Not a number, or lines of the wrong length.
    """
    width = max(1, len(channels))
    lines = {i: _parts(line) for i, line in enumerate(text.splitlines(), start=1) if line.strip()}
    if not lines:
        raise InputError("There are no numbers yet.")
    if len(lines) > 1 and not line_is_channel and _is_header(names := next(iter(lines.values()))):
        lines = _reordered(names, dict(list(lines.items())[1:]), channels)
    rows = {i: [_number(part, i) for part in line] for i, line in lines.items()}
    if width == 1:
        return [[value] for row in rows.values() for value in row]
    if line_is_channel:
        return _turned(list(rows.values()), width)
    for i, row in rows.items():
        if len(row) != width:
            raise InputError(f"Line {i} has {plural(len(row), 'number')}. Expected {width}, one for each channel.")
    return list(rows.values())


def _parts(line: str) -> list[str]:
    """Between commas (semicolons, tabs) an empty place is a missing value; between spaces there is none."""
    parts = re.split(r"[,;\t]", line.strip()) if re.search(r"[,;\t]", line.strip()) else line.split()
    if len(parts) > 1 and not parts[-1].strip():
        parts.pop()  # a comma at the end of a line continues the list
    return [word for part in parts for word in (part.split() or [""])]


def _is_header(parts: Sequence[str]) -> bool:
    return not any(_is_value(part) for part in parts)


def _is_value(part: str) -> bool:
    try:
        float(part)
    except ValueError:
        return part.strip().lower() in MISSING
    return True


def _reordered(names: list[str], lines: dict[int, list[str]], channels: Sequence[str]) -> dict[int, list[str]]:
    """The columns in the model's order, where their names are the model's."""
    given = [clean(name).strip('"') for name in names]
    known = [clean(name) for name in channels]
    if sorted(given) != sorted(known) or any(len(line) != len(given) for line in lines.values()):
        return lines
    return {i: [line[given.index(name)] for name in known] for i, line in lines.items()}


def _number(part: str, line: int) -> float | None:
    word = part.strip().strip('"')
    if word.lower() in MISSING:
        return None
    try:
        value = float(word)
    except ValueError:
        raise InputError(
            f"Line {line} holds {short(word, 20)!r}, which is no number. Expected numbers with a point, such as 1.5."
        ) from None
    return value if math.isfinite(value) else None


def _turned(rows: Series, width: int) -> Series:
    if len(rows) != width:
        raise InputError(f"There are {len(rows)} lines. Expected {width}, one for each channel.")
    if len({len(row) for row in rows}) > 1:
        raise InputError("The channels differ in length. Expected lines with equally many numbers.")
    return [list(step) for step in zip(*rows, strict=True)]


def series_text(series: Sequence[float | None | Sequence[float | None]]) -> str:
    """The text that `read_series` reads: one channel with commas, several with a line for each step."""
    if series and isinstance(series[0], (list, tuple)):
        return "\n".join(
            ",".join(_plain(value) for value in step) for step in series if isinstance(step, (list, tuple))
        )
    return ", ".join(_plain(value) for value in series if not isinstance(value, (list, tuple)))


def _plain(value: object) -> str:
    """A number with as many digits as the model reads."""
    if value is None:
        return "nan"
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def read_rows(text: str, columns: Sequence[ColumnDescription]) -> list[dict[str, Cell]]:
    """The rows of a csv whose first line names the columns. Numbers where the column holds numbers.

    Raises:
        InputError: No rows, or a line with too many values.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        raise InputError("There are no rows yet. Expected a first line with the columns' names, then a line each row.")
    if len(lines) > MOST_LINES:
        raise InputError(f"There are {len(lines):,} rows. Expected at most {MOST_LINES:,}.")
    separator = max(",;\t", key=lines[0].count)
    numeric = {column.name for column in columns if column.kind in NUMERIC}
    try:
        head, *body = csv.reader(lines, delimiter=separator, strict=True)
    except csv.Error as error:
        raise InputError(f"This is not csv: {error}.") from None
    names = [name.strip() for name in head]
    for i, parts in enumerate(body):
        if len(parts) != len(names):
            raise InputError(f"Row {i + 1} has {len(parts)} values, and the first line names {len(names)} columns.")
    return [{name: _cell(part, name in numeric) for name, part in zip(names, row, strict=True)} for row in body]


def _cell(part: str, numeric: bool) -> Cell:
    word = part.strip()
    if word.lower() in MISSING and (numeric or not word):
        return None
    if not numeric:
        return word
    try:
        value = float(word)
    except ValueError:
        return word  # the server says what is wrong with it
    return value if math.isfinite(value) else None


def rows_text(rows: Sequence[dict[str, Cell]]) -> str:
    """The csv that `read_rows` reads."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow("" if (value := row.get(name)) is None else _shown(value) for name in names)
    return out.getvalue()


def _shown(value: Cell) -> str:
    return json.dumps(value) if isinstance(value, bool) else _plain(value)
