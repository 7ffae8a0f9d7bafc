"""Rows that are encoded together get what each gets alone, and are refused together where one is refused alone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.errors import InputError
from serving.codecs.table import TableCodec
from serving.codecs.table_columns import CategoryColumn, NumberColumn
from serving.codecs.table_dates import DateColumn
from serving.codecs.table_rows import encode_rows
from serving.codecs.table_text import TextColumn
from tests.serving.kinds import text_codec

CODEC = TableCodec(
    columns=(
        NumberColumn(
            name="age", values=(18.0, 40.0, 90.0), scores=(-2.0, 0.0, 2.0), flag=True, typical=40.0, low=18.0, high=90.0
        ),
        CategoryColumn(name="city", values=("Bern", "Rome", "3", "true")),
        DateColumn(
            name="day", mean=1.7e9, scale=1e7, rounds=("month", "weekday", "hour"), flag=True, day_first=True
        ),
        TextColumn(name="note", max_tokens=5, vocabulary=8),
    ),
    ignored=("id",),
    tokenizer="tiny",
    tokenizer_json=text_codec().tokenizer_json,
)  # fmt: skip
NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.just(10**400))
CELLS = {
    "age": st.one_of(
        st.none(), NUMBERS, st.booleans(), st.sampled_from(["", "NA", " 3e1 ", "old", "nan", "x" * 200_000])
    ),
    "city": st.one_of(st.none(), NUMBERS, st.booleans(), st.sampled_from(["Bern", " Rome", "Oslo", "?", "3.0"])),
    "day": st.sampled_from([None, "", "2024-02-29", "1/7/2016", "2024-01-01T05:00:00+01:00", "soon", 2024, 20.5, True]),
    "note": st.one_of(st.none(), st.sampled_from(["good film", "bad " * 9, "", "NA", 5, True])),
    "id": st.integers(),
}
GOOD = {
    "age": st.one_of(st.none(), st.integers(0, 99), st.floats(0, 99), st.sampled_from(["", " 3e1 "])),
    "city": st.one_of(st.none(), st.booleans(), st.sampled_from(["Bern", " Rome", "Oslo", 3, 3.0])),
    "day": st.sampled_from([None, "", "2024-02-29", "1/7/2016", "2024-01-01T05:00:00+01:00"]),
    "note": st.one_of(st.none(), st.sampled_from(["good film", "bad " * 9, "", 5])),
    "id": st.integers(),
}


def rows_of(cells: dict[str, Any]) -> Any:
    optional = {name: values for name, values in cells.items() if name != "id"}
    return st.lists(st.fixed_dictionaries({"id": cells["id"]}, optional=optional), min_size=1, max_size=5)


@given(rows_of(GOOD))
def test_rows_together_are_rows_one_by_one(rows: list[dict[str, Any]]) -> None:
    np.testing.assert_array_equal(encode_rows(CODEC, rows), np.stack([CODEC.encode(row) for row in rows]))


@given(st.one_of(rows_of(CELLS), rows_of({**GOOD, "age": CELLS["age"]})))
def test_rows_are_refused_together_where_one_is_refused(rows: list[dict[str, Any]]) -> None:
    try:
        expected = np.stack([CODEC.encode(row) for row in rows])
    except InputError:
        with pytest.raises(InputError):
            encode_rows(CODEC, rows)
    else:
        np.testing.assert_array_equal(encode_rows(CODEC, rows), expected)


@pytest.mark.parametrize("wrong", [{}, {"agee": 1}, [1], None])
def test_what_is_no_row_of_the_model_is_refused(wrong: Any) -> None:
    with pytest.raises(InputError):
        encode_rows(CODEC, [{"age": 1}, wrong])
