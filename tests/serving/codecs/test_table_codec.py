"""Rows: what each kind of column becomes, that one row and a million are encoded alike, and what is refused."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from records.api import ColumnDescription
from records.errors import BundleError, InputError
from records.spec import ColumnKind
from serving.codecs.catalog import load_codec
from serving.codecs.table import TableCodec
from serving.codecs.table_fit import fit_category, fit_date, fit_number, fit_text, quantiles_each

RNG = np.random.default_rng(3)
AGES = np.where(RNG.random(997) < 0.1, np.nan, RNG.gamma(3.0, 10.0, 997))
ROOMS = RNG.integers(1, 6, 997).astype(np.float64)
DAYS = np.datetime64("2024-01-01", "s") + RNG.integers(0, 500, 997) * np.timedelta64(86_400, "s")
COUNTS = {"Rome": 50, "Oslo": 70, "3": 20, "true": 9, "Paris": 1}


def make_tokenizer() -> str:
    words = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "fine": 5, "flat": 6}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    tokenizer.post_processor = TemplateProcessing(  # type: ignore[assignment]
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return str(tokenizer.to_str())


TOKENIZER = make_tokenizer()
COLUMNS = (
    fit_number("age", AGES),
    fit_category("town", COUNTS),
    fit_number("rooms", ROOMS),
    fit_date("day", DAYS, True),
    fit_text("note", ["a fine flat"], TOKENIZER, most=6),
)
CODEC = TableCodec(columns=COLUMNS, ignored=("price", "id"), tokenizer="tiny", tokenizer_json=TOKENIZER)


def test_layout_covers_the_array_without_a_gap() -> None:
    slots = CODEC.layout.slots
    assert [(s.name, s.kind.value, s.start, s.stop, s.size) for s in slots] == [
        ("age", "number", 0, 2, 0),  # the second element says that it is missing
        ("town", "category", 2, 3, 6),
        ("rooms", "number", 3, 4, 0),
        ("day", "date", 4, 9, 0),  # how far, month, weekday; all at midnight
        ("note", "text", 9, 15, 7),
    ]
    assert CODEC.input_shape == (15,) and CODEC.dtype == "float32" and CODEC.layout.tokenizer == "tiny"
    assert CODEC.layout.of_kind(ColumnKind.NUMBER) == (slots[0], slots[2])


def test_numbers_become_about_normal() -> None:
    codes = CODEC.encode_columns({"age": AGES, "rooms": ROOMS}, len(AGES))
    known = ~np.isnan(AGES)
    ages = codes[known, 0]
    assert abs(ages.mean()) < 0.02 and abs(ages.std() - 1.0) < 0.02
    ordered = ages[np.argsort(AGES[known])]
    assert (np.diff(ordered) >= 0).all()
    assert (codes[~known, 0] == 0).all() and (codes[:, 1] == ~known).all()
    assert len(np.unique(codes[:, 3])) == 5  # few distinct values stay apart
    assert CODEC.encode({"age": 1e30})[0] == ages.max() < 5.0
    assert CODEC.encode({"age": -5})[0] == ages.min() > -5.0


def test_many_equal_numbers_lie_in_the_middle_of_their_ranks() -> None:
    cells = np.concatenate([np.zeros(900), np.arange(1.0, 101.0)])
    column = fit_number("gain", cells)
    encoded = np.zeros((3, 1), np.float32)
    column.encode_array(np.array([0.0, 1.0, 100.0]), encoded)
    assert encoded[:, 0] == pytest.approx([-0.1257, 1.2844, 3.2905], abs=1e-3)  # ranks 0.45, 0.9005, 0.9995


def test_categories_are_ordered_by_how_often_they_occur() -> None:
    towns = np.array(["Oslo", "Rome", " Oslo ", None, "?", "Paris", "Lima", 3, 3.0, True, "TRUE"], dtype=object)
    codes = CODEC.encode_columns({"town": towns}, len(towns))[:, 2]
    assert codes.tolist() == [2, 3, 2, 0, 0, 1, 1, 4, 4, 5, 1]
    assert fit_category("many", {f"w{i}": 5000 - i for i in range(1500)}).size == 1002
    assert fit_category("town", {"b": 2, "a": 2, "once": 1}).values == ("a", "b")


def test_dates_are_distances_and_rounds() -> None:
    column = fit_date("day", np.array(["2025-01-06T00:30", "2025-07-08T12:30", "NaT"], "datetime64[s]"))
    assert column.rounds == ("month", "weekday", "hour") and column.flag and column.width == 8
    array = np.zeros(8, np.float32)
    column.encode_cell("2025-07-08T12:30:59Z", array)
    angles = 2 * np.pi * np.array([6 / 12, 1 / 7, 12 / 24])
    expected = [1.0, *np.stack([np.sin(angles), np.cos(angles)], axis=1).ravel(), 0.0]
    np.testing.assert_allclose(array, expected, atol=1e-5)
    array[:] = 0
    column.encode_cell(None, array)
    np.testing.assert_array_equal(array, [0] * 7 + [1])
    assert column.describe() == {"typical": "2025-04-07T18:30:00"}


def test_texts_are_token_ids_and_zeros() -> None:
    rows = [CODEC.encode({"note": note})[9:].tolist() for note in ("a fine flat", "a very very very fine flat", None)]
    assert rows == [[2, 4, 5, 6, 3, 0], [2, 4, 1, 1, 1, 3], [2, 3, 0, 0, 0, 0]]
    assert fit_text("note", ["a"] * 50 + ["a " * 90], TOKENIZER, most=64).max_tokens == 8  # one long text is cut off


missing = st.sampled_from([None, "", "n/a"])
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6) | st.booleans()
rows_of_cells = st.lists(
    st.fixed_dictionaries(
        {
            "age": numbers | missing,
            "town": st.sampled_from(list(COUNTS)) | st.text(max_size=5) | missing | st.integers(0, 4) | st.booleans(),
            "rooms": numbers | missing,
            "day": st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat()) | missing,
            "note": st.text(max_size=20) | missing,
        }
    ),
    min_size=1,
    max_size=7,
)


@given(rows_of_cells)
def test_one_row_and_many_rows_are_encoded_alike(rows: list[dict[str, Any]]) -> None:
    gone = (None, "", "n/a")
    columns = {
        "age": np.array([math.nan if row["age"] in gone else float(row["age"]) for row in rows]),
        "town": np.array([row["town"] for row in rows] + [None], dtype=object)[:-1],
        "rooms": np.array([math.nan if row["rooms"] in gone else float(row["rooms"]) for row in rows]),
        "day": np.array(["NaT" if row["day"] in gone else row["day"] for row in rows], "datetime64[s]"),
        "note": np.array([row["note"] for row in rows], dtype=object),
    }
    together = CODEC.encode_columns(columns, len(rows))
    apart = CODEC.collate([CODEC.encode(row) for row in rows])
    assert together.dtype == apart.dtype == np.float32
    np.testing.assert_array_equal(together, apart)
    again = load_codec(json.loads(json.dumps(CODEC.to_json())))
    np.testing.assert_array_equal(again.encode(rows[0]), apart[0])


def test_columns_that_are_left_out_are_missing() -> None:
    bare = CODEC.encode({"town": "Rome"})
    np.testing.assert_array_equal(bare, CODEC.encode({"town": "Rome", "age": None, "rooms": "", "day": "?"}))
    np.testing.assert_array_equal(bare, CODEC.encode_columns({"town": np.array(["Rome"], dtype=object)}, 1)[0])


def test_target_and_left_out_columns_are_accepted_and_say_nothing() -> None:
    np.testing.assert_array_equal(CODEC.encode({"town": "Rome", "price": 5, "id": "x"}), CODEC.encode({"town": "Rome"}))


def test_unknown_column_is_refused_with_its_neighbours() -> None:
    with pytest.raises(InputError, match=r"The model knows no column 'towm'\. Did you mean town\?"):
        CODEC.encode({"towm": "Rome"})
    with pytest.raises(InputError, match="no column 'xyz' and 1 more. Expected some of age, town, rooms, day, note"):
        CODEC.encode({"xyz": 1, "qqq": 2})
    with pytest.raises(InputError, match="no column 'towm'"):
        CODEC.encode_columns({"towm": np.zeros(2)}, 2)


@pytest.mark.parametrize("raw", [{}, None, [1, 2], "age=3"])
def test_what_is_no_row_is_refused(raw: Any) -> None:
    with pytest.raises(InputError, match="A row must map columns to values. Expected some of age, town"):
        CODEC.encode(raw)


@pytest.mark.parametrize("cell", [math.inf, math.nan, "old", [3]])
def test_wrong_cell_is_refused_by_name(cell: Any) -> None:
    with pytest.raises(InputError, match="age must be a"):
        CODEC.encode({"age": cell})


def test_too_long_cell_is_refused() -> None:
    with pytest.raises(InputError, match="note is too long") as caught:
        CODEC.encode({"note": "a " * 100_000})
    assert caught.value.status == 413


def test_description_names_usual_values() -> None:
    described = CODEC.describe()
    columns = {column["name"]: ColumnDescription(**column) for column in described["columns"]}
    assert columns["rooms"].typical in (2, 3, 4) and (columns["rooms"].low, columns["rooms"].high) == (1, 5)
    assert columns["town"].typical == "Oslo" and columns["town"].values == ["Oslo", "Rome", "3", "true"]
    assert str(columns["day"].typical).startswith("2024-09")
    sample = {name: column.typical for name, column in columns.items()}
    assert np.isfinite(CODEC.encode(sample)).all()
    assert all(type(limit) is int for limit in described["limits"].values())


def test_a_training_split_that_knows_nothing_of_a_column() -> None:
    nothing = TableCodec(
        columns=(
            fit_number("n", np.full(3, np.nan)),
            fit_category("c", {}),
            fit_date("d", np.full(3, np.datetime64("NaT"))),
        )
    )
    assert nothing.encode({"n": 5, "c": "x", "d": "1970-01-01"}).tolist() == [0.0, 1.0, 0.0]
    assert nothing.describe()["columns"][1]["typical"] is None


def test_thousands_of_columns_keep_fewer_quantiles() -> None:
    assert [quantiles_each(count) for count in (0, 3, 1000, 5000, 50_000)] == [200, 200, 100, 20, 20]
    assert len(fit_number("age", AGES, 20).values) == 20


def damaged(change: dict[str, Any], column: int | None = None) -> dict[str, Any]:
    saved = json.loads(json.dumps(CODEC.to_json()))
    if column is None:
        return saved | change
    saved["columns"][column] |= change
    return saved


@pytest.mark.parametrize(
    "saved",
    [
        damaged({"more": 1}),
        damaged({"columns": []}),
        damaged({"columns": {"a": 1}}),
        damaged({"columns": [5]}),
        damaged({"ignored": [5]}),
        damaged({"tokenizer_json": ""}),
        damaged({"kind": "image"}, 0),
        damaged({"more": 1}, 0),
        damaged({"values": [1.0]}, 0),
        damaged({"values": [], "scores": []}, 0),
        damaged({"values": [2.0, 1.0], "scores": [0.0, 1.0]}, 0),
        damaged({"values": [1.0, math.inf], "scores": [0.0, 1.0]}, 0),
        damaged({"values": ["1"], "scores": [0.0]}, 0),
        damaged({"values": 5}, 0),
        damaged({"values": [1.0], "scores": [9.0]}, 0),
        damaged({"flag": 1}, 0),
        damaged({"values": ["a", "a"]}, 1),
        damaged({"values": [str(i) for i in range(1001)]}, 1),
        damaged({"name": "age"}, 1),
        damaged({"name": 7}, 1),
        damaged({"scale": 0.0}, 3),
        damaged({"rounds": ["century"]}, 3),
        damaged({"max_tokens": 10**9}, 4),
    ],
)
def test_damaged_codec_is_refused(saved: dict[str, Any]) -> None:
    saved = {"kind": "table"} | saved
    with pytest.raises(BundleError, match=r"codec\.json"):
        TableCodec.from_json(saved)


def test_tokenizer_that_is_none_is_refused() -> None:
    with pytest.raises(BundleError, match="its tokenizer cannot be read"):
        replace(CODEC, tokenizer_json="{}").encode({"note": "a"})
