"""Preparing forecasts: what cannot be used."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.preparing.facts import TEST, TRAIN, VALIDATION
from records.errors import ConfigError, DataError
from tests.pipelines.preparing.forecasts import Columns, Prepare, hours, load, wave


def doubled(count: int) -> dict[str, list[Any]]:
    columns = load(count)
    columns["date"][30] = columns["date"][29]
    return columns


BAD: list[tuple[Columns, dict[str, Any], type[Exception], str]] = [
    (load(), {"target": "lod"}, ConfigError, "`target`: there is no column 'lod'. The table has: date, load"),
    (load(), {"target": "date"}, ConfigError, "does not hold numbers, and only numbers can be forecast"),
    (load(), {"known": ("price",)}, ConfigError, "`known`: there is no column 'price'"),
    (load() | {"colour": ["a"] * 400}, {"known": ("colour",), "target": "load"}, ConfigError, "be used as numbers"),
    (load(), {"split": "date"}, ConfigError, "always splits by time"),
    (load(), {"history": 1}, ConfigError, "`history` must be at least 2"),
    ({"a": hours(50), "b": hours(50), "y": wave(50)}, {}, ConfigError, "Several columns hold dates: a, b. Name"),
    ({"date": hours(50), "word": ["x"] * 50}, {}, DataError, "no column of numbers to forecast"),
    ({"date": [], "y": []}, {}, DataError, "has no rows"),
    ({"date": ["soon"] * 50, "y": wave(50)}, {"time": "date"}, DataError, "times in the column date cannot be read"),
    ({"date": hours(1), "y": [1.0]}, {}, DataError, "No series has two rows with different times"),
    (load(60) | {"load": [3.0] * 60}, {}, DataError, "The values never change"),
    (doubled(60), {}, DataError, "1 steps have more than one row, the first at 2024-01-02 05:00:00"),
    ({"t": [*range(50), 10**7], "y": wave(51)}, {"time": "t"}, DataError, "More than half of the steps .* have no row"),
    ({"date": [*hours(50), "2024-01-03 02:30:00"], "y": wave(51)}, {}, DataError, "not regular.* but 1 of 51 rows"),
    (load(100), {"horizon": 60}, DataError, "too short for a horizon of 60.*has 100 steps.*horizon possible is 32"),
    (load(100), {"history": 90}, DataError, "too short for a history of 90.*history possible is 28"),
    ({"y": [1.0, 2.0, 3.0]}, {}, DataError, "too short for a horizon of 1.* Expected more rows"),
    ({"t": range(60), "y": [*wave(51), *([""] * 9)]}, {"time": "t", "horizon": 2}, DataError,
     "No window is left for the test split: it has 9 steps .* needs 2 steps in a row"),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "asked", "error", "message"), BAD, ids=[one[3][:40] for one in BAD])
def test_data_that_cannot_be_used_is_refused(
    prepare: Prepare, columns: Columns, asked: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        prepare(columns, **asked)


def test_the_longest_horizon_that_is_named_can_be_had(prepare: Prepare) -> None:
    made = prepare(load(100), horizon=32)
    assert all(len(made.rows(code)) for code in (TRAIN, VALIDATION, TEST))


def test_a_short_series_of_a_long_season_has_none(prepare: Prepare) -> None:
    made = prepare(load(60))
    assert made.draft.spec.forecast.season == 1
    assert "too short for its usual season of 24 steps" in made.understood


def test_the_same_table_has_the_same_content(prepare: Prepare) -> None:
    contents = {prepare(load(100)).draft.content, prepare(load(100)).draft.content}
    assert len(contents) == 1
    assert prepare(load(100, seed=1)).draft.content not in contents
