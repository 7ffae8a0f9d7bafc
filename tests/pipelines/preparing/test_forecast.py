"""Preparing forecasts: windows, their splits, and the codec."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

from pipelines.preparing.facts import TEST, TRAIN, VALIDATION
from records.spec import InputKind
from tests.pipelines.preparing.forecasts import Prepare, load, wave


def test_hours_of_one_series_become_windows(prepare: Prepare) -> None:
    made = prepare(load())
    draft, layout = made.draft, made.draft.spec.forecast
    assert (layout.history, layout.horizon, layout.season) == (72, 24, 24)
    assert layout.known == ("hour (sine)", "hour (cosine)", "weekday (sine)", "weekday (cosine)")
    assert draft.spec.task == "forecasting" and draft.spec.target == "load" and draft.spec.kind is InputKind.FORECAST
    assert [len(made.rows(code)) for code in (TRAIN, VALIDATION, TEST)] == [280 - 24 - 24 + 1, 60 - 23, 60 - 23]
    assert draft.spec.num_train == len(made.rows(TRAIN))
    assert draft.ids[0] == "from 2024-01-02 00:00" and len(set(draft.ids)) == len(draft.ids)
    assert draft.targets.shape == (len(draft.codes), 24) and draft.targets.dtype == np.float32
    values = np.array(wave(400), np.float32)
    np.testing.assert_array_equal(draft.targets[0], values[24:48])
    np.testing.assert_array_equal(draft.targets[-1], values[-24:])
    for sentence in (
        "The column date says when",
        "The column load is forecast",
        "One step is 1 hour",
        "every 24 steps",
    ):
        assert sentence in made.understood


def test_the_scales_are_level_spread_and_the_naive_error_of_the_training_part(prepare: Prepare) -> None:
    made = prepare(load())
    scales = made.draft.scales
    assert scales is not None and scales.dtype == np.float32
    np.testing.assert_array_equal(scales[:, :2], made.inputs[:, 0, -2:])
    values = np.array(wave(400))
    np.testing.assert_allclose(scales[:, 2], np.abs(values[24:280] - values[: 280 - 24]).mean(), rtol=1e-6)
    last = values[400 - 24 - 72 : 400 - 24]
    np.testing.assert_allclose(scales[-1, :2], [last.mean(), last.std()], rtol=1e-5)
    np.testing.assert_allclose(made.inputs[-1, :72, 0], (last - last.mean()) / last.std(), rtol=1e-3, atol=1e-5)


def test_windows_of_overlapping_futures_are_clusters(prepare: Prepare) -> None:
    made = prepare(load())
    clusters = made.draft.clusters
    assert clusters is not None and clusters.dtype == np.int64
    sizes = np.bincount(clusters)
    assert sizes.max() == 24 and (np.diff(clusters) >= 0).all()
    # full blocks only lose windows where a border cuts them
    assert (sizes < 24).sum() <= 6


def test_every_window_is_what_the_codec_makes_of_its_rows(prepare: Prepare) -> None:
    columns = load(200) | {"wind": wave(200, 5), "price": wave(200, 6)}
    for name, at in (("load", 120), ("wind", 121), ("price", 30), ("load", 33)):
        columns[name][at] = ""
    made = prepare(columns, target="load", known=("price",), horizon=5, history=20)
    draft = made.draft
    names = ("date", "load", "wind", "price")
    for row in (0, 3, 40, len(draft.codes) // 2, len(draft.codes) - 1):
        when = draft.ids[row].removeprefix("from ") + ":00"
        origin = columns["date"].index(when)
        cells = [dict(zip(names, one, strict=True)) for one in zip(*(columns[name] for name in names), strict=True)]
        future = [{name: one[name] for name in ("date", "price")} for one in cells[origin : origin + 5]]
        raw = {"history": cells[:origin], "future": future}
        np.testing.assert_array_equal(draft.codec.encode(raw), made.inputs[row])
    np.testing.assert_array_equal(draft.codec.encode(draft.sample), made.inputs[draft.sample_row])
    assert draft.codes[draft.sample_row] == VALIDATION


def test_nothing_after_an_origin_reaches_its_input_but_what_is_known(prepare: Prepare) -> None:
    before = load(200) | {"wind": wave(200, 5), "price": wave(200, 6)}
    after = {name: list(column) for name, column in before.items()}
    first = 200 - 5  # the newest window's origin
    for name in ("load", "wind"):
        after[name][first:] = [999.0 + i for i in range(5)]
    asked = {"target": "load", "known": ("price",), "horizon": 5, "history": 20}
    one = prepare(before, **asked)
    inputs, targets = np.array(one.inputs), one.draft.targets
    other = prepare(after, **asked)
    np.testing.assert_array_equal(inputs, other.inputs)
    assert (targets[-1] != other.draft.targets[-1]).all()
    after["price"][first] = 7777.0
    changed = prepare(after, **asked)
    different = np.flatnonzero((inputs != changed.inputs).any(axis=(1, 2)))
    np.testing.assert_array_equal(different, np.arange(len(inputs) - 5, len(inputs)))
    assert {int(row) for row in np.flatnonzero((inputs[-1] != changed.inputs[-1]).any(axis=1))} == {20}


def test_statistics_are_of_the_training_part_alone(prepare: Prepare) -> None:
    before = load(300) | {"wind": wave(300, 5)}
    after = {name: list(column) for name, column in before.items()}
    for name in ("load", "wind"):
        after[name][210:] = [value * 100 for value in after[name][210:]]
    one = prepare(before, target="load")
    inputs, codes = np.array(one.inputs), one.draft.codes
    other = prepare(after, target="load")
    assert one.draft.codec == other.draft.codec
    np.testing.assert_array_equal(inputs[codes == TRAIN], other.inputs[codes == TRAIN])
    np.testing.assert_array_equal(one.draft.scales[:, 2], other.draft.scales[:, 2])  # type: ignore[index]


@pytest.mark.parametrize("horizon", [1, 5, 24])
def test_no_future_reaches_over_a_border(prepare: Prepare, horizon: int) -> None:
    columns = {"step": list(range(500)), "value": list(range(500))}
    made = prepare(columns, horizon=horizon, history=30, validation_fraction=0.2, test_fraction=0.1)
    targets, codes = made.draft.targets, made.draft.codes
    borders = [350, 450, 500]
    for code in (TRAIN, VALIDATION, TEST):
        steps = targets[codes == code]
        assert steps.max() < borders[code] and steps.min() >= ([0, *borders][code])
        assert len(steps) == borders[code] - int(steps.min()) - horizon + 1
    assert made.draft.ids[0].startswith("from step ")


def test_many_windows_are_thinned_evenly(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.preparing.forecast_windows.MAX_TRAINING", 50)
    monkeypatch.setattr("pipelines.preparing.forecast_windows.MAX_JUDGED", 10)
    made = prepare(load(400))
    assert len(made.rows(TRAIN)) <= 50 and len(made.rows(TEST)) <= 10
    times = np.array([np.datetime64(name.removeprefix("from ")) for name in made.draft.ids])[made.rows(TRAIN)]
    steps = np.diff(times).astype("timedelta64[h]").astype(int)
    assert len(set(steps)) == 1 and math.gcd(steps[0], 24) == 1
    assert made.draft.ids[-1] == "from 2024-01-16 16:00"  # the newest stays
    assert "neighbours say nearly the same" in made.draft.findings[1].done


def test_the_bytes_of_all_windows_are_bounded(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.preparing.forecast_windows.MAX_BYTES", 200_000)
    made = prepare(load(3000))
    assert made.inputs.nbytes <= 200_000
    assert all(len(made.rows(code)) for code in (TRAIN, VALIDATION, TEST))


@pytest.mark.parametrize(
    ("file", "sizes", "windows"),
    [("ETTh1.csv", (72, 24, 24), [12147, 2590, 2590]), ("airline-passengers.csv", (36, 12, 12), [77, 11, 11])],
)
def test_real_series(
    prepare: Prepare, shared_data: Path, file: str, sizes: tuple[int, int, int], windows: list[int]
) -> None:
    path = shared_data / "datasets" / "forecasting" / file
    with path.open() as lines:
        names = lines.readline().strip().replace('"', "").split(",")
    texts = pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
    made = prepare(pacsv.read_csv(path, convert_options=texts))
    layout = made.draft.spec.forecast
    assert (layout.history, layout.horizon, layout.season) == sizes
    assert [len(made.rows(code)) for code in (TRAIN, VALIDATION, TEST)] == windows
    assert np.isfinite(made.inputs).all()
    np.testing.assert_array_equal(made.draft.codec.encode(made.draft.sample), made.inputs[made.draft.sample_row])
