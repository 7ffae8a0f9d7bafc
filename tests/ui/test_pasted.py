import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.api import ColumnDescription
from records.errors import InputError
from ui.pasted import decoded, read_rows, read_series, rows_text, series_text

FLOATS = st.floats(-1e6, 1e6).map(lambda value: float(f"{value:.8g}"))
COLUMNS = [ColumnDescription(name="day", kind="time"), ColumnDescription(name="sales", kind="target")]


@pytest.mark.parametrize(
    "text", ["1, 2.5, -3", "1 2.5 -3", "1\n2.5\n-3\n", "1,\n2.5,\n-3,", "1;2.5;-3", "1\t2.5 -3", "\n 1, 2.5\n\n-3"]
)
def test_one_channel_comes_in_many_ways(text: str) -> None:
    assert read_series(text, ["value"]) == [[1.0], [2.5], [-3.0]]


@pytest.mark.parametrize("word", ["", "nan", "NaN", "?", "null", "n/a", "inf"])
def test_a_missing_value_is_none(word: str) -> None:
    assert read_series(f"1,{word},3", ["value"]) == [[1.0], [None], [3.0]]


def test_lines_are_steps_or_channels() -> None:
    assert read_series("1,4\n2,5\n3,6", ["a", "b"]) == [[1, 4], [2, 5], [3, 6]]
    assert read_series("1 2 3\n4 5 6", ["a", "b"], line_is_channel=True) == [[1, 4], [2, 5], [3, 6]]


def test_a_line_of_names_is_left_out_and_puts_the_channels_in_order() -> None:
    assert read_series('"b",a\n1,4\n2,5', ["a", "b"]) == [[4, 1], [5, 2]]
    assert read_series("x,y\n1,4", ["a", "b"]) == [[1, 4]]
    assert read_series("value\n1\n2", ["value"]) == [[1], [2]]


@pytest.mark.parametrize(
    ("text", "channels", "turned", "sentence"),
    [
        ("", ["a"], False, "There are no numbers yet."),
        ("1,2\n3,x", ["a", "b"], False, "Line 2 holds 'x', which is no number. Expected numbers with a point"),
        ("a,b\n1,2\n\n3", ["a", "b"], False, "Line 4 has 1 number. Expected 2, one for each channel."),
        ("1,2\n3,4\n5,6", ["a", "b"], True, "There are 3 lines. Expected 2, one for each channel."),
        ("1,2\n3", ["a", "b"], True, "The channels differ in length."),
    ],
)
def test_what_is_no_series_is_told(text: str, channels: list[str], turned: bool, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence.replace(".", r"\.")):
        read_series(text, channels, turned)


@given(st.lists(st.tuples(FLOATS, st.one_of(st.none(), FLOATS)), min_size=1, max_size=20))
def test_what_is_written_is_read_again(steps: list[tuple[float, float | None]]) -> None:
    series = [list(step) for step in steps]
    assert read_series(series_text(series), ["a", "b"]) == series
    assert read_series(series_text([step[0] for step in series]), ["a"]) == [[step[0]] for step in series]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_rows_have_numbers_where_the_column_holds_numbers(separator: str) -> None:
    text = "\n".join(separator.join(line) for line in (["day", "sales"], ["2026-01-01", "1.5"], ["2026-01-02", ""]))
    expected = [{"day": "2026-01-01", "sales": 1.5}, {"day": "2026-01-02", "sales": None}]
    assert read_rows(text, COLUMNS) == expected
    assert read_rows("day,sales\n2026-01-01,many", COLUMNS)[0]["sales"] == "many"  # the server says what is wrong


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("day,sales", "There are no rows yet"),
        ("day,sales\n1,2,3", "Row 1 has 3 values, and the first line names 2 columns"),
        ('day,sales\n"1,2', "This is not csv"),
    ],
)
def test_what_is_no_csv_is_told(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_rows(text, COLUMNS)


CELLS = st.one_of(st.none(), FLOATS)
WORDS = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=9)


@given(st.lists(st.tuples(WORDS, CELLS), min_size=1, max_size=9))
def test_rows_that_are_written_are_read_again(pairs: list[tuple[str, float | None]]) -> None:
    rows = [{"day": word, "sales": value} for word, value in pairs]
    assert read_rows(rows_text(rows), COLUMNS) == rows


def test_a_file_in_any_encoding_gives_text() -> None:
    assert decoded(b"\xef\xbb\xbfday") == "day"
    assert decoded("Süd".encode()) == "Süd"
    assert decoded("Süd".encode("latin-1")) == "Süd"
