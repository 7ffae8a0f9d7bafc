"""What counts as the same picture."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from pipelines.preparing.decode import decode
from pipelines.preparing.duplicates import exact_groups, join, near_pairs
from serving.codecs.image import ImageCodec
from tests.pictures import as_jpeg, picture

CODEC = ImageCodec(height=64, width=80, channels=3)


def grainy(seed: int) -> np.ndarray:
    """A picture with the fine grain of a photo."""
    grain = np.random.default_rng(seed + 1000).normal(0, 6, (64, 80, 3))
    return np.clip(picture(seed, 64, 80) + grain, 0, 255).astype(np.uint8)


def pairs_of(raws: list[object], codec: ImageCodec = CODEC) -> list[tuple[int, int]]:
    decoded = decode(codec, raws)
    pairs = near_pairs(decoded.arrays, decoded.thumbnails, np.arange(len(raws)))
    return sorted(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))


def smaller(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).resize((40, 32), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def test_pictures_stored_again_are_found() -> None:
    others = [grainy(seed) for seed in range(40)]
    copies = [as_jpeg(others[3], 40), as_jpeg(others[5], 75), smaller(others[7]), as_jpeg(others[7], 90)]
    found = pairs_of([*others, *copies])
    assert {(3, 40), (5, 41), (7, 42), (7, 43)} <= set(found) <= {(3, 40), (5, 41), (7, 42), (7, 43), (42, 43)}


def test_another_detail_or_another_colour_is_another_picture() -> None:
    shirt = grainy(0)
    printed = shirt.copy()
    printed[20:32, 30:45] = 255 - printed[20:32, 30:45]
    red, blue = np.zeros((2, 64, 80, 3), np.uint8)
    edge = np.linspace(0, 200, 80).astype(np.uint8)
    red[:, :, 0], blue[:, :, 2] = edge, edge
    red_grey = np.asarray(Image.fromarray(red).convert("L"), dtype=float)
    blue[:, :, 2] = np.clip(red_grey * 2.6, 0, 255)
    assert pairs_of([shirt, printed, red, blue]) == []


def test_empty_pictures_are_not_compared() -> None:
    assert pairs_of([np.full((64, 80, 3), value, np.uint8) for value in range(100, 110)]) == []
    assert pairs_of([grainy(0)]) == []


def test_tiny_pictures_of_one_class_are_not_duplicates() -> None:
    images = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)
    assert pairs_of(list(images), ImageCodec(height=8, width=8, channels=1)) == []


@pytest.mark.parametrize("count", [30, 200])
def test_crowd_of_copies_is_joined_whole(count: int) -> None:
    base = grainy(0).astype(int)
    rng = np.random.default_rng(0)
    crowd = [np.clip(base + rng.integers(-2, 3, base.shape), 0, 255).astype(np.uint8) for _ in range(count)]
    pairs = np.array(pairs_of([*crowd, grainy(1)]))
    groups = join(count + 1, pairs[:, 0], pairs[:, 1])
    assert len(np.unique(groups[:count])) == 1 and groups[count] == count


def test_exact_groups_are_numbered_by_their_first_row() -> None:
    digests = np.array([[1, 2], [3, 4], [1, 2], [1, 3], [3, 4]], np.uint64)
    np.testing.assert_array_equal(exact_groups(digests), [0, 1, 0, 3, 1])


def test_join_follows_chains() -> None:
    np.testing.assert_array_equal(join(6, np.array([4, 2]), np.array([2, 5])), [0, 1, 2, 3, 2, 2])


def test_many_pictures_are_compared_in_bounded_memory() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 256, (100_000, 8, 8, 1), dtype=np.uint8)
    inputs[50_000:50_100] = inputs[:100]
    inputs[50_000:50_100, 0, 0] ^= 1
    thumbnails = inputs[:, :, :, 0].repeat(2, axis=1).repeat(2, axis=2).reshape(len(inputs), -1)
    pairs = near_pairs(inputs, thumbnails, np.arange(len(inputs)))
    assert set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == {(i, 50_000 + i) for i in range(100)}
