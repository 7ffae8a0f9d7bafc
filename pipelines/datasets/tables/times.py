"""Dates and times out of strings, a whole column at once.

Read are: a year first ("2016-07-01", "2016/7/1", "1949-01") or last ("1/7/2016", "01.07.2016", "1/7/16"), then
optionally a time of day ("12:30", "12:30:05.25", "1:30 PM") and a zone ("Z", "+02:00"), which is taken off: times are
UTC. What a number alone could be ("2016", "20160701") is no date.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CLOCK = (
    r"(?:[T ]\s*(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,9}))?)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?$"
)
YEAR_FIRST = r"^(?P<year>[0-9]{4})[-/.](?P<first>[0-9]{1,2})(?:[-/.](?P<second_>[0-9]{1,2}))?" + CLOCK
YEAR_LAST = r"^(?P<first>[0-9]{1,2})(?P<mark>[-/.])(?P<second_>[0-9]{1,2})[-/.](?P<year>[0-9]{4}|[0-9]{2})" + CLOCK
EARLIEST, LATEST = 1678, 2261
"""Whole years that 64 bits of nanoseconds reach."""
FIRST_SECOND, LAST_SECOND = np.datetime64(f"{EARLIEST}-01-01", "s"), np.datetime64(f"{LATEST + 1}-01-01", "s")
CENTURY_TURNS = 69
"""Two-digit years from here on are 19xx, as in POSIX."""


def parse_times(column: pa.ChunkedArray | pa.Array, day_first: bool | None = None) -> np.ndarray:
    """`<datetime64[ns]>[rows]` of a column of strings; NaT for what is missing or is no time.

    Args:
        column: Strings.
        day_first: Whether "1/7/2016" is in July; `None`: as `find_day_first` says of this column.
    """
    parts = [np.empty(0, "datetime64[ns]")]
    for chunk in chunks(column):
        plain = _plain(chunk)
        if plain is None:
            encoded = pc.dictionary_encode(chunk)  # a pattern costs a hundred times what looking up a string costs
            days = encoded.dictionary
            if day_first is None and pc.any(pc.match_substring_regex(days, YEAR_LAST)).as_py():
                day_first = find_day_first(column)
            distinct = np.append(_parsed(days, bool(day_first)), np.datetime64("NaT", "ns"))
            plain = distinct[np.asarray(pc.fill_null(encoded.indices, -1))]
        parts.append(plain)
    return np.concatenate(parts)


def _plain(chunk: pa.Array) -> np.ndarray | None:
    """The times, where all are as ISO 8601 has them and no year is out of reach; else `None`."""
    try:
        times = pc.cast(chunk, pa.timestamp("s")).to_numpy(zero_copy_only=False).astype("datetime64[s]")
        known = times[~np.isnat(times)]
        if len(known) and (known.min() < FIRST_SECOND or known.max() >= LAST_SECOND):
            return None
        return np.asarray(times.astype("datetime64[ns]"))
    except pa.ArrowInvalid:
        return None


def _parsed(strings: pa.Array, day_first: bool) -> np.ndarray:
    times = np.full(len(strings), np.datetime64("NaT", "ns"))
    last = ("second_", "first") if day_first else ("first", "second_")
    for pattern, order in ((YEAR_FIRST, ("first", "second_")), (YEAR_LAST, last)):
        found = pc.extract_regex(strings, pattern)
        fits = np.asarray(found.is_valid())
        if fits.any():
            times[fits] = _assembled(found.filter(pa.array(fits)), *order)
    return times


def find_day_first(column: pa.ChunkedArray | pa.Array) -> bool:
    """Whether dates that end with the year begin with the day, decided over the whole column.

    A number above 12 is a day. Where there is none, the one that never changes is the day (the first of each month);
    where that does not tell either, dates with slashes are American and others are not.
    """
    large, values, slash = [0, 0], (set[int](), set[int]()), True
    for chunk in chunks(column):
        found = pc.drop_null(pc.extract_regex(pc.unique(chunk), YEAR_LAST))
        for place, name in enumerate(("first", "second_")):
            numbers, counts = np.unique(_whole(found.field(name)), return_counts=True)
            large[place] += int(counts[numbers > 12].sum())
            values[place].update(numbers.tolist())
        slash = slash and bool(pc.all(pc.equal(found.field("mark"), "/"), min_count=0).as_py())
    if large[0] != large[1]:
        return large[0] > large[1]
    fixed = [len(seen) == 1 for seen in values]
    return fixed[0] if fixed[0] != fixed[1] else not slash


def chunks(column: pa.ChunkedArray | pa.Array) -> Iterator[pa.Array]:
    """The pieces of a column; of what is in one piece, that."""
    yield from column.chunks if isinstance(column, pa.ChunkedArray) else (column,)


def _assembled(found: pa.StructArray, month: str, day: str) -> np.ndarray:
    """Times of what a pattern found, NaT where there is no such day or time."""
    years, months = _whole(found.field("year")), _whole(found.field(month))
    short = np.asarray(pc.equal(pc.binary_length(found.field("year")), 2))
    years = np.where(short, years + np.where(years < CENTURY_TURNS, 2000, 1900), years)
    days = _whole(found.field(day), missing=1)
    good = (years >= EARLIEST) & (years <= LATEST) & (months >= 1) & (months <= 12) & (days >= 1)
    start = np.where(good, (years - 1970) * 12 + months - 1, 0).astype("datetime64[M]")
    first = start.astype("datetime64[D]")
    good &= days <= ((start + 1).astype("datetime64[D]") - first).astype(np.int64)
    seconds, in_clock = _seconds(found)
    nanoseconds = (first.astype(np.int64) + days - 1) * 86400 * 10**9 + seconds * 10**9 + _fraction(found.field("part"))
    return np.where(good & in_clock, nanoseconds.astype("datetime64[ns]"), np.datetime64("NaT", "ns"))


def _seconds(found: pa.StructArray) -> tuple[np.ndarray, np.ndarray]:
    """`<int64>` seconds since midnight UTC, and whether a clock shows such a time."""
    if not pc.any(pc.not_equal(found.field("hour"), "")).as_py():
        return np.zeros(len(found), np.int64), np.ones(len(found), bool)
    hours, minutes, seconds = (_whole(found.field(name)) for name in ("hour", "minute", "second"))
    half = pc.utf8_lower(pc.utf8_slice_codeunits(found.field("half"), 0, 1))
    halved = np.asarray(pc.not_equal(half, ""))
    good = (minutes < 60) & (seconds < 60) & np.where(halved, (hours >= 1) & (hours <= 12), hours < 24)
    hours = np.where(halved, hours % 12 + 12 * np.asarray(pc.equal(half, "p")), hours)
    zone = pc.replace_substring(found.field("zone"), ":", "")
    ahead = _whole(pc.utf8_slice_codeunits(zone, 1, 3)) * 3600 + _whole(pc.utf8_slice_codeunits(zone, 3, 5)) * 60
    ahead = np.where(np.asarray(pc.starts_with(zone, "-")), -ahead, ahead)
    return hours * 3600 + minutes * 60 + seconds - ahead, good


def _fraction(digits: pa.Array) -> np.ndarray:
    """`<int64>` nanoseconds of the digits after the point."""
    return _whole(pc.utf8_rpad(digits, 9, "0"))


def _whole(digits: pa.Array, missing: int = 0) -> np.ndarray:
    """`<int64>`: the digits as a number, `missing` where there are none."""
    filled = pc.if_else(pc.equal(digits, ""), str(missing), digits)
    return np.asarray(pc.cast(filled, pa.int64())).copy()
