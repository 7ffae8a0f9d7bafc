"""Random kernels: they are those of the papers, and the same in every process."""

import itertools

import numpy as np
import pytest

from search_spaces.rocket import kernels
from search_spaces.rocket.kernels import LIKENESS, Bank, deviations, minirocket, rocket

DRAWN = [1, 174, 0.0, 0.3068, -0.0, 1.2876]
"""Dilation and size of a bank, and four weights of it."""


def each(banks: list[Bank]) -> list[tuple[np.ndarray, int, int]]:
    """Weights `[length, channels]`, dilation and reach of every kernel."""
    return [(bank.weights[..., k], bank.dilation, int(bank.reach[k])) for bank in banks for k in range(len(bank.reach))]


def test_minirocket_has_all_84_kernels_of_two_weights() -> None:
    banks = minirocket(2000, 150, 1, seed=0)
    for bank in banks:
        ratios = np.round(bank.weights[:, 0] / -bank.weights[:, 0].min(axis=0), 4)
        assert {tuple(column) for column in ratios.T} == {
            tuple(2.0 if i in places else -1.0 for i in range(9)) for places in itertools.combinations(range(9), 3)
        }
        assert sorted(bank.reach) == [0] * 42 + [4] * 42
    assert sum(bank.num_features for bank in banks) == 2000 // 84 * 84
    assert [bank.dilation for bank in banks] == sorted({bank.dilation for bank in banks})
    assert banks[0].dilation == 1 and banks[-1].dilation == 18  # 8 * 18 steps fit into 150, 8 * 19 do not
    assert any((a.reach != b.reach).any() for a, b in itertools.pairwise(banks))  # the other half is padded next


def test_minirockets_biases_are_the_normals_quantiles() -> None:
    banks = minirocket(10_000, 200, 1, seed=0)
    biases = np.concatenate([bank.biases.ravel() for bank in banks])
    assert abs(biases.mean()) < 0.01 and abs(biases.std() - 1.0) < 0.01
    assert all(bank.num_relative == bank.biases.shape[1] // 2 for bank in banks)


def test_rockets_kernels_are_drawn_as_in_the_paper() -> None:
    banks = rocket(4000, 100, 1, seed=0)
    assert sum(bank.num_features for bank in banks) == 4000
    lengths, padded = [], 0
    for weights, dilation, reach in each(banks):
        (places,) = np.flatnonzero(weights[:, 0])[[0, -1]][None]
        length = places[1] - places[0] + 1
        lengths.append(length)
        padded += reach == 0
        assert places[0] + places[1] == 10  # in the middle
        assert reach in (0, length // 2)
        assert 1 <= dilation * (length - 1) <= 99
        assert abs(weights.sum()) < 1e-5
    counts = np.unique(lengths, return_counts=True)
    assert counts[0].tolist() == [7, 9, 11] and counts[1].min() > 600
    assert 900 < padded < 1100
    for bank in banks:
        raw = np.abs(bank.biases[:, 0]) * deviations_of_drawn(bank)
        assert raw.max() <= 5.0  # at most 1 where weights have variance 1; here they were divided by their size


def deviations_of_drawn(bank: Bank) -> np.ndarray:
    """The drawn weights have variance 1, and the bank's are these divided by one number for each kernel."""
    count = (bank.weights != 0).sum(axis=(0, 1))
    return 1.0 / np.sqrt((bank.weights**2).sum(axis=(0, 1)) / count)


@pytest.mark.parametrize("draw", [rocket, minirocket])
@pytest.mark.parametrize("num_steps", [1, 2, 8, 9, 10, 4096])
def test_any_length_has_kernels(draw, num_steps: int) -> None:  # type: ignore[no-untyped-def]
    banks = draw(1000, num_steps, 2, seed=0)
    assert 900 < sum(bank.num_features for bank in banks) <= 1000
    assert len(banks) <= kernels.MOST_DILATIONS
    assert all(bank.dilation == 1 or 6 * bank.dilation < num_steps for bank in banks)
    for bank in banks:
        for array in (bank.weights, bank.biases):
            assert np.isfinite(array).all() and array.dtype == np.float32
        assert (np.abs(bank.weights).sum(axis=(0, 1)) > 0).all()


@pytest.mark.parametrize("draw", [rocket, minirocket])
def test_kernels_see_some_channels(draw) -> None:  # type: ignore[no-untyped-def]
    seen = np.concatenate([(np.abs(bank.weights).sum(axis=0) > 0).sum(axis=0) for bank in draw(2000, 50, 12, seed=0)])
    assert seen.min() == 1 and seen.max() <= 11 and len(set(seen.tolist())) > 4


@pytest.mark.parametrize("draw", [rocket, minirocket])
def test_equal_seeds_give_equal_kernels(draw) -> None:  # type: ignore[no-untyped-def]
    one, two, other = draw(1000, 60, 3, seed=0), draw(1000, 60, 3, seed=0), draw(1000, 60, 3, seed=1)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.weights, b.weights)
        np.testing.assert_array_equal(a.biases, b.biases)
    assert one[0].weights.shape != other[0].weights.shape or (one[0].weights != other[0].weights).any()


def test_the_drawn_numbers_are_those_that_features_were_cached_with() -> None:
    """Where this changes, `VERSION` of the space must change too."""
    bank = rocket(1000, 60, 2, seed=0)[0]
    found = [bank.dilation, len(bank.reach), *np.round(bank.weights[4:6, :, 0].ravel().astype(float), 4)]
    assert found == DRAWN


@pytest.mark.parametrize("dilation", [1, 5])
def test_deviations_are_those_of_a_smooth_series(dilation: int) -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(9, 2, 3))
    noise = rng.normal(size=(100_000, 2)) * np.sqrt(1 - LIKENESS**2)
    series = np.zeros_like(noise)
    for i in range(1, len(series)):
        series[i] = LIKENESS * series[i - 1] + noise[i]
    steps = len(series) - 8 * dilation
    answers = sum(series[i * dilation : i * dilation + steps] @ weights[i] for i in range(9))
    np.testing.assert_allclose(deviations(weights, dilation), answers.std(axis=0), rtol=0.03)  # type: ignore[union-attr]
