"""Whole columns as numbers, times and strings."""

import datetime
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.datasets.tables.columns import NUMBER, to_codes, to_numbers, to_strings, to_texts, to_times
from pipelines.datasets.tables.times import find_day_first

NAT = np.datetime64("NaT", "ns")


def column(*cells: object) -> pa.ChunkedArray:
    half = len(cells) // 2
    kind = pa.array(cells).type
    return pa.chunked_array([pa.array(cells[:half], kind), pa.array(cells[half:], kind)])


@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(), st.text(max_size=6)), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_numbers_in_strings_are_what_python_says(cells: list[object]) -> None:
    texts = [None if cell is None else str(cell) for cell in cells]
    texts = [None if text is None else text.encode("utf-8", "ignore").decode() for text in texts]
    numbers = to_numbers(pa.chunked_array([pa.array(texts, pa.string())]))
    for text, number in zip(texts, numbers.tolist(), strict=True):
        fits = text is not None and re.fullmatch(NUMBER[1:-1], text) and np.isfinite(float(text))
        assert (number == float(text)) if fits and text else np.isnan(number)


@pytest.mark.parametrize("text", ["1,5", "1 000", "10%", "0x10", "1_000", "inf", "-Infinity", "nan", "١", "1e999", "."])
def test_what_is_no_number(text: str) -> None:
    assert np.isnan(to_numbers(column(text, "2"))).tolist() == [True, False]
    assert np.isnan(to_numbers(column("2", "+3.5e-1", text))).tolist() == [False, False, True]


def test_numbers_of_other_types() -> None:
    assert np.array_equal(to_numbers(column(1, None, 3)), [1, np.nan, 3], equal_nan=True)
    assert np.array_equal(to_numbers(column(0.5, float("inf"), None)), [0.5, np.nan, np.nan], equal_nan=True)
    assert np.isnan(to_numbers(column(True, False))).all()
    assert np.isnan(to_numbers(column(datetime.date(2020, 1, 1)))).all()


def test_a_late_word_in_a_column_of_numbers() -> None:
    cells = [str(number) for number in range(200_000)] + ["word", "7"]
    numbers = to_numbers(pa.chunked_array([cells]))
    assert np.array_equal(numbers[:200_000], np.arange(200_000)) and np.isnan(numbers[-2]) and numbers[-1] == 7


def test_strings() -> None:
    assert to_strings(column("a", None, "a", "b")).tolist() == ["a", None, "a", "b"]
    assert to_strings(column(1.0, None, float("nan"), 2.5)).tolist() == ["1", None, None, "2.5"]
    assert to_strings(column(3, None)).tolist() == ["3", None]
    assert to_strings(column(True, False, None)).tolist() == ["true", "false", None]
    assert to_texts(pa.chunked_array([pa.array(["x", "y", "x"]).dictionary_encode()])).to_pylist() == ["x", "y", "x"]
    codes, names = to_codes(column("b", None, "a", "b"))
    assert codes.tolist() == [0, -1, 1, 0] and names == ["b", "a"]
    assert to_strings(pa.chunked_array([], pa.string())).tolist() == []


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2016-07-01", "2016-07-01"),
        ("2016-07-01 00:00:00", "2016-07-01"),
        ("2016-07-01T12:30", "2016-07-01T12:30"),
        ("2016-07-01T12:30:05.25", "2016-07-01T12:30:05.25"),
        ("2016-07-01T12:30:05Z", "2016-07-01T12:30:05"),
        ("2016-07-01 12:30:05+02:00", "2016-07-01T10:30:05"),
        ("2016-07-01 23:30:00 -0130", "2016-07-02T01:00:00"),
        ("2016/7/1", "2016-07-01"),
        ("2016.07.01", "2016-07-01"),
        ("1949-01", "1949-01-01"),
        ("31/12/2016", "2016-12-31"),
        ("12/31/2016 1:05 PM", "2016-12-31T13:05"),
        ("12/31/2016 12:05 am", "2016-12-31T00:05"),
        ("31.12.16", "2016-12-31"),
        ("31-12-99", "1999-12-31"),
        ("2016-02-29", "2016-02-29"),
        ("2015-02-29", None),
        ("2016-13-01", None),
        ("2016-07-01 24:00", None),
        ("2016-07-01 12:60", None),
        ("9999-12-31", None),
        ("2016", None),
        ("20160701", None),
        ("1.5", None),
        ("word", None),
    ],
)
def test_spellings_of_times(text: str, time: str | None) -> None:
    expected = NAT if time is None else np.datetime64(time, "ns")
    assert np.array_equal(to_times(column(text, None)), [expected, NAT], equal_nan=True)
    assert np.array_equal(to_times(column("no time", text)), [NAT, expected], equal_nan=True)


@given(st.lists(st.datetimes(datetime.datetime(1678, 1, 1), datetime.datetime(2261, 12, 31)), min_size=1, max_size=9))
@settings(max_examples=100, deadline=None)
def test_times_as_python_writes_them(times: list[datetime.datetime]) -> None:
    expected = np.array(times, dtype="datetime64[us]").astype("datetime64[ns]")
    assert np.array_equal(to_times(column(*(time.isoformat() for time in times))), expected)
    assert np.array_equal(to_times(column(*(time.isoformat(" ") for time in times), "x"))[:-1], expected)


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["1/2/2016", "13/2/2016"], True),
        (["1/2/2016", "2/13/2016"], False),
        (["01/01/2016", "01/02/2016", "01/03/2016"], True),  # the first of each month
        (["1/2/2016", "2/3/2016"], False),
        (["1.2.2016", "2.3.2016"], True),
        (["13/2/2016", "14/2/2016", "2/15/2016"], True),
    ],
)
def test_day_or_month_first_is_decided_over_the_column(cells: list[str], first: bool) -> None:
    assert find_day_first(column(*cells)) is first
    month = int(cells[0].replace(".", "/").split("/")[1 if first else 0])
    assert to_times(column(*cells))[0].astype("datetime64[M]").astype(int) % 12 + 1 == month


def test_times_of_other_types() -> None:
    day = datetime.date(2020, 2, 3)
    assert to_times(column(day, None))[0] == np.datetime64("2020-02-03")
    assert np.isnat(to_times(column(datetime.datetime(9999, 1, 1), None))).all()
    zoned = pa.chunked_array([pa.array([0], pa.timestamp("s", "Europe/Paris"))])
    assert to_times(zoned)[0] == np.datetime64("1970-01-01T00:00")
    assert np.isnat(to_times(column(1, 2))).all()
    assert to_times(column("1700000000", "x"), unix=True)[0] == np.datetime64("2023-11-14T22:13:20")
    assert to_times(column(1.5, 1e300), unix=True)[0] == np.datetime64("1970-01-01T00:00:01.5")
