"""DLinear and its moving average, against numpy."""

from pathlib import Path

import keras
import numpy as np
import pytest

from search_spaces import heads
from search_spaces.forecasting.decomposition import moving_average, trend_and_remainder
from search_spaces.linear_forecast import LINEAR_FORECAST
from tests.search_spaces.forecasting.windows import build, check_exported_alike, make_spec, naive, shaken, windows


def averaged(series: np.ndarray, kernel: int) -> np.ndarray:
    """As `series_decomp` of the paper's code: the ends are repeated, then a window slides over."""
    padded = np.pad(series, ((0, 0), (kernel // 2, kernel // 2)), mode="edge")
    return np.stack([np.convolve(row, np.ones(kernel) / kernel, mode="valid") for row in padded])


@pytest.mark.parametrize(("steps", "kernel"), [(11, 1), (11, 3), (11, 7), (11, 25), (2, 5), (60, 25)])
def test_the_moving_average_repeats_the_ends(steps: int, kernel: int) -> None:
    series = np.random.default_rng(0).normal(size=(3, steps)).astype(np.float32)
    given = keras.Input((steps,))
    network = keras.Model(given, trend_and_remainder(given, kernel))
    trend, remainder = (np.asarray(part) for part in network(series))
    np.testing.assert_allclose(trend, averaged(series, kernel), atol=1e-5)
    np.testing.assert_allclose(trend + remainder, series, atol=1e-5)


@pytest.mark.parametrize("kernel", [0, 4, -1])
def test_a_kernel_without_a_middle_is_refused(kernel: int) -> None:
    with pytest.raises(ValueError, match=f"must be odd and at least 1. Received: {kernel}"):
        moving_average(keras.Input((9,)), kernel)


def test_dlinear_is_one_map_of_the_trend_and_one_of_the_remainder() -> None:
    spec = make_spec(quantiles=(0.5,), known=())
    model = shaken(build(LINEAR_FORECAST, spec, base="level", trend_kernel=7))
    inputs = windows(spec)
    past, level, spread = inputs[:, :11, 0], inputs[:, :1, -2], inputs[:, :1, -1]
    weights, bias = (np.asarray(weight) for weight in model.get_layer("steps").weights)
    trend = averaged(past, 7)
    expected = trend @ weights[:11] + (past - trend) @ weights[11:] + bias
    np.testing.assert_allclose(np.asarray(model(inputs))[:, :, 0], expected * spread + level, rtol=1e-5)


def test_nlinear_is_one_map_of_the_distance_from_the_last_value() -> None:
    spec = make_spec(quantiles=(0.5,), known=())
    model = shaken(build(LINEAR_FORECAST, spec, base="last", trend_kernel=0))
    inputs = windows(spec)
    past, level, spread = inputs[:, :11, 0], inputs[:, :1, -2], inputs[:, :1, -1]
    weights, bias = (np.asarray(weight) for weight in model.get_layer("steps").weights)
    expected = (past - past[:, -1:]) @ weights + bias + past[:, -1:]
    np.testing.assert_allclose(np.asarray(model(inputs))[:, :, 0], expected * spread + level, rtol=1e-5)


def test_a_linear_forecast_with_a_trend_starts_at_its_base_and_is_exported_alike(tmp_path: Path) -> None:
    spec = make_spec()
    model = build(LINEAR_FORECAST, spec, trend_kernel=25)
    inputs = windows(spec)
    np.testing.assert_allclose(np.asarray(model(inputs))[:, :, 1], naive(inputs, spec), rtol=1e-5)
    assert model.get_layer(heads.EMBEDDING).output.shape == (None, 2 * 11 + 5 * 2)
    check_exported_alike(shaken(model), spec, tmp_path)
