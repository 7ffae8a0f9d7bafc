"""Tables' files and folders as sources."""

import os
from pathlib import Path

import pytest

from pipelines.datasets.files import is_table_path, load
from pipelines.datasets.tables.profile import find_target
from records.config import RunConfig
from records.data import InputKind, Source
from records.errors import ConfigError

ROWS = 40
TABLE = "size,colour,price\n" + "".join(f"{row},{'red' if row % 3 else 'blue'},{row * 1.5}\n" for row in range(ROWS))
REVIEWS = "label\ttext\n" + "".join(
    f"{'good' if row % 2 else 'bad'}\tit was film number {row} of all\n" for row in range(ROWS)
)
LONG = "id,time,value,label\n" + "".join(
    f"s{row // 5},{row % 5},{row * 0.7},{'a' if row < 20 else 'b'}\n" for row in range(ROWS)
)


def write(folder: Path, **files: str) -> Path:
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)
    return folder


def opened(path: Path, **fields: object) -> Source:
    return load(RunConfig(data=str(path), **fields))  # type: ignore[arg-type]


def told(source: Source) -> str:
    return " ".join(one.what for one in source.understood)


def test_rows_of_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, houses__v2__csv=TABLE) / "houses.v2.csv"
    source = opened(path)
    assert source.kind is InputKind.TABLE and source.name == "houses" and source.examples is None
    assert source.num_examples == ROWS and told(source) == "price, the last column, is what is to be predicted."
    assert source.frame is not None
    frame = source.frame()
    assert frame.target == "price" == find_target(frame, RunConfig(data=str(path))) and frame.num_rows == ROWS
    assert frame.files is None


def test_rows_without_a_target_are_left_out(tmp_path: Path) -> None:
    frame = opened(write(tmp_path, t__csv=TABLE + "99,red,\n") / "t.csv").frame()  # type: ignore[misc]
    assert frame.num_rows == ROWS and frame.findings[0].code == "missing_target"


def test_texts_are_examples(tmp_path: Path) -> None:
    source = opened(write(tmp_path, t__tsv=REVIEWS) / "t.tsv")
    assert source.kind is InputKind.TEXT and source.frame is None and source.examples is not None
    assert "text holds the texts" in told(source) and "tab separated" in told(source)
    examples = list(source.examples())
    assert len(examples) == ROWS
    assert (examples[1].raw, examples[1].label, examples[1].id) == ("it was film number 1 of all", "good", "row 3")
    assert {example.split for example in examples} == {None}


def test_texts_beside_other_columns_are_rows_unless_asked(tmp_path: Path) -> None:
    wide = "stars,text,label\n" + "".join(
        f"{row % 5},it was film number {row} of all,{row % 2}\n" for row in range(ROWS)
    )
    path = write(tmp_path, t__csv=wide) / "t.csv"
    assert opened(path).kind is InputKind.TABLE
    assert opened(path, ignore=("stars",)).kind is InputKind.TEXT
    source = opened(path, text="TEXT", target="stars", task="regression")
    assert source.kind is InputKind.TEXT
    examples = list(source.examples())  # type: ignore[misc]
    assert examples[3].label == 3.0 and isinstance(examples[3].label, float)
    assert opened(path, kind="text").kind is InputKind.TEXT


def test_which_column_holds_texts_must_be_clear(tmp_path: Path) -> None:
    content = "a,b,label\n" + "".join(f"x{row % 3},y{row % 4},{row % 2}\n" for row in range(ROWS))
    with pytest.raises(ConfigError, match="Name one with `--text`, of: a, b"):
        opened(write(tmp_path, t__csv=content) / "t.csv", kind="text")


def test_a_text_that_is_missing_is_an_empty_one(tmp_path: Path) -> None:
    source = opened(write(tmp_path, t__tsv=REVIEWS + "good\t\n") / "t.tsv")
    assert [example.raw for example in source.examples()][-1] == ""  # type: ignore[misc]


def test_long_tables_are_series(tmp_path: Path) -> None:
    path = write(tmp_path, t__csv=LONG) / "t.csv"
    source = opened(path)
    assert source.kind is InputKind.SERIES
    examples = list(source.examples())  # type: ignore[misc]
    assert len(examples) == 8 and examples[0].raw.shape == (5, 1)
    assert opened(path, kind="table").kind is InputKind.TABLE
    changing = LONG.replace("s0,1,0.7,a", "s0,1,0.7,b")
    assert opened(write(tmp_path, c__csv=changing) / "c.csv").kind is InputKind.TABLE


def test_forecasting_keeps_rows_without_a_target(tmp_path: Path) -> None:
    content = "day,sold\n" + "".join(f"2024-01-{row + 1:02d},{row if row % 7 else ''}\n" for row in range(28))
    path = write(tmp_path, t__csv=content) / "t.csv"
    for fields in ({"task": "forecasting"}, {"kind": "forecast"}):
        source = opened(path, **fields)
        assert source.kind is InputKind.FORECAST and source.frame is not None and source.frame().num_rows == 28
    assert opened(path).kind is InputKind.TABLE


def test_pictures_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`--kind image` needs a folder of images"):
        opened(write(tmp_path, t__csv=TABLE) / "t.csv", kind="image")


def test_the_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, t__csv=TABLE) / "t.csv"
    first = opened(path).fingerprint
    assert first == opened(path).fingerprint
    os.utime(path, ns=(1, 1))
    assert first != opened(path).fingerprint


def test_a_target_that_names_no_column(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`--target prize` names no column. Near: price"):
        opened(write(tmp_path, t__csv=TABLE) / "t.csv", target="prize")


@pytest.mark.parametrize(
    ("name", "is_table"),
    [("a.csv", True), ("a.jsonl", True), ("a.csv.gz", True), ("a.parquet", True), ("a", False), ("a.ts", False)],
)
def test_paths_that_do_not_exist(tmp_path: Path, name: str, is_table: bool) -> None:
    assert is_table_path(tmp_path / name) is is_table


def test_paths_that_exist(tmp_path: Path) -> None:
    write(tmp_path, SMSSpamCollection="a\tb\n", picture__png="", series__ts="")
    assert is_table_path(tmp_path / "SMSSpamCollection")
    assert not is_table_path(tmp_path / "picture.png") and not is_table_path(tmp_path / "series.ts")
    images = tmp_path / "images"
    (images / "cat").mkdir(parents=True)
    assert not is_table_path(images)
    write(images, labels__csv="a,b\n")
    assert not is_table_path(images)
    write(images, train__csv="a,b\n", test__csv="a,b\n")
    assert is_table_path(images)


@pytest.mark.parametrize(
    ("path", "fields", "kind", "rows"),
    [
        ("text/sms_spam/SMSSpamCollection", {}, InputKind.TEXT, 5574),
        ("text/sst2", {}, InputKind.TEXT, 9613),
        ("text/ag_news_test", {}, InputKind.TABLE, 7600),
        ("tabular/adult", {}, InputKind.TABLE, 48842),
        ("tabular/titanic/titanic.csv", {"target": "survived"}, InputKind.TABLE, 891),
        ("tabular/wine_quality/winequality-white.csv", {"task": "regression"}, InputKind.TABLE, 4898),
        ("forecasting/ETTh1.csv", {"task": "forecasting"}, InputKind.FORECAST, 17420),
    ],
)
def test_real_files(shared_data: Path, path: str, fields: dict[str, str], kind: InputKind, rows: int) -> None:
    source = opened(shared_data / "datasets" / path, **fields)
    assert source.kind is kind
    assert source.num_examples == pytest.approx(rows, rel=0.05)
    if source.frame is not None:
        assert source.frame().num_rows == rows
    else:
        examples = list(source.examples())  # type: ignore[misc]
        assert len(examples) == rows and len({example.label for example in examples}) == 2
