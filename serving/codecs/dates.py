"""One date or time, as the files of tables write it: the same patterns that `pipelines.datasets.tables.times` reads a
whole column with."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from serving.codecs.times import SECOND, parse_time

_CLOCK = (
    r"(?:[T ]\s*(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_YEAR_FIRST = re.compile(r"(?P<year>[0-9]{4})[-/.](?P<first>[0-9]{1,2})(?:[-/.](?P<then>[0-9]{1,2}))?" + _CLOCK)
_YEAR_LAST = re.compile(r"(?P<first>[0-9]{1,2})[-/.](?P<then>[0-9]{1,2})[-/.](?P<year>[0-9]{4}|[0-9]{2})" + _CLOCK)
CENTURY_TURNS = 69
"""Two-digit years from here on are 19xx, as in POSIX."""
EPOCH = datetime(1970, 1, 1)


def parse_date(text: str, day_first: bool) -> int:
    """Whole seconds since 1970; a time without a zone is taken as UTC.

    Args:
        text: A date with or without a time of day.
        day_first: Whether "1/7/2016" is in July.

    >>> parse_date("02.01.1970", True), parse_date("1/2/70 1:00 AM", False), parse_date("1970-01-01T01:00+01:00", True)
    (86400, 90000, 0)

    Raises:
        ValueError: It is none.
    """
    found = _YEAR_FIRST.fullmatch(text)
    month, day = "first", "then"
    if found is None and (found := _YEAR_LAST.fullmatch(text)) and day_first:
        month, day = day, month
    if found is None:
        return parse_time(text)[0] // SECOND
    year = int(found["year"])
    if len(found["year"]) == 2:
        year += 2000 if year < CENTURY_TURNS else 1900
    moment = datetime(year, int(found[month]), int(found[day] or 1), *_clock(found))
    return (moment - EPOCH) // timedelta(seconds=1) - _ahead(found["zone"] or "")


def _clock(found: re.Match[str]) -> tuple[int, int, int]:
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    half = (found["half"] or "")[:1].lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("a clock of twelve hours")
        hour = hour % 12 + 12 * (half == "p")
    return hour, minute, second


def _ahead(zone: str) -> int:
    """Seconds that a zone such as "+02:00" is ahead of UTC."""
    if len(zone) < 5:
        return 0
    seconds = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return -seconds if zone[0] == "-" else seconds
