"""Times as whole numbers."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.codecs.times import (
    DAY,
    FORMS,
    HOUR,
    SECOND,
    find_forms,
    format_time,
    from_months,
    parse_time,
    to_months,
    write_time,
)

MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(2999, 12, 31)).map(lambda m: m.replace(microsecond=0))


@settings(deadline=None)
@given(MOMENTS)
def test_iso_times_come_back(moment: datetime) -> None:
    time, offset = parse_time(moment.isoformat())
    assert offset is None
    assert parse_time(format_time(time)) == (time, None)
    assert time == (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    assert parse_time(moment.isoformat(" ")) == (time, None)


@settings(deadline=None)
@given(MOMENTS, st.integers(-14 * 4, 14 * 4))
def test_a_distance_from_utc_is_taken_off_and_put_on_again(moment: datetime, quarters: int) -> None:
    text = moment.isoformat() + f"{'-' if quarters < 0 else '+'}{abs(quarters) // 4:02d}:{abs(quarters) % 4 * 15:02d}"
    time, offset = parse_time(text)
    assert offset == quarters * 900
    assert time == int(datetime.fromisoformat(text).timestamp()) * SECOND
    assert datetime.fromisoformat(format_time(time, "", offset)) == datetime.fromisoformat(text)


@settings(deadline=None)
@given(MOMENTS, st.sampled_from([form for form in FORMS if "%H:%M:%S" in form and "%d" in form and "%b" not in form]))
def test_a_pattern_writes_what_it_reads(moment: datetime, form: str) -> None:
    time, _ = parse_time(moment.isoformat())
    assert parse_time(write_time(time, form), form) == (time, None)


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("1949-01", "1949-01"),
        ("1949", "1949-01"),
        ("1949Q3", "1949-07"),
        ("1949-q4", "1949-10"),
        (" 1949-2 ", "1949-02"),
    ],
)
def test_short_spellings_mean_the_beginning(text: str, month: str) -> None:
    assert np.datetime64(parse_time(text)[0], "us") == np.datetime64(month)


@pytest.mark.parametrize("text", ["", "soon", "2024-13-01", "2024-02-30", "24:00", "1.5", "nan", "today"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


@pytest.mark.parametrize(
    ("texts", "forms"),
    [
        (["2024-03-01", "2024-03-02T05:00:00Z"], [""]),
        (["31.12.2023", "01.01.2024"], ["%d.%m.%Y"]),
        (["12/31/2023 5:00", "1/1/2024 6:00"], ["%m/%d/%Y %H:%M"]),
        (["1/2/2023", "2/3/2024"], ["%m/%d/%Y", "%d/%m/%Y"]),
        (["Jan 2020", "Feb 2020"], ["%b %Y"]),
        (["red", "blue"], []),
        ([], []),
    ],
)
def test_the_way_times_are_written_is_found(texts: list[str], forms: list[str]) -> None:
    assert [form for form in find_forms(texts) if form in forms] == forms
    assert bool(find_forms(texts)) == bool(forms)


@pytest.mark.parametrize(
    ("like", "told"),
    [("1969", "1970"), ("1969-12", "1970-01"), ("1969Q4", "1970-01"), ("1969-12-31", "1970-01-01"),
     ("1969-12-31 00:00", "1970-01-01T00:00:00"), ("", "1970-01-01")],
)  # fmt: skip
def test_times_are_told_as_exactly_as_they_came(like: str, told: str) -> None:
    assert format_time(0, like) == told


def test_nothing_is_lost_for_the_sake_of_a_short_spelling() -> None:
    assert format_time(40 * DAY, "1969") == "1970-02-10"
    assert format_time(31 * DAY, "1969") == "1970-02-01"
    assert format_time(31 * DAY + HOUR, "1969-12") == "1970-02-01T01:00:00"
    assert datetime.fromisoformat(format_time(0, "", 0)) == datetime(1970, 1, 1, tzinfo=UTC)


@settings(deadline=None)
@given(st.lists(st.integers(-20_000, 20_000), min_size=1))
def test_months_come_back(months: list[int]) -> None:
    array = np.array(months)
    np.testing.assert_array_equal(to_months(from_months(array)), array)
    np.testing.assert_array_equal(to_months(from_months(array) - 1), array - 1)
