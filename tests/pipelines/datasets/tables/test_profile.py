"""What columns hold, and which is to be predicted."""

import numpy as np
import pyarrow as pa
import pytest

from pipelines.datasets.tables.profile import Profile, Role, given_splits, labelled, profile, split_column
from pipelines.datasets.tables.target import choose_target, find_target, is_regression
from records.errors import ConfigError, DataError
from tests.pipelines.datasets.tables.making import asked, frame_of

ROWS = 60
RNG = np.random.default_rng(3)
WORDS = ["a dog barks at the moon", "my cat sleeps all day long", "rain falls on every roof here"]


def profiled(cells: object, name: str = "column", **fields: object) -> Profile:
    frame = frame_of(**{name: cells, "target": ["a", "b"] * (len(cells) // 2)})  # type: ignore[arg-type]
    (found,) = profile(frame, asked(**fields))
    return found


def texts(count: int = ROWS) -> list[str]:
    return [f"{WORDS[row % 3]} and again {row}" for row in range(count)]


@pytest.mark.parametrize(
    ("cells", "role"),
    [
        ([str(x) for x in RNG.normal(size=ROWS)], Role.NUMBER),
        ([str(x) for x in RNG.integers(0, 9, ROWS)], Role.NUMBER),
        (RNG.normal(size=ROWS), Role.NUMBER),
        (["yes", "no", None] * 20, Role.CATEGORY),
        ([True, False] * 30, Role.CATEGORY),
        ([f"code{x}" for x in RNG.integers(0, 30, ROWS)], Role.CATEGORY),
        ([f"2016-07-{1 + row % 28:02d}" for row in range(ROWS)], Role.DATE),
        ([f"{1 + row % 28}/7/2016" for row in range(ROWS)], Role.DATE),
        (texts(), Role.TEXT),
        ([f"这是一个没有空格的句子第{row}号" for row in range(ROWS)], Role.TEXT),
        ([f"customer-{row}" for row in range(ROWS)], Role.IDENTIFIER),
        ([f"{row:032x}" + "aa" for row in range(ROWS)], Role.IDENTIFIER),  # long, and no text
        ([str(row) for row in range(ROWS)], Role.IDENTIFIER),
        (list(range(ROWS, 0, -1)), Role.IDENTIFIER),
        ([float(row) for row in range(ROWS)], Role.NUMBER),
        ([str(x) for x in RNG.permutation(1000)[:ROWS]], Role.NUMBER),
        (["same"] * ROWS, Role.CONSTANT),
        (["3", "3.0"] * 30, Role.CONSTANT),
        (["same", None] * 30, Role.CATEGORY),
        ([None] * ROWS, Role.EMPTY),
    ],
)
def test_roles(cells: object, role: Role) -> None:
    cells = pa.array(cells, pa.string()) if isinstance(cells, list) and cells[0] is None else pa.array(cells)
    found = profiled(cells)
    assert found.role is role
    assert bool(found.why) is not found.used


@pytest.mark.parametrize("name", ["id", "PassengerId", "user_id", "Customer ID", "ID", "unnamed_1", "index", "uuid"])
def test_whole_numbers_called_so_are_identifiers(name: str) -> None:
    cells = [str(x) for x in RNG.permutation(5000)[:ROWS]]
    assert profiled(cells, name).role is Role.IDENTIFIER
    assert profiled(cells, name, keep=(name,)).role is Role.NUMBER
    assert profiled([f"{cell}.5" for cell in cells], name).role is Role.NUMBER


@pytest.mark.parametrize("name", ["age", "paid", "humid", "Number of rooms", "width", "grid", "valid", "idle"])
def test_other_names_are_no_identifiers(name: str) -> None:
    assert profiled([str(x) for x in RNG.permutation(5000)[:ROWS]], name).role is Role.NUMBER


def test_an_id_of_few_things_is_a_category() -> None:
    assert profiled([str(x) for x in RNG.integers(100, 110, ROWS)], "store_id").role is Role.CATEGORY


def test_some_cells_that_are_no_numbers() -> None:
    found = profiled([str(row / 7) for row in range(97)] + ["bad", "worse", None])
    assert found.role is Role.NUMBER and found.missing == 3 and found.distinct == 97
    assert found.numeric_share == pytest.approx(97 / 99)
    assert profiled([str(row / 7) for row in range(90)] + [f"w{row % 2}" for row in range(10)]).role is not Role.NUMBER


def test_ignored_kept_and_named_texts() -> None:
    frame = frame_of(a=["x"] * 30 + ["y"] * 30, key=[f"k{row}" for row in range(ROWS)], label=["a", "b"] * 30)
    roles = {one.name: one.role for one in profile(frame, asked(ignore=("A",), keep=("key",), text="key"))}
    assert roles == {"a": Role.IGNORED, "key": Role.TEXT}
    for flag in ("keep", "ignore"):
        with pytest.raises(ConfigError, match=f"`--{flag} kee` names no column. Near: key"):
            profile(frame, asked(**{flag: ("kee",)}))
    with pytest.raises(ConfigError, match="names the target"):
        profile(frame, asked(ignore=("label",)))


@pytest.mark.parametrize(
    ("names", "config", "target"),
    [
        (["a", "Label", "z"], {}, "Label"),
        (["class", "target", "z"], {}, "target"),
        (["y", "a", "b"], {}, "y"),
        (["x", "y", "z"], {}, "z"),
        (["a", "b"], {"target": "A"}, "a"),
        (["a", "b", "c"], {"target": "2"}, "b"),
        (["label", "b", "c"], {"target": "last"}, "c"),
        (["2", "b"], {"target": "2"}, "2"),
    ],
)
def test_target_by_name_number_place_or_habit(names: list[str], config: dict[str, str], target: str) -> None:
    frame = frame_of(**{name: ["1", "2", "1", "2"] for name in names})
    assert find_target(frame, asked(**config)) == target
    told = choose_target(frame, asked(**config))[1]
    assert (told is None) is bool(config)
    assert told is None or (told.override == "--target" and target in told.what)


def test_a_text_at_the_end_is_not_the_target() -> None:
    assert find_target(frame_of(kind=["ham", "spam"] * 30, words=texts()), asked()) == "kind"
    numbered = frame_of(number=[str(row) for row in range(ROWS)], kind=["ham", "spam"] * 30, words=texts())
    assert find_target(numbered, asked()) == "kind"
    days = [f"2016-07-{1 + row % 28:02d}" for row in range(ROWS)]
    assert find_target(frame_of(a=texts(), value=[str(row) for row in range(ROWS)], day=days), asked()) == "value"


def test_target_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="`--target prise` names no column. Near: price"):
        find_target(frame_of(price=["1"], size=["2"]), asked(target="prise"))
    with pytest.raises(ConfigError, match="`--target 9` names no column. There are: price, size"):
        find_target(frame_of(price=["1"], size=["2"]), asked(target="9"))
    with pytest.raises(ConfigError, match="one column only"):
        find_target(frame_of(price=["1"]), asked())


@pytest.mark.parametrize(
    ("cells", "regression"),
    [
        (RNG.normal(size=500), True),
        (RNG.integers(17, 90, 5000), True),
        (RNG.poisson(40, 5000), True),
        (RNG.integers(3, 10, 500), False),
        (RNG.integers(0, 100, 5000), False),  # a hundred numbered classes
        ([0.0, 0.5, 1.0] * 50, False),
        (RNG.integers(1, 11, 500) / 2, False),
        (RNG.integers(1, 41, 500) / 4, True),
        ([3, 1, 4, 15, 9, 2, 6, 5], True),
        (["yes", "no"] * 50, False),
        ([True, False] * 50, False),
    ],
)
def test_number_or_class(cells: object, regression: bool) -> None:
    frame = frame_of(target=cells, a=range(len(cells)))  # type: ignore[arg-type]
    assert is_regression(frame, "target", asked()) is regression
    written = frame_of(target=pa.array(cells).cast(pa.string()), a=range(len(cells)))  # type: ignore[arg-type]
    assert is_regression(written, "target", asked()) is regression


def test_the_task_decides() -> None:
    frame = frame_of(quality=["5", "6", "7"] * 20, colour=["r", "g", "b"] * 20)
    assert is_regression(frame, "quality", asked(task="regression"))
    with pytest.raises(DataError, match="60 of|60 values|are no numbers"):
        is_regression(frame, "colour", asked(task="regression"))


def test_strings_of_too_many_kinds_are_no_classes() -> None:
    names = frame_of(name=[f"n{row}" for row in range(100)], a=range(100))
    with pytest.raises(DataError, match=r"has 100 different values in 100 rows, which are no numbers. .*`--target`"):
        is_regression(names, "name", asked())
    towns = frame_of(town=[f"t{row % 300}" for row in range(3000)], a=range(3000))
    with pytest.raises(DataError, match="--task classification"):
        is_regression(towns, "town", asked())
    assert not is_regression(towns, "town", asked(task="classification"))


def test_rows_without_a_target_are_left_out() -> None:
    frame = frame_of(a=["1", "2", "3", "4"], target=["x", None, "y", "x"])
    kept = labelled(frame, "target", asked())
    assert kept.lines.tolist() == [2, 4, 5] and kept.num_rows == 3
    assert kept.findings[0].what == "1 of 4 rows have no value in target, the target." and kept.findings[0].count == 1
    numbers = frame_of(a=range(42), target=[str(row / 3) for row in range(41)] + ["unknown"])
    assert labelled(numbers, "target", asked()).num_rows == 41


def test_targets_that_say_nothing() -> None:
    with pytest.raises(DataError, match="No row has a value in target"):
        labelled(frame_of(a=["1", "2"], target=pa.array([None, None], pa.string())), "target", asked())
    with pytest.raises(DataError, match="Every row has the same target: target is x"):
        labelled(frame_of(a=["1", "2", "3"], target=["x", "x", None]), "target", asked())


def test_splits_in_a_column() -> None:
    frame = frame_of(a=["1", "2", "3", "4"], Split=["train", "Test", None, "val"], target=["1", "2", "1", "2"])
    assert split_column(frame, asked()) == "Split"
    splits = given_splits(frame, asked())
    assert splits is not None and splits.tolist() == [0, 2, -1, 1] and splits.dtype == np.int8
    assert [one.name for one in profile(frame, asked())] == ["a"]
    other = frame_of(split=["left", "right"], a=["1", "2"], target=["1", "2"])
    assert split_column(other, asked()) is None and given_splits(other, asked()) is None
    with pytest.raises(DataError, match="values that name no split: left, right"):
        split_column(other, asked(split="split"))
    with pytest.raises(ConfigError, match="`--split fold` names no column"):
        split_column(other, asked(split="fold"))
