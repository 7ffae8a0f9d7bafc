"""Mixed images and their mixed answers."""

import numpy as np
import pytest

from pipelines.augmenting.mixing import cutmix, mix, mixup


def batch(dtype: str = "uint8", count: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Each image is filled with one number of its own, which is its answer too."""
    values = np.arange(count) * 8
    return np.tile(values[:, None, None, None], (1, 12, 9, 3)).astype(dtype), values[:, None].astype(np.float32)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float16"])
@pytest.mark.parametrize("alphas", [(0.2, 0.0), (0.0, 1.0), (0.4, 0.7)])
def test_the_answer_is_mixed_as_the_image_is(dtype: str, alphas: tuple[float, float]) -> None:
    images, targets = batch(dtype)
    before = images.copy()
    for seed in range(6):
        mixed, answers = mix(images, targets, *alphas, np.random.default_rng(seed))
        assert mixed.dtype == images.dtype and answers.dtype == np.float32
        np.testing.assert_allclose(mixed.astype(float).mean(axis=(1, 2, 3)), answers[:, 0], atol=0.6)
        assert (np.abs(answers - targets) > 1).any()
    np.testing.assert_array_equal(images, before)


def test_mixup_is_the_weighted_mean() -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 3)).astype(np.uint8)
    one_hot = np.eye(7, dtype=np.float32)
    partners, shares = np.arange(7)[::-1], np.linspace(0, 1, 7)
    mixed, answers = mixup(images, one_hot, partners, shares)
    kept = shares[:, None, None, None]
    np.testing.assert_allclose(mixed, kept * images + (1 - kept) * images[partners], atol=1.1)  # in 256ths
    np.testing.assert_allclose(answers.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(mixed[6], images[6])
    np.testing.assert_array_equal(mixed[0], images[6])


def test_cutmix_puts_one_rectangle_into_the_image() -> None:
    images = np.zeros((50, 20, 16, 1), np.uint8)
    images[25:] = 1
    partners = np.roll(np.arange(50), 25)
    targets = np.eye(2, dtype=np.float32)[images[:, 0, 0, 0]]
    mixed, answers = cutmix(images, targets, partners, np.full(50, 0.5), np.random.default_rng(4))
    for image, own, answer in zip(mixed[..., 0], images[..., 0], answers, strict=True):
        foreign = image != own
        rows, columns = foreign.any(axis=1).sum(), foreign.any(axis=0).sum()
        assert foreign.sum() == rows * columns  # a whole rectangle
        assert foreign.mean() <= 0.55 and answer.max() == pytest.approx(1 - min(foreign.mean(), 1 - foreign.mean()))
    assert {round(float(a), 2) for a in answers[:, 0]} - {0.5}  # those at an edge are smaller
