"""Seasonal means with what the calendar adds, against numpy."""

from pathlib import Path

import keras
import numpy as np
import pytest

from records.data import DataSpec
from search_spaces import heads
from search_spaces.forecasting.climate import CLIMATE_FORECAST, DRIFT, LEVEL_KEPT, PERSISTENCE, SEASON_KEPT
from tests.search_spaces.forecasting.windows import build, check_exported_alike, make_spec, naive, shaken, windows


def weighted_mean(values: list[float], weights: list[float]) -> float:
    total = sum(weights)
    return sum(v * w for v, w in zip(values, weights, strict=True)) / total if total else 0.0


def climate(window: np.ndarray, spec: DataSpec) -> np.ndarray:
    """`<float64>[horizon]`: the median of one window before anything is learnt, one number after the other."""
    layout = spec.forecast
    season = layout.season if layout.season <= layout.history else 1
    count = layout.history // season
    first = layout.history - count * season
    value, seen = window[first : layout.history, 0].tolist(), window[first : layout.history, -3].tolist()
    levels = []
    for k in range(count):
        steps = range(k * season, (k + 1) * season)
        levels.append(weighted_mean([value[i] for i in steps], [seen[i] for i in steps]))
    ages = [count - 1 - k for k in range(count)]
    shares = [sum(seen[k * season : (k + 1) * season]) / season for k in range(count)]
    level = weighted_mean(levels, [share * LEVEL_KEPT**age for share, age in zip(shares, ages, strict=True)])
    apart = [
        weighted_mean(
            [value[k * season + step] - levels[k] for k in range(count)],
            [seen[k * season + step] * SEASON_KEPT ** ages[k] for k in range(count)],
        )
        for step in range(season)
    ]
    missed = value[-1] - level - apart[-1]
    drift = levels[-1] - levels[-2] if count > 1 else 0.0
    told = [
        level + apart[step % season] + missed * PERSISTENCE ** (step + 1) + DRIFT * drift
        for step in range(layout.horizon)
    ]
    return np.array(told) * window[0, -1] + window[0, -2]


@pytest.mark.parametrize(
    ("history", "horizon", "season"), [(11, 5, 3), (12, 9, 4), (11, 5, 6), (11, 5, 12), (4, 3, 1), (7, 5, 7)]
)
def test_nothing_learnt_is_the_weighted_mean_of_earlier_seasons(history: int, horizon: int, season: int) -> None:
    spec = make_spec(history, horizon, season)
    inputs = windows(spec, 6)
    inputs[1, 1, -3] = inputs[2, 3, -3] = 0.0  # single steps that are missing
    inputs[3, : history // 2, :-2] = 0.0  # a past that is short
    found = np.asarray(build(CLIMATE_FORECAST, spec)(inputs))[:, :, 1]
    np.testing.assert_allclose(found, [climate(window, spec) for window in inputs], rtol=1e-4)


def test_what_was_not_observed_does_not_count() -> None:
    spec = make_spec()
    model = shaken(build(CLIMATE_FORECAST, spec))
    inputs = windows(spec)
    inputs[:, :4, :-2] = 0.0
    other = inputs.copy()
    other[:, :4, :-3] = 77.0
    np.testing.assert_allclose(np.asarray(model(other)), np.asarray(model(inputs)), rtol=1e-5)


def noisy_seasons(spec: DataSpec, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows of a wave that drifts, under noise; and what follows, relative to them."""
    rng = np.random.default_rng(0)
    inputs, layout = windows(spec, count), spec.forecast
    steps = np.arange(layout.history + layout.horizon)
    phase = rng.integers(0, layout.season, (count, 1))
    series = np.sin(2 * np.pi * (steps + phase) / layout.season) + 0.02 * steps
    series = series + rng.normal(scale=0.5, size=series.shape)
    inputs[:, : layout.history, 0] = series[:, : layout.history]
    return inputs, series[:, layout.history :].astype(np.float32)


def test_nothing_learnt_is_better_than_last_season_where_there_is_noise() -> None:
    spec = make_spec(history=28, horizon=7, season=7)
    inputs, targets = noisy_seasons(spec, 300)
    truth = targets * inputs[:, :1, -1] + inputs[:, :1, -2]
    error = np.abs(np.asarray(build(CLIMATE_FORECAST, spec)(inputs))[:, :, 1] - truth).mean()
    assert error < 0.97 * np.abs(naive(inputs, spec) - truth).mean()


def test_a_known_column_is_taken_out_of_the_past_and_added_to_the_future() -> None:
    """A holiday lifts its own step, wherever it lies; seasons before it say nothing of it."""
    spec = make_spec(history=28, horizon=7, season=7, quantiles=(0.5,), known=("holiday",))
    inputs, targets = noisy_seasons(spec, 400)
    inputs[:, :, 2] = holiday = (np.random.default_rng(1).random((400, 35)) < 0.15).astype(np.float32)
    inputs[:, :28, 0] += 3.0 * holiday[:, :28]
    targets = targets + 3.0 * holiday[:, 28:]
    keras.utils.set_random_seed(0)
    model = build(CLIMATE_FORECAST, spec)
    view, from_logits = heads.training_view(model)
    before = np.abs(view.predict_on_batch(inputs[300:])[:, :, 0] - targets[300:]).mean()
    view.compile(keras.optimizers.Adam(2e-2), heads.HEADS["forecasting"].loss(spec, from_logits))
    view.fit(inputs[:300], targets[:300], epochs=15, verbose=0)
    after = np.abs(view.predict_on_batch(inputs[300:])[:, :, 0] - targets[300:]).mean()
    assert after < 0.6 * before


@pytest.mark.parametrize(
    ("season", "known"),
    [
        (3, ("sine",)),
        pytest.param(11, (), marks=pytest.mark.slow, id="one season"),
        pytest.param(12, (), marks=pytest.mark.slow, id="no season"),
    ],
)
def test_it_is_saved_and_exported_alike(season: int, known: tuple[str, ...], tmp_path: Path) -> None:
    spec = make_spec(season=season, known=known)
    check_exported_alike(shaken(build(CLIMATE_FORECAST, spec)), spec, tmp_path)
    assert build(CLIMATE_FORECAST, spec).count_params() < 200
