"""Preparing forecasts: several targets side by side."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.scoring.series_inputs import read_histories
from records.errors import ConfigError
from tests.pipelines.preparing.forecasts import Prepare, hours, wave


def wide(count: int = 300) -> dict[str, list[Any]]:
    return {"date": hours(count), "north": wave(count, 1), "south": wave(count, 2), "wind": wave(count, 3)}


def test_several_targets_are_as_many_series(prepare: Prepare) -> None:
    columns = wide()
    long = {
        "date": columns["date"] * 2,
        "wind": columns["wind"] * 2,
        "series": ["north"] * 300 + ["south"] * 300,
        "value": columns["north"] + columns["south"],
    }
    expected = prepare(long, target="value", known=("wind",))
    arrays = np.array(expected.inputs)
    made = prepare(columns, target="north, south", known=("wind",))
    np.testing.assert_array_equal(made.inputs, arrays)
    np.testing.assert_array_equal(made.draft.targets, expected.draft.targets)
    assert made.draft.spec == expected.draft.spec and made.draft.codec == expected.draft.codec
    assert made.draft.ids[0].startswith("series north, from 2024-01-0")
    assert "2 columns are forecast by one network" in made.understood
    assert made.draft.sample is not None and set(made.draft.sample["history"][0]) == {"date", "value", "wind"}


def test_targets_of_several_types_become_one(prepare: Prepare) -> None:
    columns = wide()
    floats = pa.table({"date": columns["date"], "a": columns["north"], "b": columns["south"]})
    whole = [round(value) for value in columns["south"]]
    mixed = pa.table({"date": columns["date"], "a": columns["north"], "b": pa.array(whole, pa.int64())})
    expected = prepare(floats, target="a,b").draft
    made = prepare(mixed, target="a,b").draft
    assert made.ids == expected.ids
    is_first = np.array([name.startswith("series a") for name in made.ids])
    np.testing.assert_array_equal(made.targets[is_first], expected.targets[is_first])
    np.testing.assert_array_equal(made.targets[~is_first], np.round(expected.targets[~is_first]))


def test_a_column_with_a_comma_in_its_name_is_one_target(prepare: Prepare) -> None:
    made = prepare({"date": hours(200), "load, kW": wave(200)}, target="load, kW")
    assert made.draft.spec.target == "load, kW"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"target": "north,east"}, "there is no column 'east'. The table has: date, north, south, wind"),
        ({"target": "north,north"}, "names the column 'north' twice"),
        ({"target": "north,south", "series_id": "wind"}, "several columns side by side are several series already"),
        ({"target": "north,wind", "known": ("wind",)}, "'wind' cannot be a target and something else"),
    ],
)
def test_targets_that_cannot_be_are_refused(prepare: Prepare, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        prepare(wide(), **asked)


def test_a_column_in_the_way_is_named(prepare: Prepare) -> None:
    with pytest.raises(ConfigError, match="has a column 'value' already. Rename it"):
        prepare(wide() | {"value": wave(300)}, target="north,south")


def test_a_file_as_in_training_can_be_asked_about(prepare: Prepare, tmp_path: Path) -> None:
    codec = prepare(wide(), target="north,south", ignore=("wind",)).draft.codec
    bundle: Any = SimpleNamespace(codec=codec)
    cells = list(zip(hours(60), wave(60, 1), wave(60, 2), strict=True))
    side, long = tmp_path / "side.csv", tmp_path / "long.csv"
    side.write_text("date,north,south\n" + "".join(f"{time},{n},{s}\n" for time, n, s in cells))
    rows = [f"{time},north,{n}\n" for time, n, _ in cells] + [f"{time},south,{s}\n" for time, _, s in cells]
    long.write_text("date,series,value\n" + "".join(rows))
    found, expected = read_histories(bundle, side), read_histories(bundle, long)
    assert found.names == expected.names == ["north", "south"]
    [histories], [others] = list(found.batches()), list(expected.batches())
    assert histories == others
    np.testing.assert_array_equal(codec.encode(histories[1]), codec.encode(others[1]))
