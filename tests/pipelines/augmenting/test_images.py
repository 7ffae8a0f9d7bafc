"""Mirrored and shifted images."""

import numpy as np

from pipelines.augmenting.images import mirror, shift


def test_about_half_are_mirrored_left_to_right() -> None:
    batch = np.tile(np.arange(5, dtype=np.uint8)[None, None, :, None], (200, 7, 1, 1))
    flipped = mirror(batch.copy(), np.random.default_rng(0))
    mirrored = [bool((image[0, :, 0] == np.arange(5)[::-1]).all()) for image in flipped]
    assert 70 < sum(mirrored) < 130


def test_shift_moves_by_at_most_its_fraction_and_reflects() -> None:
    batch = np.tile(np.arange(10, dtype=np.uint8)[None, None, :, None], (50, 10, 1, 1))
    shifted = shift(batch.copy(), 0.2, np.random.default_rng(0))
    starts = {int(image[0, 0, 0]) for image in shifted}
    assert starts == {0, 1, 2}  # two pixels to the left or, reflected, to the right
    assert shifted.shape == batch.shape and shifted.dtype == np.uint8
