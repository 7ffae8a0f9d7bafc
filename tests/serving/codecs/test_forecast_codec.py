"""The codec of forecasting."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.errors import BundleError, InputError
from serving.codecs.calendar import Step, Unit, calendar_columns
from serving.codecs.catalog import load_codec
from serving.codecs.times import DAY, HOUR, format_time, parse_time
from serving.codecs.windows import Windows, interpolate, level_and_spread
from tests.serving.codecs.forecasts import CODEC, HISTORY, HORIZON, START, raw, row

PLAIN = dataclasses.replace(CODEC, time=None, step=Step(Unit.NUMBER), past=(), known=(), calendar=())


def plain(*values: Any) -> dict[str, Any]:
    return {"history": [{"load": value} for value in values]}


def test_a_window_is_laid_out_as_the_record_says() -> None:
    encoded = CODEC.encode(raw(9))
    assert encoded.shape == CODEC.input_shape == (HISTORY + HORIZON, 1 + 1 + 1 + 4 + 3)
    assert encoded.dtype == np.float32
    values = np.array([20.0 + i % 3 for i in range(2, 9)])
    level, spread = values.mean(), values.std()
    np.testing.assert_allclose(encoded[:HISTORY, 0], (values - level) / spread, rtol=1e-5)
    np.testing.assert_allclose(encoded[:HISTORY, 1], (1.0 + np.arange(2, 9) - 4.0) / 2.0)
    np.testing.assert_allclose(encoded[:, 2], (np.r_[2.0 * np.arange(2, 9), 7.0, 7.0, 7.0] - 10.0) / 5.0)
    times = START + np.arange(2, 12) * HOUR
    np.testing.assert_array_equal(encoded[:, 3:7], calendar_columns(("hour", "weekday"), times))
    np.testing.assert_array_equal(encoded[:, -3], [1] * HISTORY + [0] * HORIZON)
    np.testing.assert_allclose(encoded[:, -2:], np.tile([level, spread], (HISTORY + HORIZON, 1)), rtol=1e-6)
    assert not encoded[HISTORY:, :2].any()


def test_a_short_past_is_padded_with_zeros_at_its_beginning() -> None:
    encoded = CODEC.encode(raw(4))
    assert not encoded[: HISTORY - 4, :-2].any()
    assert encoded[HISTORY - 4 : HISTORY, -3].all()
    np.testing.assert_allclose(encoded[:, -2], np.mean([20.0, 21.0, 22.0, 20.0]))


def test_only_the_newest_steps_count() -> None:
    long = raw(30)
    changed = raw(30)
    changed["history"][22]["load"] = 10**6
    np.testing.assert_array_equal(CODEC.encode(long), CODEC.encode(changed))
    changed["history"][23]["load"] = 10**6
    assert (CODEC.encode(long) != CODEC.encode(changed)).any()


def test_missing_values_lie_between_their_neighbours_and_absent_rows_are_missing() -> None:
    whole = plain(1, 4, 4, 7, 2, 5, 3)
    holed = plain(1, None, "NA", 7, 2, 5, None)
    encoded = PLAIN.encode(holed)
    observed = np.array([1.0, 7.0, 2.0, 5.0])
    level, spread = observed.mean(), observed.std()
    np.testing.assert_allclose(encoded[:7, 0], (np.array([1, 3, 5, 7, 2, 5, 5]) - level) / spread, rtol=1e-5)
    np.testing.assert_array_equal(encoded[:7, -3], [1, 0, 0, 1, 1, 1, 0])
    assert (PLAIN.encode(whole)[:7, -3] == 1).all()
    gaps, nulls = raw(9), raw(9)
    for i in (3, 5):
        nulls["history"][i] |= {"load": None, "wind": None, "price": None}
    gaps["history"] = [one for i, one in enumerate(gaps["history"]) if i not in (3, 5)]
    np.testing.assert_array_equal(CODEC.encode(gaps), CODEC.encode(nulls))


def test_a_covariate_of_which_nothing_is_known_has_its_mean() -> None:
    without = raw(9)
    for one in without["history"]:
        del one["wind"]
    assert not CODEC.encode(without)[:, 1].any()


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        ([5.0] * 7, 0.2),  # a tenth of the typical spread
        ([0.5] * 7, 0.05),  # of the level, where that is less
        ([0.0] * 7, 0.2),
        ([300.0, 300.001] * 3, 0.2),
        ([1.0, 3.0] * 3, 1.0),
        ([-1e6, 1e6] * 3, 1e6),
    ],
)
def test_a_flat_past_has_a_spread(values: list[float], spread: float) -> None:
    level, found = level_and_spread(np.array([values]), typical=2.0)
    assert level[0] == pytest.approx(np.mean(values))
    assert found[0] == pytest.approx(spread)


VALUES = st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=12)


@settings(deadline=None)
@given(VALUES)
def test_interpolation_is_that_of_numpy(values: list[float | None]) -> None:
    array = np.array([np.nan if value is None else value for value in values])
    filled = interpolate(np.stack([array, np.ones(len(array))]))
    known = np.flatnonzero(~np.isnan(array))
    if len(known):
        expected = np.interp(np.arange(len(array)), known, array[known])
        np.testing.assert_allclose(filled[0], expected, rtol=1e-9, atol=1e-6)
    else:
        assert np.isnan(filled[0]).all()


CELLS = st.one_of(st.none(), st.floats(-1e4, 1e4).map(lambda value: round(value, 3)))


@settings(deadline=None)
@given(st.lists(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=3, max_size=HISTORY), min_size=1, max_size=4))
def test_many_windows_at_once_are_those_one_by_one(pasts: list[list[tuple[float | None, ...]]]) -> None:
    raws, count = [], len(pasts)
    target, past = np.full((count, HISTORY), np.nan), np.full((count, HISTORY, 1), np.nan)
    known = np.full((count, HISTORY + HORIZON, 1), 7.0)
    present, calendar = np.zeros((count, HISTORY), bool), np.empty((count, HISTORY + HORIZON, 4), np.float32)
    known[:, :HISTORY] = np.nan
    for n, cells in enumerate(pasts):
        cells[-1] = (5.0, *cells[-1][1:])  # one value is observed
        rows = [row(i, load=load, wind=wind, price=price) for i, (load, wind, price) in enumerate(cells)]
        raws.append(raw(len(cells), history=rows))
        at = slice(HISTORY - len(cells), HISTORY)
        table = np.array(cells, dtype=float)
        target[n, at], past[n, at, 0], known[n, at, 0] = table.T
        present[n, at] = True
        times = START + (np.arange(HISTORY + HORIZON) - HISTORY + len(cells)) * HOUR
        calendar[n] = calendar_columns(CODEC.calendar, times)
    windows = Windows(target=target, past=past, known=known, calendar=calendar, present=present)
    together = CODEC.encode_windows(windows)
    np.testing.assert_array_equal(together, CODEC.collate([CODEC.encode(one) for one in raws]))
    assert np.isfinite(together).all()


def test_numbers_and_times_may_come_as_text() -> None:
    texts = raw(9)
    texts["history"] = [{name: str(cell) for name, cell in one.items()} for one in texts["history"]]
    np.testing.assert_array_equal(CODEC.encode(texts), CODEC.encode(raw(9)))


def test_the_target_and_the_series_name_may_be_among_the_columns() -> None:
    given = raw(9)
    given["future"][1] |= {"load": 3, "station": "north"}
    given["history"] = [one | {"station": "north"} for one in given["history"]]
    np.testing.assert_array_equal(CODEC.encode(given), CODEC.encode(raw(9)))


@pytest.mark.parametrize(
    ("step", "last", "future"),
    [
        (Step(Unit.TIME, HOUR), "2024-03-30 22:00", ["2024-03-30T23:00:00", "2024-03-31T00:00:00"]),
        (Step(Unit.TIME, HOUR), "2024-10-27T02:00+02:00", ["2024-10-27T03:00:00+02:00", "2024-10-27T04:00:00+02:00"]),
        (Step(Unit.TIME, DAY), "2024-02-28", ["2024-02-29", "2024-03-01"]),
        (Step(Unit.WEEKDAY), "2024-02-29", ["2024-03-01", "2024-03-04"]),
        (Step(Unit.MONTH), "1960-12", ["1961-01", "1961-02"]),
        (Step(Unit.MONTH), "2023-12-31", ["2024-01-31", "2024-02-29"]),
        (Step(Unit.MONTH, 12), "1999", ["2000", "2001"]),
        (Step(Unit.NUMBER, 5), 10, ["15", "20"]),
        (Step(Unit.NUMBER, 5), "10", ["15", "20"]),
    ],
)
def test_the_times_of_the_future_follow_the_last_row(step: Step, last: Any, future: list[str]) -> None:
    codec = dataclasses.replace(PLAIN, time="date", step=step, horizon=2)
    assert codec.future_times({"history": [{"date": last, "load": 1}]}) == future
    if step.unit is Unit.TIME:
        back = format_time(parse_time(last)[0] - step.count)
        rows = [{"date": format_time(parse_time(back)[0] - step.count), "load": 1}, {"date": back, "load": 2}]
        codec.encode({"history": [*rows, {"date": last, "load": 3}]})


def test_without_times_the_steps_after_the_history_are_numbered() -> None:
    assert PLAIN.future_times(plain(1, 2, 3)) == ["1", "2", "3"]
    with pytest.raises(InputError, match="The history is empty"):
        CODEC.future_times({"history": []})


def test_the_codec_comes_back_from_json() -> None:
    for codec in (CODEC, PLAIN):
        assert load_codec(json.loads(json.dumps(codec.to_json()))) == codec


@pytest.mark.parametrize(
    "change",
    [{"horizon": 0}, {"history": "7"}, {"form": "%H"}, {"step": {"unit": "moon", "count": 1}}, {"typical": 0.0},
     {"step": {"unit": "time", "count": 0}}, {"quantiles": [0.1, 0.9]}, {"calendar": ["noon"]}, {"surprise": 1},
     {"past": [{"name": "wind", "mean": 0.0, "std": 0.0, "low": 0, "high": 0}]}, {"known": [{"name": "wind"}]},
     {"target": ""}],
)  # fmt: skip
def test_a_damaged_codec_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BundleError):
        load_codec(CODEC.to_json() | change)


def test_the_codec_describes_its_columns_and_limits() -> None:
    told = CODEC.describe()
    kinds = [(column["name"], column["kind"]) for column in told["columns"]]
    assert kinds == [("date", "time"), ("load", "target"), ("wind", "number"), ("price", "number")]
    assert told["horizon"] == HORIZON
    assert told["limits"] == {"min_rows": 3, "history": HISTORY, "max_rows": 50}
