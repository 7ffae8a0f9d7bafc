"""Series from a long table."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets import series_long
from pipelines.datasets.series_long import choose_long_columns, long_examples
from pipelines.datasets.tables.frame import Frame
from records.config import RunConfig
from records.data import Example, Split
from records.errors import ConfigError, DataError

CONFIG = RunConfig(data="walks.csv")
COLUMNS: dict[str, list[Any]] = {
    "id": ["b", "b", "a", "b", "a"],
    "time": ["3", "1", "2", "2", "10"],
    "x": ["3", "1", "20", None, "21"],
    "y": ["0.3", "0.1", "2.0", "0.2", "2.1"],
    "place": ["park", "park", "road", "park", "road"],
    "class": ["up", "up", "down", None, "down"],
}


def make_frame(files: list[int] | None = None, **columns: Any) -> Frame:
    table = {name: values for name, values in (COLUMNS | columns).items() if values is not None}
    rows = len(next(iter(table.values())))
    return Frame(
        table=pa.table(table),
        lines=np.arange(rows) + 2,
        files=None if files is None else np.array(files, np.int8),
    )


@pytest.fixture(autouse=True)
def _classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_long, "is_regression", lambda frame, target, config: config.task == "regression")


def read(frame: Frame, config: RunConfig = CONFIG, target: str = "class") -> list[Example]:
    return list(long_examples(frame, config, target))


def test_rows_of_a_series_are_sorted_by_time() -> None:
    examples = read(make_frame())
    assert [(example.id, example.label, example.split) for example in examples] == [
        ("b", "up", None),
        ("a", "down", None),
    ]
    np.testing.assert_array_equal(examples[0].raw, [[1, 0.1], [np.nan, 0.2], [3, 0.3]])
    np.testing.assert_array_equal(examples[1].raw, [[20, 2.0], [21, 2.1]])


def test_what_each_column_is_for() -> None:
    chosen = choose_long_columns(make_frame(), CONFIG, "class")
    assert (chosen.series, chosen.time, chosen.split, chosen.channels) == ("id", "time", None, ("x", "y"))
    assert [told.what for told in chosen.understood] == [
        "Rows of the same id are one series.",
        "The steps of a series are sorted by time.",
        "Columns that hold no numbers are left out: place.",
    ]
    other = RunConfig(data="x", series_id="place", ignore=("y",), time="x")
    chosen = choose_long_columns(make_frame(), other, "class")
    assert (chosen.series, chosen.time, chosen.channels) == ("place", "x", ("time",))


def test_dates_sort_too_and_without_a_time_the_rows_stay() -> None:
    dates = ["2024-01-03", "2024-01-01", "2024-02-01", "2024-01-02", "2024-10-01"]
    np.testing.assert_array_equal(read(make_frame(time=dates))[0].raw[:, 1], [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(read(make_frame(time=None))[0].raw[:, 1], [0.3, 0.1, 0.2])


def test_numbers_to_predict() -> None:
    frame = make_frame(**{"class": ["1.5", "1.5", "-2", None, "-2"]})
    config = RunConfig(data="x", task="regression")
    assert [example.label for example in read(frame, config)] == [1.5, -2.0]
    with pytest.raises(DataError, match="The class of the series b is no number: 'up'"):
        read(make_frame(), config)


def test_splits_of_a_column_and_of_files() -> None:
    assert [e.split for e in read(make_frame(split=["train", "train", "test", "train", "test"]))] == [
        Split.TRAIN,
        Split.TEST,
    ]
    assert [e.split for e in read(make_frame(files=[0, 0, 2, 0, 2]))] == [Split.TRAIN, Split.TEST]
    assert [e.split for e in read(make_frame(files=[-1] * 5))] == [None, None]
    with pytest.raises(DataError, match="The series b has rows in two files"):
        read(make_frame(files=[0, 0, 2, 1, 2]))
    with pytest.raises(DataError, match="1 series have several values of split; b has train and test"):
        read(make_frame(split=["train", "test", "test", "train", "test"]))
    with pytest.raises(ConfigError, match="not every value of place names a split"):
        read(make_frame(), RunConfig(data="x", split="place"))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"time": ["3", "1", "2", "1", "10"]}, "1 rows have the same id and time as another row; .* in the series b"),
        ({"time": ["3", "1", "soon", "2", "10"]}, "1 rows have no time that can be read in the column time; .* line 4"),
        ({"id": ["b", None, "a", None, "a"]}, "2 rows have no series in the column id; the first of them in line 3"),
        ({"class": ["up", "down", "down", None, "down"]}, "1 series have several values of class; b has up and down"),
        ({"class": ["up", "up", None, None, None]}, "The series a has no value of class in any of its rows"),
    ],
)
def test_what_cannot_be_used_is_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(make_frame(**columns))


def test_columns_that_are_not_there() -> None:
    with pytest.raises(ConfigError, match="`id`: there is no column 'who'. The table has: id, time"):
        read(make_frame(), RunConfig(data="x", series_id="who"))
    with pytest.raises(ConfigError, match="No column says to which series a row belongs"):
        read(make_frame(id=None))
    with pytest.raises(ConfigError, match="No column holds the values of the series"):
        read(make_frame(x=None, y=None))


def test_many_series_are_read_in_their_first_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 40, 1000)
    times = rng.permutation(1000)
    frame = Frame(
        table=pa.table(
            {
                "series": [f"s{code}" for code in codes],
                "t": times,
                "value": times * 10.0,
                "y": [str(code % 3) for code in codes],
            }
        ),
        lines=np.arange(1000) + 2,
    )
    examples = read(frame, target="y")
    assert [example.id for example in examples] == list(dict.fromkeys(f"s{code}" for code in codes))
    for example in examples:
        code = int(example.id[1:])
        np.testing.assert_array_equal(example.raw[:, 0], np.sort(times[codes == code]) * 10.0)
        assert example.label == str(code % 3)
