"""Folders with a table for each split."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.datasets.tables.profile import given_splits
from records.config import RunConfig
from records.data import Split
from records.errors import ConfigError, DataError
from tests.pipelines.datasets.test_files import REVIEWS, ROWS, TABLE, opened, told, write


def test_a_folder_with_a_file_for_each_split(tmp_path: Path) -> None:
    header = TABLE.splitlines()[0]
    folder = write(
        tmp_path,
        X_TRAIN__csv=TABLE,
        X_TEST__csv=f"{header}\n1,red,5\n2,green,6\n",
        sample_submission__csv="id,price\n1,2\n",
        readme__txt="hello",
    )
    source = opened(folder)
    assert "X_TRAIN.csv is for train, X_TEST.csv is for test" in told(source)
    assert "left out: sample_submission.csv" in told(source)
    frame = source.frame()  # type: ignore[misc]
    assert frame.num_rows == ROWS + 2 and frame.lines.tolist() == list(range(2, ROWS + 2)) + [ROWS + 3, ROWS + 4]
    splits = given_splits(frame, RunConfig(data=str(folder)))
    assert splits is not None and splits.tolist() == [0] * ROWS + [2, 2]
    assert any("X_TEST.csv begins at 43" in one.what for one in frame.understood)


def test_texts_of_a_folder_name_their_splits(tmp_path: Path) -> None:
    folder = write(tmp_path, train__tsv=REVIEWS, dev__tsv=REVIEWS, test__tsv=REVIEWS)
    examples = list(opened(folder).examples())  # type: ignore[misc]
    assert [example.split for example in examples[::ROWS]] == [Split.TRAIN, Split.VALIDATION, Split.TEST]
    assert len({example.id for example in examples}) == 3 * ROWS


def test_columns_that_a_file_lacks_are_missing_there(tmp_path: Path) -> None:
    folder = write(tmp_path, train__csv=TABLE, test__csv="price,extra,size\n3,x,1\n")
    frame = opened(folder, target="price").frame()  # type: ignore[misc]
    assert frame.names == ["size", "colour", "price", "extra"]
    assert frame.column("colour").to_pylist()[-1] is None and frame.column("extra").to_pylist()[-2:] == [None, "x"]
    found = [one.what for one in frame.findings]
    assert found == [
        "train.csv lacks 1 columns that others have: extra.",
        "test.csv lacks 1 columns that others have: colour.",
    ]


def test_a_test_file_without_the_target_is_left_out(tmp_path: Path) -> None:
    folder = write(tmp_path, train__csv=TABLE, test__csv="size,colour\n1,red\n2,red\n")
    frame = opened(folder, target="price").frame()  # type: ignore[misc]
    assert frame.num_rows == ROWS and "missing_target" in {one.code for one in frame.findings}


def test_a_file_without_the_header_that_the_first_has(tmp_path: Path) -> None:
    folder = write(tmp_path, train__csv=TABLE, test__csv="1,red,5\n2,green,6.5\n")
    frame = opened(folder).frame()  # type: ignore[misc]
    assert frame.names == ["size", "colour", "price"] and frame.num_rows == ROWS + 2


def test_parts_and_types_are_joined(tmp_path: Path) -> None:
    for name, cells in (("train-00000-of-00002", [1, 2]), ("train-00001-of-00002", [3.5, None]), ("test", ["7", "x"])):
        pq.write_table(pa.table({"a": cells, "target": [0, 1]}), tmp_path / f"{name}.parquet")
    source = opened(tmp_path)
    assert source.num_examples == 6
    frame = source.frame()  # type: ignore[misc]
    assert frame.column("a").to_pylist() == ["1", "2", "3.5", None, "7", "x"]
    assert np.array_equal(frame.files, [0, 0, 0, 0, 2, 2])


def test_full_stops_of_one_file(tmp_path: Path) -> None:
    train = "".join(f"{row},{'>50K' if row % 2 else '<=50K'}\n" for row in range(ROWS))
    folder = write(tmp_path, adult__data=train, adult__test="1,>50K.\n2,<=50K.\n", adult__names="words")
    frame = opened(folder).frame()  # type: ignore[misc]
    assert set(frame.column("column_2").to_pylist()) == {"<=50K", ">50K"} and frame.num_rows == ROWS + 2
    assert any("Full stops" in one.what for one in frame.understood)


def test_folders_that_do_not_say_what_is_what(tmp_path: Path) -> None:
    folder = write(tmp_path, red__csv=TABLE, white__csv=TABLE)
    with pytest.raises(ConfigError, match="holds 2 tables: red.csv, white.csv"):
        opened(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no table"):
        opened(tmp_path / "empty")
    with pytest.raises(ConfigError, match="There is no file"):
        opened(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="is empty"):
        opened(write(tmp_path, nothing__csv="") / "nothing.csv")


def test_the_only_table_of_a_folder(tmp_path: Path) -> None:
    source = opened(write(tmp_path, test__csv=TABLE, readme__txt="words"))
    assert "The table is test.csv, the only one in the folder." in told(source)
    assert source.frame().files is None  # type: ignore[misc]
