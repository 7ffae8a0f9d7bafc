"""Other formats than delimited text, and files that are no table."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.datasets.tables.reading import read
from records.errors import ConfigError, DataError
from tests.pipelines.datasets.tables.making import PEOPLE, cells, found, write


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n\n\n", "holds no cell"),
        (b"a,b,c\n", "holds the names of 3 columns and no row below them"),
        (b"a,b\n?,NA\n", "holds no cell that is not missing"),
        (b"PK\x03\x04rubbish", "a zip archive or an Excel file"),
        (b"\x00\x01\x02rubbish\x00", "zero bytes"),
        (b"\x1f\x8bno gzip at all", "cannot be unpacked"),
        (b"PAR1 no parquet", "cannot be read as parquet"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as raised:
        read(write(tmp_path, content))
    assert str(raised.value).count("\n") == 0 and str(raised.value).endswith(".")


def test_truncated_gzip_folder_and_absent_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be unpacked"):
        read(write(tmp_path, gzip.compress((PEOPLE * 5000).encode())[:-20], "t.csv.gz"))
    with pytest.raises(ConfigError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(ConfigError, match="There is no file"):
        read(tmp_path / "nothing.csv")


def test_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, PEOPLE)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        read(path)


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv", "t"])
def test_gzip_is_seen_in_the_bytes(tmp_path: Path, name: str) -> None:
    assert cells(read(write(tmp_path, gzip.compress(PEOPLE.encode()), name)))["name"] == ["Ann", "Bob", "Eve"]


def test_json_lines_keep_their_kinds(tmp_path: Path) -> None:
    lines = [
        '{"n": 1, "s": " x ", "b": true, "m": 1, "l": [1]}',
        '{"n": 2.5, "s": "NA", "b": false, "m": "two"}',
        "",
        "no json",
        '{"n": null, "late": 5}',
        "[1, 2]",
    ]
    frame = read(write(tmp_path, "\n".join(lines), "t.jsonl"))
    assert cells(frame) == {
        "n": [1.0, 2.5, None],
        "s": ["x", None, None],
        "b": [True, False, None],
        "m": ["1", "two", None],
        "late": [None, None, 5],
    }
    assert frame.lines.tolist() == [1, 2, 5]
    assert found(frame)["unreadable_rows"].startswith("2 of 5 lines are no json object. Left out")
    assert found(frame)["nested_columns"].startswith("1 columns hold lists, objects or bytes: l.")


def test_json_that_is_one_array_and_json_that_is_none(tmp_path: Path) -> None:
    assert cells(read(write(tmp_path, '[{"a": 1}, {"a": 2}]', "t.json")))["a"] == [1, 2]
    with pytest.raises(DataError, match="is no json"):
        read(write(tmp_path, "[{", "t.json"))
    with pytest.raises(DataError, match="holds no row of a table. Expected an object on each line"):
        read(write(tmp_path, "hello\n", "t.jsonl"))


def test_json_lines_beyond_one_piece(tmp_path: Path) -> None:
    rows = [f'{{"a": {row}, "b": "w{row}"}}' for row in range(45_000)] + ['{"a": "end", "c": 1}']
    frame = read(write(tmp_path, "\n".join(rows), "t.ndjson"))
    assert cells(frame)["a"][-2:] == ["44999", "end"] and cells(frame)["c"][-2:] == [None, 1]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "n": pa.array([1, None, 3], pa.int32()),
            "c": pa.array(["x", " y", "x"]).dictionary_encode(),
            "t": pa.array([0, 1, None], pa.timestamp("ms", "UTC")),
            "l": [[1], [2], [3]],
            "e": pa.nulls(3),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    frame = read(tmp_path / "t.parquet")
    assert frame.names == ["n", "c", "t", "e"] and cells(frame)["c"] == ["x", "y", "x"]
    assert pa.types.is_int32(frame.column("n").type) and pa.types.is_timestamp(frame.column("t").type)
    assert read(tmp_path / "t.parquet", 2).num_rows == 2
