"""Delimited text as people write it."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.datasets.tables.missing import TOKENS
from pipelines.datasets.tables.reading import read
from records.errors import DataError
from tests.pipelines.datasets.tables.making import PEOPLE, cells, found, told, write


def test_a_plain_file(tmp_path: Path) -> None:
    frame = read(write(tmp_path, PEOPLE))
    assert cells(frame) == {"name": ["Ann", "Bob", "Eve"], "age": ["31", None, "25"], "city": ["Paris", "Rome", "Oslo"]}
    assert frame.lines.tolist() == [2, 3, 4] and frame.files is None and frame.findings == ()
    assert told(frame) == "The file is read as comma separated, UTF-8, with a header."


@pytest.mark.parametrize(("delimiter", "name"), [(",", "comma"), ("\t", "tab"), (";", "semicolon"), ("|", "bar")])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_found(tmp_path: Path, delimiter: str, name: str, ends: str) -> None:
    frame = read(write(tmp_path, PEOPLE.replace(",", delimiter).replace("\n", ends)))
    assert cells(frame)["age"] == ["31", None, "25"]
    assert f"{name} separated" in told(frame)


def test_decimal_commas_between_semicolons(tmp_path: Path) -> None:
    frame = read(write(tmp_path, "a;b;c\n1,5;2;x\n-0,25;3;y,z\n"))
    assert cells(frame) == {"a": ["1.5", "-0.25"], "b": ["2", "3"], "c": ["x", "y,z"]}
    assert "Commas are decimal points in a." in told(frame)


def test_commas_inside_texts_do_not_hide_the_tabs(tmp_path: Path) -> None:
    lines = [
        f"{'spam' if row % 3 else 'ham'}\tSo, this is{', well,' * (row % 4)} text number {row}" for row in range(40)
    ]
    frame = read(write(tmp_path, "\n".join(lines)))
    assert frame.num_rows == 40 and len(frame.names) == 2 and "without a header" in told(frame)


ENCODINGS = [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("cp1252", "Windows-1252")]


@pytest.mark.parametrize(("encoding", "name"), ENCODINGS)
def test_encodings_are_found_and_told(tmp_path: Path, encoding: str, name: str) -> None:
    frame = read(write(tmp_path, "größe,wert\nfünf,5\nacht — „ja“,8\n".encode(encoding)))
    assert cells(frame) == {"größe": ["fünf", "acht — „ja“"], "wert": ["5", "8"]}
    assert name in told(frame)


def test_bytes_that_windows_does_not_know_are_latin(tmp_path: Path) -> None:
    frame = read(write(tmp_path, b"a,b\n\xe9t\xe9,1\n\x81,2\n"))
    assert cells(frame)["a"] == ["été", "\x81"] and "Latin-1" in told(frame)


def test_few_damaged_characters_do_not_make_the_others_foreign(tmp_path: Path) -> None:
    frame = read(write(tmp_path, ("a,b\n" + "é,1\n" * 50).encode() + b"\xe9,2\n"))
    assert cells(frame)["a"] == ["é"] * 50 + ["\ufffd"]
    assert found(frame)["damaged_text"].startswith("1 characters of the file are damaged")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("1,2,3\n4,5,6\n", ["column_1", "column_2", "column_3"]),
        ("x,y\n1,2\n3,4\n", ["x", "y"]),
        ("Ann,Paris\nBob,Rome\n", ["Ann", "Paris"]),  # nothing speaks against names
        ("red,Paris\nblue,Rome\nred,Rome\n", ["column_1", "column_2"]),  # a name does not come again
        ("?,5,a\n3,6,b\n4,7,c\n", ["column_1", "column_2", "column_3"]),
        (",0,1,2\n0,5,6,7\n1,8,9,1\n", ["unnamed_1", "0", "1", "2"]),
        ("label,1x1,1x2\n5,0,0\n7,0,3\n", ["label", "1x1", "1x2"]),
        ("date,value\n2016-01-01,4\n2016-01-02,5\n", ["date", "value"]),
        ("2015-12-31,3\n2016-01-01,4\n2016-01-02,5\n", ["column_1", "column_2"]),
        ("a,b,\n1,2,\n3,4,\n", ["a", "b", "unnamed_3"]),
        ("a,b\n1,2,\n3,4,\n", ["a", "b", "unnamed_3"]),
        ("word\nhello there\ngood bye\n", ["word"]),
    ],
)
def test_first_row_as_names_or_not(tmp_path: Path, content: str, names: list[str]) -> None:
    frame = read(write(tmp_path, content))
    assert frame.names == names
    assert frame.num_rows == len(content.splitlines()) - (not names[0].startswith("column_"))
    assert ("without a header" in told(frame)) == names[0].startswith("column_")


def test_missing_cells_in_every_spelling_and_white_space(tmp_path: Path) -> None:
    spellings = ["", " ", "NA", "n/a", "NaN", "nan", "NULL", "None", "?", " - ", "N/a"]
    rows = "".join(f"{spelling},{number}\n" for number, spelling in enumerate(spellings))
    frame = read(write(tmp_path, f"a,b\n{rows} -1 ,  nano \n"))
    assert cells(frame)["a"] == [None] * len(spellings) + ["-1"]
    assert cells(frame)["b"][-1] == "nano"


def test_cells_with_line_breaks_quotes_and_delimiters(tmp_path: Path) -> None:
    frame = read(write(tmp_path, 'text,label\n"one\ntwo, three",a\n"say ""hi""",b\nplain 5" pipe,c\n'))
    assert cells(frame)["text"] == ["one\ntwo, three", 'say "hi"', 'plain 5" pipe']
    assert frame.lines.tolist() == [2, 3, 4]


def test_quotes_that_enclose_nothing_are_text(tmp_path: Path) -> None:
    rows = ['ham\t"Well" he said, "no', 'spam\t"Free entry', "ham\tok", 'ham\tsee "you', 'spam\t"Win! now"'] * 20
    frame = read(write(tmp_path, "\n".join(rows)))
    assert frame.num_rows == 100 and cells(frame)["column_2"][:2] == ['"Well" he said, "no', '"Free entry']
    assert "quotes being part of the text" in told(frame) and frame.findings == ()


def test_ragged_rows_are_left_out_and_named(tmp_path: Path) -> None:
    frame = read(write(tmp_path, "a,b\n1,2\n\n3\n4,5,6\n7,8\n"))
    assert cells(frame) == {"a": ["1", "7"], "b": ["2", "8"]} and frame.lines.tolist() == [2, 6]
    assert found(frame)["ragged_rows"] == (
        "2 of 6 rows do not have the 2 cells that most have. Left out; the first are row 4, row 5."
    )


def test_titles_above_the_names_are_ragged_rows(tmp_path: Path) -> None:
    frame = read(write(tmp_path, "Report of May\n\na,b,c\n1,2,3\n4,5,6\n"))
    assert frame.names == ["a", "b", "c"] and frame.lines.tolist() == [4, 5] and "ragged_rows" in found(frame)


def test_names_that_come_twice_are_numbered(tmp_path: Path) -> None:
    frame = read(write(tmp_path, "a,b,a,a_2, A \n1,2,3,4,5\n6,7,8,9,0\n"))
    assert frame.names == ["a", "b", "a_3", "a_2", "A"]
    assert found(frame)["doubled_names"] == "1 of the columns' names comes more than once. Numbered: a_3."


def test_rows_without_any_cell_are_no_rows(tmp_path: Path) -> None:
    assert cells(read(write(tmp_path, "a,b\n1,2\n,\n\n3,4\n,\n"))) == {"a": ["1", "3"], "b": ["2", "4"]}


def test_huge_cells_and_emoji(tmp_path: Path) -> None:
    huge = "🎉 é " * 400_000
    frame = read(write(tmp_path, f'id,text\n1,"{huge}"\n2,short\n3,"{huge}"\n'))
    assert cells(frame)["text"] == [huge.strip(), "short", huge.strip()]
    assert cells(read(write(tmp_path, f"text\tlabel\n{huge}\ta\nx\tb\n")))["label"] == ["a", "b"]


def test_thousands_of_columns_and_too_many(tmp_path: Path) -> None:
    names = ",".join(f"f{number}" for number in range(5000))
    row = ",".join(["1.5"] * 5000)
    frame = read(write(tmp_path, f"{names}\n{row}\n{row}\n"))
    assert len(frame.names) == 5000 and frame.num_rows == 2
    wide = ",".join(["1"] * 10_001)
    with pytest.raises(DataError, match="has 10,001 columns. Expected at most 10,000"):
        read(write(tmp_path, f"{wide}\n{wide}\n"))


def test_only_the_first_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n" + "".join(f"{row},{row * 2}\n" for row in range(200_000)))
    frame = read(path, 1000)
    assert 1000 <= frame.num_rows < 200_000 and frame.lines[0] == 2
    assert read(path).num_rows == 200_000


def test_a_label_and_a_text_in_each_row(tmp_path: Path) -> None:
    rows = [f"{row % 2} this film is number {row} of its kind" for row in range(60)]
    frame = read(write(tmp_path, "\n".join(rows), "reviews.train"))
    assert cells(frame)["column_1"][:2] == ["0", "1"]
    assert cells(frame)["column_2"][3] == "this film is number 3 of its kind"


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=8)


@given(
    rows=st.lists(st.tuples(TEXTS, TEXTS, st.integers(-999, 999)), min_size=1, max_size=12),
    delimiter=st.sampled_from(",\t;|"),
)
@settings(max_examples=100, deadline=None)
def test_what_python_writes_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int]], delimiter: str
) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter)
    writer.writerow(["first name", "second", "number"])
    writer.writerows(rows)
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(written.getvalue().encode())
    frame = read(path)

    def bare(text: str) -> str | None:
        text = text.strip()
        return None if text.lower() in TOKENS else text

    assert cells(frame) == {
        "first name": [bare(row[0]) for row in rows],
        "second": [bare(row[1]) for row in rows],
        "number": [str(row[2]) for row in rows],
    }
    assert np.array_equal(frame.lines, np.arange(2, len(rows) + 2)) and frame.findings == ()


@pytest.mark.parametrize(
    ("path", "rows", "names"),
    [
        ("text/sms_spam/SMSSpamCollection", 5574, ["column_1", "column_2"]),
        ("text/ag_news_test/test.csv", 7600, ["column_1", "column_2", "column_3"]),
        ("text/sst2/stsa.binary.dev", 872, ["column_1", "column_2"]),
        ("tabular/adult/adult.data", 32561, ["column_1", "column_2", "column_3"]),
        ("tabular/titanic/titanic.csv", 891, ["survived", "pclass", "sex"]),
        ("tabular/wine_quality/winequality-red.csv", 1599, ["column_1", "column_2", "column_3"]),
        ("tabular/diamonds/diamonds.csv", 53940, ["carat", "cut", "color"]),
        ("forecasting/ETTh1.csv", 17420, ["date", "HUFL", "HULL"]),
        ("molecules/tox21/tox21.csv.gz", 8014, ["NR-AR", "NR-AR-LBD", "NR-AhR"]),
        ("multimodal/petfinder_mini/petfinder-mini.csv", 5770, ["unnamed_1", "Type", "Age"]),
    ],
)
def test_real_files(shared_data: Path, path: str, rows: int, names: list[str]) -> None:
    frame = read(shared_data / "datasets" / path)
    assert frame.num_rows == rows and frame.names[:3] == names and frame.findings == ()


def test_a_character_that_is_cut_at_the_end(tmp_path: Path) -> None:
    path = write(tmp_path, ("a,b\n" + "é,x\n" * 40 + "é,1").encode() + b"\xc3")
    for frame in (read(path), read(path, 1000)):
        assert cells(frame)["b"][-1] == "1\ufffd" and found(frame)["damaged_text"]
