"""The column that says when: how its times are written, and the distance between two steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.datasets.tables.columns import Column, is_string, to_codes, to_numbers
from records.data import Finding, Severity, Understood
from records.errors import DataError
from serving.codecs.calendar import MONDAY, Step, Unit
from serving.codecs.times import DAY, find_forms, parse_time, to_months

LOOKED_AT = 200
"""Cells that tell how times are written."""
NO_TIME = np.iinfo(np.int64).min
FEW_ROWS = 10
"""Too few to conclude that weekends are never there."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """The times of a table's rows."""

    column: str | None
    """`None`: rows are consecutive."""
    form: str
    """One of `serving.codecs.times.FORMS`."""
    values: np.ndarray
    """`<int64>[rows]`: microseconds, or plain numbers; `NO_TIME` where it cannot be read."""
    dates: bool
    """False: plain numbers."""
    like: str = ""
    """One of the times as it is written."""
    findings: tuple[Finding, ...] = ()
    understood: tuple[Understood, ...] = ()


def is_date(column: Column) -> bool:
    """Whether a column holds dates: as its type, or as strings that are no plain numbers."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return True
    if not is_string(column):
        return False
    texts = _some(column)
    return bool(texts) and any(not text.isdigit() for text in texts) and bool(find_forms(texts))


def read_times(column: Column | None, name: str | None, rows: int) -> Times:
    """The times of all rows.

    Args:
        column: Strings, dates, timestamps or whole numbers; `None`: rows are consecutive.
        name: Of the column.
        rows: Number of rows.

    Raises:
        DataError: They cannot be read.
    """
    if column is None or name is None:
        return Times(column=None, form="", values=np.arange(rows), dates=False)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        micros = pc.fill_null(pc.cast(column, pa.timestamp("us"), safe=False).cast(pa.int64()), NO_TIME)
        return Times(column=name, form="", values=np.asarray(micros).astype(np.int64), dates=True, findings=())
    numbers = to_numbers(column)
    if name.lower() != "year" and (np.isnan(numbers) | (numbers % 1 == 0)).all() and not np.isnan(numbers).all():
        values = np.where(np.isnan(numbers), NO_TIME, np.nan_to_num(numbers)).astype(np.int64)
        return Times(column=name, form="", values=values, dates=False, findings=_unread(values))
    return _parse(column, name)


def _parse(column: Column, name: str) -> Times:
    forms = find_forms(_some(column))
    if not forms:
        raise DataError(
            f"The times in the column {name} cannot be read. Expected ISO 8601, such as 2024-03-01 or "
            f"2024-03-01T05:00:00. Received: {', '.join(_some(column)[:3]) or 'nothing'}."
        )
    codes, texts = to_codes(column)
    read = {form: _values(texts, form)[codes] if texts else np.zeros(0, np.int64) for form in forms}
    # where day and month could be either way round, time runs more evenly the right way
    best = min(forms, key=lambda form: (int((read[form] == NO_TIME).sum()), _unevenness(read[form])))
    values = np.where(codes < 0, NO_TIME, read[best])
    told = []
    if len(forms) > 1:
        example = next(text for text in texts if text)
        what = f"Times such as {example!r} in the column {name} are read as {best}: so they run most evenly."
        told = [Understood(what=what)]
    return Times(
        column=name,
        form=best,
        values=values,
        dates=True,
        like=_some(column)[0],
        findings=_unread(values),
        understood=tuple(told),
    )


def _values(texts: list[str], form: str) -> np.ndarray:
    values = np.full(len(texts), NO_TIME, np.int64)
    for i, text in enumerate(texts):
        try:
            values[i] = parse_time(text, form)[0]
        except (ValueError, OverflowError):
            continue
    return values


def _unevenness(times: np.ndarray) -> float:
    """Number of different distances: a wrong reading makes many."""
    known = times[times != NO_TIME]
    return float(len(np.unique(np.diff(known))))


def _some(column: Column) -> list[str]:
    """Cells from all over the column, as strings."""
    known = pc.drop_null(column)
    rows = np.unique(np.linspace(0, len(known) - 1, min(len(known), LOOKED_AT)).astype(np.int64))
    return [str(value) for value in known.take(pa.array(rows)).to_pylist()] if len(known) else []


def _unread(values: np.ndarray) -> tuple[Finding, ...]:
    count = int((values == NO_TIME).sum())
    if not count:
        return ()
    what = f"{count} rows have no time that can be read."
    return (Finding(code="no_time", severity=Severity.WARNING, what=what, done="They were left out.", count=count),)


def find_step(times: np.ndarray, same: np.ndarray, dates: bool) -> Step:
    """The distance between two steps: the most frequent one, which months, years and weekends make uneven.

    Args:
        times: `<int64>[rows]`, rising within each series.
        same: `<bool>[rows - 1]`, whether a row belongs to the same series as the row before it.
        dates: False: plain numbers.

    Raises:
        DataError: No series has two rows.
    """
    apart = np.diff(times)[same]
    apart = apart[apart > 0]
    if not len(apart):
        raise DataError("No series has two rows with different times. Expected one row for each step of a series.")
    sizes, counts = np.unique(apart, return_counts=True)
    usual = int(sizes[np.argmax(counts)])
    if not dates:
        return Step(Unit.NUMBER, usual)
    if usual >= 28 * DAY and _are_months(times, apart, usual):
        months = np.diff(to_months(times))[same]
        sizes, counts = np.unique(months[months > 0], return_counts=True)
        return Step(Unit.MONTH, int(sizes[np.argmax(counts)]))
    if usual == DAY and len(times) >= FEW_ROWS and ((times // DAY + MONDAY) % 7 < 5).all():
        return Step(Unit.WEEKDAY)
    return Step(Unit.TIME, usual)


def _are_months(times: np.ndarray, apart: np.ndarray, usual: int) -> bool:
    """Whether the same day of each month, or distances that no fixed number of days explains."""
    days = (times - to_months(times).astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)) // DAY
    return len(np.unique(days)) == 1 or bool((apart % usual == 0).mean() < 0.9)
