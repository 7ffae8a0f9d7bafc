"""Cells: what one says as a number, a word or a time, and how a wrong one is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.errors import InputError
from serving.codecs.cells import MAX_CHARACTERS, check_length, number_of, seconds_of, shown, words_of
from serving.codecs.missing import MISSING


@pytest.mark.parametrize(
    ("cell", "number"),
    [(3, 3.0), (2.5, 2.5), (True, 1.0), (False, 0.0), ("7", 7.0), (" -1.5e-3 ", -0.0015), ("+.5", 0.5), ("2.", 2.0)],
)
def test_numbers_may_come_as_text(cell: object, number: float) -> None:
    assert number_of("age", cell) == number  # type: ignore[arg-type]


@pytest.mark.parametrize("cell", [None, "", "  ", *sorted(MISSING), "N/A", " NaN ", "None"])
def test_missing_cells_are_missing_everywhere(cell: str | None) -> None:
    assert math.isnan(number_of("age", cell))
    assert words_of("town", cell) == ()
    assert seconds_of("day", cell, True) is None


@pytest.mark.parametrize("cell", ["old", "1,5", "1_000", "0x10", "inf", "1e", "１", "3 kg", [1], {"a": 1}])
def test_what_is_no_number_is_refused_by_name(cell: object) -> None:
    with pytest.raises(InputError, match=r"^age must be a number\. Received: "):
        number_of("age", cell)  # type: ignore[arg-type]


@pytest.mark.parametrize("cell", [math.inf, -math.inf, math.nan, "1e999", 10**400])
def test_infinite_numbers_are_refused(cell: float | str) -> None:
    with pytest.raises(InputError, match="age must be a finite number, or null where it is missing"):
        number_of("age", cell)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_survives_as_text(number: float) -> None:
    assert number_of("x", repr(number)) == number == number_of("x", number)


def test_words_are_the_likely_spellings() -> None:
    assert words_of("deck", " A ") == ("A",)
    assert words_of("floor", 3) == ("3", "3.0") and words_of("floor", 3.0) == ("3", "3.0")
    assert words_of("alone", False) == ("false", "False", "FALSE", "0", "0.0")
    assert words_of("share", 0.25) == ("0.25",)
    for wrong in ([1], math.inf, math.nan, {"a": 1}):
        with pytest.raises(InputError, match="deck must be a text, a finite number or null"):
            words_of("deck", wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cell", "day_first", "moment"),
    [
        ("2026-03-31", True, "2026-03-31"),
        ("2026/3/31", False, "2026-03-31"),
        ("2026-03", True, "2026-03-01"),
        ("20260331", True, "2026-03-31"),
        ("2026-03-31 05:06", False, "2026-03-31T05:06"),
        ("2026-03-31T05:06:07.9Z", False, "2026-03-31T05:06:07"),
        ("2026-03-31T01:00:00+02:00", False, "2026-03-30T23:00"),
        ("31.03.2026", True, "2026-03-31"),
        ("1/7/26", True, "2026-07-01"),
        ("1/7/99", False, "1999-01-07"),
        ("3/31/2026 12:05 AM", False, "2026-03-31T00:05"),
        ("3/31/2026 11:05:09 p.m.", False, "2026-03-31T23:05:09"),
        ("1962-01-02T03:04:05.5", False, "1962-01-02T03:04:05"),
    ],
)
def test_times_are_read_as_files_write_them(cell: str, day_first: bool, moment: str) -> None:
    assert seconds_of("day", cell, day_first) == np.datetime64(moment, "s").astype(int)


@pytest.mark.parametrize(
    "cell", ["soon", "31.13.2026", "2026-02-30", "2026-01-01 25:00", "1/1/2026 13:00 PM", 7.5, True]
)
def test_what_is_no_date_is_refused_with_what_was_expected(cell: object) -> None:
    with pytest.raises(InputError, match=r"day must be a date, such as 2026-03-31 05:00\. Received: "):
        seconds_of("day", cell, True)  # type: ignore[arg-type]


def test_long_cells_are_too_large() -> None:
    check_length("note", "x" * MAX_CHARACTERS)
    with pytest.raises(InputError, match="note is too long. Expected at most 100000 characters") as caught:
        check_length("note", "x" * (MAX_CHARACTERS + 1))
    assert caught.value.status == 413
    assert len(shown("x" * 1000)) == 61
