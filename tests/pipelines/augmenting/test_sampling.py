"""Balanced draws."""

import numpy as np
import pytest

from pipelines.augmenting.sampling import balanced

COUNTS = (800, 150, 50, 0)
CLASSES = np.repeat(np.arange(4), COUNTS)


def drawn(balance: float, seed: int = 0) -> np.ndarray:
    return balanced(np.arange(1000), CLASSES, 4, balance, np.random.default_rng(seed))


@pytest.mark.parametrize(("balance", "powers"), [(1.0, [1, 1, 1, 0]), (0.5, [800**0.5, 150**0.5, 50**0.5, 0])])
def test_classes_are_seen_in_the_shares_that_were_asked_for(balance: float, powers: list[float]) -> None:
    seen = np.bincount(CLASSES[drawn(balance)], minlength=4)
    np.testing.assert_allclose(seen, np.array(powers) / sum(powers) * 1000, atol=1.01)


def test_no_example_comes_more_often_than_the_others_of_its_class() -> None:
    times = np.bincount(drawn(1.0), minlength=1000)
    for start, stop in ((0, 800), (800, 950), (950, 1000)):
        assert times[start:stop].max() - times[start:stop].min() <= 1


def test_the_draw_is_a_function_of_its_numbers_and_shuffled() -> None:
    np.testing.assert_array_equal(drawn(0.5, 3), drawn(0.5, 3))
    assert not np.array_equal(drawn(0.5, 3), drawn(0.5, 4))
    assert np.abs(np.corrcoef(drawn(0.5), np.arange(1000))[0, 1]) < 0.1


def test_numbers_cannot_be_balanced() -> None:
    with pytest.raises(ValueError, match="`balance` needs answers that are one class each"):
        balanced(np.arange(3), np.zeros((3, 2)), 0, 1.0, np.random.default_rng(0))
