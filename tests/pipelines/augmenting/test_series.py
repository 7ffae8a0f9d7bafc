"""Distorted series: padding stays padding, and what is warped is a change of speed alone."""

import numpy as np
import pytest

from pipelines.augmenting.series import distort, warp_window

LENGTHS = (30, 17, 6, 5, 1, 0)


def batch(channels: int = 2) -> np.ndarray:
    series = np.zeros((len(LENGTHS), 30, channels + 1), np.float32)
    for one, length in zip(series, LENGTHS, strict=True):
        one[:length, :-1] = np.random.default_rng(length).normal(size=(length, channels)) + 3
        one[:length, -1] = 1
    return series


@pytest.mark.parametrize("amounts", [(0.1, 0.0, 0.0), (0.0, 0.1, 0.0), (0.0, 0.0, 0.3), (0.1, 0.1, 0.1)])
def test_padding_stays_padding(amounts: tuple[float, float, float]) -> None:
    series = batch()
    given = distort(series.copy(), *amounts, np.random.default_rng(1))
    assert given.dtype == np.float32
    np.testing.assert_array_equal(given[..., -1], series[..., -1])
    assert not given[series[..., -1] == 0].any()
    assert not np.allclose(given[0], series[0])


def test_more_padding_changes_nothing() -> None:
    series = batch()
    longer = np.concatenate([series, np.zeros_like(series)], axis=1)
    for part in (0.1, 0.5):
        one, other = (distort(x, 0.0, 0.0, part, np.random.default_rng(2)) for x in (series, longer))
        np.testing.assert_array_equal(one, other[:, :30])


def test_noise_and_factors_have_the_size_that_was_asked_for() -> None:
    series = np.ones((400, 10, 4), np.float32)
    noise = distort(series.copy(), 0.05, 0.0, 0.0, np.random.default_rng(0))[..., :-1] - 1
    assert noise.std() == pytest.approx(0.05, rel=0.05)
    factors = distort(series.copy(), 0.0, 0.1, 0.0, np.random.default_rng(0))[..., :-1]
    assert np.ptp(factors, axis=1).max() == 0  # one for a whole channel
    assert factors[:, 0].std() == pytest.approx(0.1, rel=0.1)


def test_a_window_passes_at_another_speed() -> None:
    length = 101
    ramp = np.tile(np.arange(length, dtype=np.float32)[None, :, None], (50, 1, 1))
    warped = warp_window(ramp, np.full(50, length), 0.3, np.random.default_rng(3))[..., 0]
    np.testing.assert_array_equal(warped[:, 0], 0.0)
    np.testing.assert_allclose(warped[:, -1], length - 1, atol=1e-3)
    slopes = np.diff(warped, axis=1)
    assert (slopes > 0).all()
    for one in slopes:  # the window runs at half or twice the speed of the rest, also after both were brought to length
        ratio = one.max() / one.min()
        assert ratio == pytest.approx(2.0, rel=0.02)
    assert len({round(float(one.max()), 1) for one in slopes}) == 2
