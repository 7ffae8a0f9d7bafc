"""Files of series: the format, partners, and what is said about damaged ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.datasets.series_file import load
from records.config import RunConfig
from records.data import Example, InputKind, Source, Split
from records.errors import ConfigError, DataError

HEADER = "@problemName walks\n@univariate false\n@classLabel true right left\n@data\n"
ROWS = "1,2,3:4,5,6:left\n7,?,NaN:8,9,1e3:right\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(text: str, name: str = "walks.ts") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def read(path: Path, **fields: str) -> tuple[Source, list[Example]]:
    source = load(RunConfig(data=str(path), **fields))  # type: ignore[arg-type]
    assert source.examples is not None
    return source, list(source.examples())


def test_series_of_two_channels_with_missing_values(write: Callable[..., Path]) -> None:
    source, examples = read(write("# a comment\n\n" + HEADER + "\n# another\n" + ROWS))
    assert source.kind is InputKind.SERIES and source.name == "walks"
    assert source.labels == ("right", "left")  # in the order of the file
    assert [(example.id, example.label) for example in examples] == [("walks.ts:9", "left"), ("walks.ts:10", "right")]
    np.testing.assert_array_equal(examples[0].raw, [[1, 4], [2, 5], [3, 6]])
    np.testing.assert_array_equal(examples[1].raw, [[7, 8], [np.nan, 9], [np.nan, 1000]])
    assert examples[0].raw.dtype == np.float64


def test_partners_are_the_splits(write: Callable[..., Path], tmp_path: Path) -> None:
    train, test = write(HEADER + ROWS, "walks_TRAIN.ts"), write(HEADER + ROWS, "walks_TEST.ts")
    write(HEADER + ROWS, "runs.ts")
    for asked in (train, test):
        source, examples = read(asked)
        assert [example.split for example in examples] == [Split.TRAIN, Split.TRAIN, Split.TEST, Split.TEST]
        assert source.name == "walks"
        assert "walks_TRAIN.ts is the train split and walks_TEST.ts is the test split." in source.understood[0].what
    with pytest.raises(ConfigError, match=r"holds several datasets \(runs.ts, walks_TEST.ts, walks_TRAIN.ts\)"):
        read(tmp_path)
    (tmp_path / "runs.ts").unlink()
    assert len(read(tmp_path)[1]) == 4


def test_a_file_without_a_partner_names_no_split(write: Callable[..., Path]) -> None:
    source, examples = read(write(HEADER + ROWS, "walks_TRAIN.ts"))
    assert [example.split for example in examples] == [None, None] and source.understood == ()
    assert len({example.id for example in examples}) == 2


def test_numbers_to_predict(write: Callable[..., Path]) -> None:
    path = write("@univariate true\n@targetLabel true\n@data\n1,2:0.5\n3:-7e1\n")
    source, examples = read(path)
    assert [example.label for example in examples] == [0.5, -70.0]
    assert [len(example.raw) for example in examples] == [2, 1]  # of different lengths
    assert source.labels is None


def test_classes_that_are_numbers_can_be_predicted_as_numbers(write: Callable[..., Path]) -> None:
    path = write("@univariate true\n@classLabel true 1 2\n@data\n1,2:1\n3:2\n")
    assert [example.label for example in read(path)[1]] == ["1", "2"]
    assert [example.label for example in read(path, task="regression")[1]] == [1.0, 2.0]
    words = write("@univariate true\n@classLabel true a b\n@data\n1,2:a\n")
    with pytest.raises(ConfigError, match="the labels of walks.ts are no numbers: 'a'"):
        read(words, task="regression")


def test_the_fingerprint_follows_the_content(write: Callable[..., Path]) -> None:
    first = read(write(HEADER + ROWS))[0].fingerprint
    assert read(write(HEADER + ROWS + ROWS))[0].fingerprint != first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@problem walks\n@data\n1:a\n", "line 1: '@problem walks' is no line of a header"),
        ("1,2:a\n", "line 1: '1,2:a' is no line of a header"),
        ("@univariate maybe\n@data\n", "line 1: @univariate must be true or false. Received: 'maybe'"),
        ("@dimensions two\n@data\n", "line 1: @dimensions must be a whole number"),
        ("@classLabel true\n@data\n", "line 1: the classes are missing or double"),
        ("@classLabel true a a\n@data\n", "line 1: the classes are missing or double"),
        ("@univariate true\n@dimensions 2\n@data\n", "says that it is univariate and has 2 dimensions"),
        ("@timeStamps true\n@data\n", "has time stamps, which are not read"),
        (HEADER + "(0,1),(1,2):left\n", "has time stamps, which are not read"),
        ("@problemName walks\n", "has no @data line"),
        ("@classLabel false\n@data\n1,2\n", "says that its series have no labels"),
        (HEADER, "holds no series: nothing follows @data in line 4"),
        (HEADER + "1,2,3:4,5:left\n", r"line 5: the dimensions have different lengths: \[2, 3\]"),
        (HEADER + ROWS + "1,2,3:left\n", "line 7: the series has 1 dimensions. Expected 2"),
        (HEADER.replace("@data", "@dimensions 3\n@data") + ROWS, "line 6: the series has 2 dimensions and a label"),
        (HEADER + "1,two,3:4,5,6:left\n", "line 5: 'two' is no number"),
        (HEADER + "1,,3:4,5,6:left\n", "line 5: '' is no number"),
        (HEADER + "1,1_0,3:4,5,6:left\n", "line 5: '1_0' is no number"),
        (HEADER + "1,2:3,4:up\n", "line 5: 'up' is none of the classes"),
        (HEADER + "left\n", "line 5: the series has 0 dimensions and a label"),
        (
            HEADER.replace("@data", "@equalLength true\n@seriesLength 3\n@data") + "1,2:3,4:left\n",
            "line 7: the series has 2 steps, and @seriesLength says 3",
        ),
        ("@univariate true\n@targetLabel true\n@data\n1,2:?\n", r"line 4: the label '\?' is no number"),
        ("@univariate true\n@targetLabel true\n@data\n1,2:x\n", "line 4: 'x' is no number"),
    ],
)
def test_damaged_files_are_refused_with_the_line(write: Callable[..., Path], text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(text))


def test_partners_that_do_not_fit_are_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(HEADER + ROWS, "walks_TRAIN.ts")
    write(HEADER.replace("right left", "up down") + "1:2:up\n", "walks_TEST.ts")
    with pytest.raises(DataError, match="walks_TEST.ts and walks_TRAIN.ts declare different labels"):
        read(path)
    write(HEADER.replace("@data", "@dimensions 3\n@data") + "1:2:3:left\n", "walks_TEST.ts")
    with pytest.raises(DataError, match="walks_TEST.ts, line 6: the series has 3 dimensions. Expected 2, as"):
        read(path)
    write(HEADER + ROWS, "walks_TST.ts")
    with pytest.raises(ConfigError, match="are for the same split"):
        read(path)


def test_an_empty_series_is_left_to_the_inspection(write: Callable[..., Path]) -> None:
    _, examples = read(write(HEADER + "::left\n" + ROWS))
    assert examples[0].raw.shape == (0, 2)


def test_missing_files_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file or folder"):
        read(tmp_path / "nothing.ts")
    with pytest.raises(DataError, match="holds no .ts files"):
        read(tmp_path)


@given(
    st.lists(
        st.lists(
            st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")), min_size=3, max_size=3), min_size=1, max_size=9
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["?", "NaN", "nan"]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path: Path, series: list[list[list[float]]], missing: str) -> None:
    def line(steps: list[list[float]]) -> str:
        columns = np.array(steps).T
        return ":".join(",".join(missing if np.isnan(v) else repr(float(v)) for v in column) for column in columns)

    path = tmp_path / "any.ts"
    path.write_text("@classLabel true a b\n@DATA\n" + "".join(f"{line(steps)}:b\n" for steps in series))
    _, examples = read(path)
    assert len(examples) == len(series)
    for example, steps in zip(examples, series, strict=True):
        np.testing.assert_array_equal(example.raw, np.array(steps))


@pytest.mark.parametrize(
    ("name", "sizes", "channels", "lengths", "labels"),
    [
        ("GunPoint", (50, 150), 1, (150, 150), 2),
        ("ItalyPowerDemand", (67, 1029), 1, (24, 24), 2),
        ("JapaneseVowels", (270, 370), 12, (7, 29), 9),
        ("BasicMotions", (40, 40), 6, (100, 100), 4),
    ],
)
def test_real_files(
    shared_data: Path, name: str, sizes: tuple[int, int], channels: int, lengths: tuple[int, int], labels: int
) -> None:
    source, examples = read(shared_data / "datasets" / "timeseries" / name)
    assert source.name == name and source.labels is not None and len(source.labels) == labels
    counts = [sum(example.split is split for example in examples) for split in (Split.TRAIN, Split.TEST)]
    assert tuple(counts) == sizes
    steps = [len(example.raw) for example in examples]
    assert (min(steps), max(steps)) == lengths
    assert {example.raw.shape[1] for example in examples} == {channels}
    assert not any(np.isnan(example.raw).any() for example in examples)
