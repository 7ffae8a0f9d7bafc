"""Preparing forecasts: from rows to series at regular times."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.preparing.facts import TRAIN
from records.errors import DataError
from serving.codecs.calendar import Unit
from tests.pipelines.preparing.forecasts import Prepare, hours, load, wave


def test_months_of_a_year_are_a_season(prepare: Prepare) -> None:
    months = [str(np.datetime64("2000-01") + i) for i in range(96)]
    made = prepare({"Month": months, "sold": wave(96)})
    assert made.draft.spec.forecast.season == 12 and made.draft.spec.forecast.known == (
        "month (sine)",
        "month (cosine)",
    )
    assert made.draft.ids[0] == "from 2001-01"
    ends = [str((np.datetime64("2000-02") + i).astype("datetime64[D]") - 1) for i in range(96)]
    again = prepare({"Month": ends, "sold": wave(96)})
    assert again.draft.codec.step.unit is Unit.MONTH  # type: ignore[attr-defined]
    assert again.draft.ids[0] == "from 2001-01-31"
    quarters = [f"{2000 + i // 4}Q{1 + i % 4}" for i in range(60)]
    assert prepare({"when": quarters, "sold": wave(60)}).draft.spec.forecast.season == 4
    years = prepare({"year": list(range(1900, 1990)), "sold": wave(90)})
    assert years.draft.spec.forecast.season == years.draft.spec.forecast.horizon == 1
    assert years.draft.codec.future_times({"history": [{"year": "1999"}]}) == ["2000"]  # type: ignore[attr-defined]


def test_weekdays_have_no_gaps_at_weekends(prepare: Prepare) -> None:
    days = [str(np.busday_offset("2024-01-01", i)) for i in range(120)]
    made = prepare({"day": days, "price": wave(120)})
    assert made.draft.spec.forecast.season == 5 and "gaps" not in made.told


def test_an_hour_that_comes_twice_needs_its_distance_from_utc(prepare: Prepare) -> None:
    zone = [f"2024-10-{day:02d}T{hour:02d}:00+02:00" for day in range(20, 27) for hour in range(24)]
    zone += [f"2024-10-27T{hour:02d}:00+02:00" for hour in range(3)]
    zone += [f"2024-10-27T{hour:02d}:00+01:00" for hour in range(2, 24)]
    made = prepare({"date": zone, "load": wave(len(zone))})
    assert made.told.keys() == {"counts", "splits"}
    local = [text[:-6] for text in zone]
    with pytest.raises(DataError, match="1 steps have more than one row, the first at 2024-10-27 02:00:00.*clocks"):
        prepare({"date": local, "load": wave(len(zone))})
    spring = [text for text in hours(200, "2024-03-28T00") if text != "2024-03-31 02:00:00"]
    assert prepare({"date": spring, "load": wave(199)}).told["gaps"] == "1 of 200 steps have no row."


def test_rows_in_any_order_are_sorted_and_copies_kept_once(prepare: Prepare) -> None:
    straight = load(200)
    expected = np.array(prepare(straight).inputs)
    order = [*np.random.default_rng(0).permutation(200), 17]
    made = prepare({name: [column[i] for i in order] for name, column in straight.items()})
    np.testing.assert_array_equal(made.inputs, expected)
    assert made.told.keys() >= {"unsorted", "copied_rows"}


def test_gaps_are_filled_and_no_window_is_judged_by_them(prepare: Prepare) -> None:
    columns = load(300)
    gone = {100, 101, 150}
    holed = {name: [cell for i, cell in enumerate(column) if i not in gone] for name, column in columns.items()}
    holed["load"][20] = "NA?"
    made = prepare(holed, horizon=4, history=24, season=24)
    assert made.told["gaps"] == "3 of 300 steps have no row."
    assert made.told["missing_target"] == "1 rows have no value of the target."
    assert np.isfinite(made.inputs).all() and np.isfinite(made.draft.targets).all()
    whole = prepare(columns, horizon=4, history=24, season=24)
    missed = {f"from {columns['date'][i - k][:-3]}" for i in (100, 101, 150) for k in range(4)}
    assert set(whole.draft.ids) - set(made.draft.ids) == missed


def test_several_series_are_told_apart(prepare: Prepare) -> None:
    columns = {
        "date": hours(150) + hours(120, "2024-02-01T00") + hours(40),
        "shop": ["north"] * 150 + ["south"] * 120 + ["east"] * 40,
        "sold": wave(150, 1) + [value * 1000 for value in wave(120, 2)] + [3.0] * 40,
    }
    made = prepare(columns, horizon=6)
    assert "the column shop says to which one" in made.understood
    assert made.told["constant_series"] == "1 series never change."
    assert made.told["counts"] == "2 series with 270 steps."
    assert made.draft.ids[0].startswith("series north, from 2024-01-02 00:00")
    assert made.draft.ids[-1] == "series south, from 2024-02-05 18:00"
    scales = made.draft.scales
    assert scales is not None and len(np.unique(scales[:, 2])) == 2
    assert abs(made.inputs[:, :, 0]).max() < 10  # each window on its own scale
    north = [i for i, name in enumerate(made.draft.ids) if "north" in name]
    clusters = made.draft.clusters
    assert clusters is not None
    assert not set(clusters[north]) & set(np.delete(clusters, north))
    named = prepare(columns, horizon=6, series_id="shop")
    np.testing.assert_array_equal(named.inputs, made.inputs)
    raw = {"history": [{"date": d, "shop": "north", "sold": v} for d, v in zip(hours(72), wave(72), strict=True)]}
    assert made.draft.codec.encode(raw).shape == made.draft.spec.input_shape


def test_series_that_are_too_short_are_for_training_or_left_out(prepare: Prepare) -> None:
    columns = {
        "t": [*range(100), *range(30), *range(9)],
        "id": ["a"] * 100 + ["b"] * 30 + ["c"] * 9,
        "y": wave(139),
    }
    made = prepare(columns, time="t", horizon=8, history=10, season=10)
    assert made.told["short_series"] == "1 series are too short for three splits."
    assert "1 series are too short for a single window of 18 steps." in made.told["too_short_series"]
    of_b = [made.draft.codes[i] for i, name in enumerate(made.draft.ids) if name.startswith("series b")]
    assert set(of_b) == {TRAIN} and not any(name.startswith("series c") for name in made.draft.ids)


def test_columns_that_say_nothing_are_left_out_but_may_be_sent(prepare: Prepare) -> None:
    made = prepare(
        load(200) | {"colour": ["red", "blue"] * 100, "zero": [0] * 200, "n": list(range(200))}, target="load"
    )
    assert made.draft.spec.forecast.past == ()
    assert made.told.keys() >= {"no_numbers", "constant_columns"}
    assert made.draft.codec.extra == ("colour", "n", "zero")  # type: ignore[attr-defined]


def test_typed_columns_are_read_like_text(prepare: Prepare) -> None:
    columns = load(200)
    texts = np.array(prepare(columns).inputs)
    typed = pa.table({"date": pa.array(np.array(hours(200), "datetime64[ms]")), "load": pa.array(wave(200))})
    made = prepare(typed)
    np.testing.assert_array_equal(made.inputs, texts)
    np.testing.assert_array_equal(made.draft.codec.encode(made.draft.sample), made.inputs[made.draft.sample_row])
    american = prepare({"date": [f"{t[5:7]}/{t[8:10]}/{t[:4]} {t[11:16]}" for t in hours(900)], "load": wave(900)})
    assert american.draft.codec.form == "%m/%d/%Y %H:%M"  # type: ignore[attr-defined]
    np.testing.assert_array_equal(
        american.draft.codec.encode(american.draft.sample), american.inputs[american.draft.sample_row]
    )


def test_without_dates_the_rows_are_steps(prepare: Prepare) -> None:
    made = prepare({"value": wave(100)}, horizon=3, season=5)
    assert "No column holds dates" in made.understood and made.draft.codec.time is None  # type: ignore[attr-defined]
    assert made.draft.ids[0] == "from step 5"
    np.testing.assert_array_equal(made.draft.codec.encode(made.draft.sample), made.inputs[made.draft.sample_row])
