"""Changes of tones and places: against Pillow's, and only of what they may change."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from pipelines.augmenting.rand_augment import PLACES, TONES, _move, _table, rand_augment


def pictures(channels: int, count: int = 40, height: int = 13, width: int = 17) -> np.ndarray:
    return np.random.default_rng(3).integers(40, 200, (count, height, width, channels)).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_form_of_image_keeps_its_form(channels: int) -> None:
    batch = pictures(channels, 600)
    before = batch.copy()
    changed = rand_augment(batch, 1.0, np.random.default_rng(1))
    assert changed.shape == batch.shape and changed.dtype == np.uint8
    np.testing.assert_array_equal(batch, before)
    same = [np.array_equal(a, b) for a, b in zip(changed, batch, strict=True)]
    assert 0 < sum(same) < 30  # one pair of changes in 121 or 144 changes nothing
    again = rand_augment(batch, 1.0, np.random.default_rng(1))
    np.testing.assert_array_equal(changed, again)


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_only_moves(channels: int) -> None:
    batch = pictures(channels)
    batch[..., -1] = 77
    assert (rand_augment(batch, 1.0, np.random.default_rng(2))[..., -1] == 77).all()


def test_no_strength_changes_no_place_and_only_stretches_tones() -> None:
    image = np.tile(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), (30, 1, 1, 1))  # stretched and even already
    np.testing.assert_array_equal(rand_augment(image, 0.0, np.random.default_rng(0)), image)


@pytest.mark.parametrize(
    ("change", "theirs"), [("autocontrast", ImageOps.autocontrast), ("equalize", ImageOps.equalize)]
)
def test_tones_are_those_of_pillow(change: str, theirs) -> None:  # type: ignore[no-untyped-def]
    grey = pictures(1, 1, 300, 400)[0, :, :, 0]  # Pillow counts in whole 255ths of the pixels
    ours = _table(change, grey[:, :, None], 1.0)[grey]
    assert np.abs(ours.astype(int) - np.asarray(theirs(Image.fromarray(grey))).astype(int)).max() <= 2


def test_the_other_tones() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    np.testing.assert_array_equal(_table("posterize", grey, -1.0), np.arange(256) & 0xF0)
    np.testing.assert_array_equal(_table("solarize", grey, 0.5)[[0, 127, 128, 255]], [0, 127, 127, 0])
    assert _table("brightness", grey, -1.0)[200] == 20
    assert abs(int(_table("contrast", grey, -1.0)[255]) - 140) <= 1  # all near the mean of 127.5
    for change in TONES:
        assert _table(change, np.full((5, 5, 1), 9, np.uint8), 1.0).dtype == np.uint8  # one tone alone


def test_an_image_is_turned_and_moved_as_a_whole() -> None:
    images = pictures(3, 1, 21, 21)
    turned = _move(images, [["rotate", "rotate"]], np.array([[3.0, 0.0]]))[0]  # three times 30 degrees
    assert any(np.array_equal(turned, np.rot90(images[0], times)) for times in (1, 3))
    moved = _move(images, [["translate_x", "identity"]], np.array([[1 / 3 / 0.7, 0.0]]))[0]
    np.testing.assert_array_equal(moved[:, :18], images[0, :, 3:])
    for change in PLACES:
        assert _move(images, [[change, "identity"]], np.array([[0.0, 0.0]]))[0].tolist() == images[0].tolist()
