"""The format of `.ts` files: a header of lines that begin with @, then a line for each series.

    # a comment
    @problemName Walks
    @univariate false
    @dimensions 2
    @classLabel true left right
    @data
    0.1,0.2,?:5,6,7:left

Dimensions are separated by colons, values by commas; ? and NaN are missing values; the label comes last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from records.errors import DataError

KEYS = (
    "problemname", "timestamps", "missing", "univariate", "dimensions", "dimension", "equallength", "serieslength",
    "classlabel", "targetlabel", "data",
)  # fmt: skip
NO_TIMESTAMPS = (
    "has time stamps, which are not read. Expected values alone; or write a csv with a column for the time and "
    "one for the series."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What a file says of its series."""

    labels: tuple[str, ...] = ()
    """The classes, in the file's order; empty where there are none."""
    numeric: bool = False
    """Whether the label is a number to predict."""
    dimensions: int | None = None
    """`None`: the first series tells."""
    steps: int | None = None
    """That every series has; `None`: any number."""


def read_header(file: Path) -> Header:
    """The header of a file.

    Raises:
        DataError: It cannot be read, has an unknown line, or no data.
    """
    with _open(file) as lines:
        values: dict[str, tuple[int, str]] = {}
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if not text or text.startswith("#"):
                continue
            key, _, value = text.partition(" ")
            if key[0] != "@" or key[1:].lower() not in KEYS:
                raise _error(file, number, f"{text[:40]!r} is no line of a header. Expected one of @{', @'.join(KEYS)}")
            if key.lower() == "@data":
                return _header(file, values)
            values[key[1:].lower()] = (number, value.strip())
    raise DataError(f"{file.name} has no @data line. Expected a header, @data, and a line for each series.")


def _header(file: Path, values: dict[str, tuple[int, str]]) -> Header:
    if _yes(file, values, "timestamps"):
        raise DataError(f"{file.name} {NO_TIMESTAMPS}")
    number, text = values.get("classlabel", (0, "false"))
    flag, *labels = text.split()
    if flag.lower() == "true" and len(set(labels)) < max(1, len(labels)):
        raise _error(file, number, "the classes are missing or double. Expected @classLabel true and each name once")
    univariate = _yes(file, values, "univariate")
    dimensions = _count(file, values, "dimensions") or _count(file, values, "dimension") or (1 if univariate else None)
    if univariate and dimensions != 1:
        raise DataError(
            f"{file.name} says that it is univariate and has {dimensions} dimensions. Expected one of both."
        )
    return Header(
        labels=tuple(labels) if flag.lower() == "true" else (),
        numeric=_yes(file, values, "targetlabel"),
        dimensions=dimensions,
        steps=_count(file, values, "serieslength") if _yes(file, values, "equallength") else None,
    )


def _yes(file: Path, values: dict[str, tuple[int, str]], key: str) -> bool:
    number, text = values.get(key, (0, "false"))
    if text.lower() not in ("true", "false"):
        raise _error(file, number, f"@{key} must be true or false. Received: {text!r}")
    return text.lower() == "true"


def _count(file: Path, values: dict[str, tuple[int, str]], key: str) -> int | None:
    number, text = values.get(key, (0, ""))
    if text in ("", "0"):
        return None
    if not (text.isascii() and text.isdigit()):
        raise _error(file, number, f"@{key} must be a whole number. Received: {text!r}")
    return int(text)


def read_series(file: Path, header: Header) -> Iterator[tuple[int, np.ndarray, str]]:
    """The series of a file, one by one.

    Yields:
        Its line, `<float64>[steps, dimensions]` with NaN for missing values, and its label. A series can be empty.

    Raises:
        DataError: A line is no series, or there is none.
    """
    with _open(file) as lines:
        numbered = enumerate(lines, 1)
        start = next((number for number, line in numbered if line.strip().lower() == "@data"), 0)
        found = False
        for number, line in numbered:
            text = line.strip()
            if text and not text.startswith("#"):
                found = True
                yield number, *_parse(file, number, text, header)
    if not found:
        raise DataError(f"{file.name} holds no series: nothing follows @data in line {start}.")


def _parse(file: Path, number: int, text: str, header: Header) -> tuple[np.ndarray, str]:
    if "(" in text:
        raise DataError(f"{file.name} {NO_TIMESTAMPS}")
    *parts, label = (part.strip() for part in text.split(":"))
    if not parts or (header.dimensions is not None and len(parts) != header.dimensions):
        expected = header.dimensions or "at least 1"
        raise _error(file, number, f"the series has {len(parts)} dimensions and a label. Expected {expected}")
    columns = [_numbers(file, number, part) for part in parts]
    sizes = {len(column) for column in columns}
    if len(sizes) > 1:
        raise _error(file, number, f"the dimensions have different lengths: {sorted(sizes)}. Expected equal ones")
    if header.steps is not None and sizes != {header.steps}:
        came = f"the series has {sizes.pop()} steps, and @seriesLength says {header.steps}"
        raise _error(file, number, f"{came}. If it may, write @equalLength false")
    if header.labels and label not in header.labels:
        raise _error(file, number, f"{label[:40]!r} is none of the classes that @classLabel declares")
    if header.numeric:
        label = str(_numbers(file, number, label, 1)[0])
    return np.array(columns, dtype=np.float64).T, label


def _numbers(file: Path, number: int, text: str, count: int | None = None) -> list[float]:
    if not text and count is None:
        return []
    try:
        # Python reads 1_000 as a number; here it is a slip
        values = [float("nan" if part.strip() == "?" else part.replace("_", " ")) for part in text.split(",")]
    except ValueError as error:
        wrong = next(part for part in text.split(",") if not _is_value(part))
        raise _error(
            file, number, f"{wrong.strip()[:40]!r} is no number. Expected numbers, or ? for a missing one"
        ) from error
    if count is not None and (len(values) != count or not np.isfinite(values).all()):
        raise _error(file, number, f"the label {text[:40]!r} is no number")
    return values


def _is_value(text: str) -> bool:
    try:
        float("nan" if text.strip() == "?" else text.replace("_", " "))
    except ValueError:
        return False
    return True


def _open(file: Path) -> TextIO:
    try:
        return file.open(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}. Expected a readable file.") from error


def _error(file: Path, number: int, what: str) -> DataError:
    return DataError(f"{file.name}, line {number}: {what}.")
