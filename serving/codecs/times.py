"""Times as whole numbers: microseconds since 1970, in UTC where a time says how far from it it is, else as the clock
showed it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import numpy as np

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
WEEK = 7 * DAY
_EPOCH = datetime(1970, 1, 1)
_TICK = timedelta(microseconds=1)
_QUARTER = re.compile(r"(\d{4})[- ]?[Qq]([1-4])")
_MONTH = re.compile(r"(\d{4})-(\d{1,2})")
_YEAR = re.compile(r"\d{4}")
_DATES = (
    "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y-%m-%d", "%Y.%m.%d",
    "%d %b %Y", "%d-%b-%Y", "%b %d %Y", "%d %B %Y", "%b %Y", "%b-%Y", "%B %Y", "%m/%Y", "%Y/%m",
)  # fmt: skip
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
FORMS = ("", *(date + clock for date, clock in product(_DATES, _CLOCKS)))
"""How times may be written: "" is ISO 8601 and its shorter spellings (2017, 2017-03, 2017Q1), the others are
`strptime` patterns."""


def parse_time(text: str, form: str = "") -> tuple[int, int | None]:
    """One time, and its distance from UTC in seconds where it names one.

    Args:
        text: "2017-03-01 05:00", "2017-03-01T05:00:00+01:00", "2017-03", "2017Q1", or as `form` says.
        form: One of `FORMS`.

    Raises:
        ValueError: It is no such time.

    >>> parse_time("1970-01-01 01:00+01:00")
    (0, 3600)
    """
    text = text.strip()
    moment = datetime.strptime(text, form) if form else _parse_iso(text)
    offset = moment.utcoffset()
    if offset is None:
        return (moment - _EPOCH) // _TICK, None
    return (moment.replace(tzinfo=None) - offset - _EPOCH) // _TICK, int(offset.total_seconds())


def _parse_iso(text: str) -> datetime:
    if _YEAR.fullmatch(text):
        return datetime(int(text), 1, 1)
    if match := _QUARTER.fullmatch(text):
        return datetime(int(match[1]), 3 * int(match[2]) - 2, 1)
    if match := _MONTH.fullmatch(text):
        return datetime(int(match[1]), int(match[2]), 1)
    return datetime.fromisoformat(text)


def find_forms(texts: Sequence[str]) -> list[str]:
    """The `FORMS` that all `texts` are written in; more than one where day and month could be either way round."""
    if not texts:
        return []
    if _all_parse(texts, ""):
        return [""]
    return [form for form in FORMS[1:] if _all_parse(texts, form)]


def _all_parse(texts: Sequence[str], form: str) -> bool:
    try:
        for text in texts:
            parse_time(text, form)
    except (ValueError, OverflowError):
        return False
    return True


def format_time(time: int, like: str = "", offset: int | None = None) -> str:
    """ISO 8601, as short as `like` is: a year, a month, a day, or a time of day.

    Args:
        time: Microseconds.
        like: A time in ISO 8601 whose precision is kept as long as nothing is lost; "": what the time needs.
        offset: Seconds from UTC at which it is told; `None`: without.

    >>> format_time(0), format_time(HOUR, "", 3600), format_time(0, "1969-12")
    ('1970-01-01', '1970-01-01T02:00:00+01:00', '1970-01')
    """
    if offset is not None:
        return (_EPOCH + time * _TICK).replace(tzinfo=UTC).astimezone(timezone(timedelta(seconds=offset))).isoformat()
    moment = _EPOCH + time * _TICK
    if time % DAY or len(like.strip()) > 10:
        return moment.isoformat()
    if _YEAR.fullmatch(like.strip()) and (moment.month, moment.day) == (1, 1):
        return f"{moment.year:04d}"
    short = _MONTH.fullmatch(like.strip()) or _QUARTER.fullmatch(like.strip())
    return f"{moment.year:04d}-{moment.month:02d}" if short and moment.day == 1 else moment.date().isoformat()


def write_time(time: int, form: str, like: str = "") -> str:
    """A time as `parse_time` reads it with the same `form`; see `format_time`."""
    return (_EPOCH + time * _TICK).strftime(form) if form else format_time(time, like)


def to_months(times: np.ndarray) -> np.ndarray:
    """`<int64>[n]`: months since January 1970."""
    return times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)


def from_months(months: np.ndarray) -> np.ndarray:
    """`<int64>[n]`: the microsecond in which each month begins."""
    return months.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)
