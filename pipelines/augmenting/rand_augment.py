"""Two random changes of each image, of one strength (RandAugment, Cubuk 2020): tones, colours, and where pixels lie.

A change of tones is a table of 256 entries, and a change of place is a matrix. So two of a kind become one table or one
matrix, and an image is gone through once for each.
"""

from __future__ import annotations

import math

import numpy as np

NUM_CHANGES = 2
"""For each image: what the paper found best for small images."""
TONES = ("brightness", "contrast", "autocontrast", "equalize", "posterize", "solarize")
PLACES = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
LARGEST_TURN, LARGEST_SHEAR, LARGEST_SHIFT = math.radians(30.0), 0.3, 0.3
"""At the strength 1, as in the paper; the shift is a part of the side."""
LEVELS = np.arange(256, dtype=np.float32)
GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Shares of red, green and blue in a grey (ITU-R BT.601)."""


def rand_augment(images: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Applies `NUM_CHANGES` of the changes to each image; not to change it is one of them.

    Args:
        images: `<uint8>[batch, height, width, channels]`: 1 channel is grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
            Alpha only moves with its pixels. What comes in at an edge repeats the edge.
        strength: From 0 to 1.
        rng: Of this batch.
    """
    num_colours = images.shape[3] - (images.shape[3] in (2, 4))
    names = ("identity", *TONES, *PLACES, *(("saturation",) if num_colours == 3 else ()))
    picked = rng.integers(0, len(names), (len(images), NUM_CHANGES))
    sizes = strength * rng.choice((-1.0, 1.0), picked.shape) * rng.random(picked.shape)
    moved = _move(images, [[names[i] for i in row] for row in picked], sizes)
    for i, row in enumerate(picked):
        for change, size in zip((names[k] for k in row), sizes[i], strict=True):
            colours = moved[i, :, :, :num_colours]
            if change in TONES:
                moved[i, :, :, :num_colours] = np.take(_table(change, colours, size), colours)
            elif change == "saturation":
                moved[i, :, :, :3] = _saturated(colours, 1.0 + 0.9 * size)
    return moved


def _table(change: str, colours: np.ndarray, size: float) -> np.ndarray:
    """`<uint8>[256]`: what each tone of an image becomes.

    Args:
        change: One of `TONES`.
        colours: `<uint8>[height, width, colours]`.
        size: From -1 to 1.
    """
    if change == "brightness":
        tones = LEVELS * (1.0 + 0.9 * size)
    elif change == "contrast":
        middle = colours.mean(dtype=np.float32)
        tones = middle + (LEVELS - middle) * (1.0 + 0.9 * size)
    elif change == "autocontrast":
        low, high = int(colours.min()), int(colours.max())
        tones = (LEVELS - low) * (255.0 / max(1, high - low)) if high > low else LEVELS
    elif change == "equalize":
        shares = np.cumsum(np.bincount(colours.reshape(-1), minlength=256)) / colours.size
        least = shares[int(colours.min())]
        tones = 255.0 * (shares - least) / (1.0 - least) if least < 1.0 else LEVELS
    elif change == "posterize":
        dropped = round(4 * abs(size))
        tones = (LEVELS.astype(int) >> dropped << dropped).astype(np.float32)
    else:
        tones = np.where(256.0 * (1.0 - abs(size)) <= LEVELS, 255.0 - LEVELS, LEVELS)
    return np.clip(np.rint(tones), 0, 255).astype(np.uint8)


def _saturated(colours: np.ndarray, factor: float) -> np.ndarray:
    grey = (colours @ GREY)[:, :, None]
    return np.clip(np.rint(grey + (colours - grey) * np.float32(factor)), 0, 255).astype(np.uint8)


def _move(images: np.ndarray, changes: list[list[str]], sizes: np.ndarray) -> np.ndarray:
    """Copies of the images, each pixel taken from where the changes of place say; the nearest one."""
    height, width = images.shape[1:3]
    moved = images.copy()
    # down and right from the middle, and 1 for the shift
    downs, rights = np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij")
    places = np.stack([downs.ravel(), rights.ravel(), np.ones(height * width)]).astype(np.float32)
    for i, names in enumerate(changes):
        if not any(name in PLACES for name in names):
            continue
        matrix = np.eye(3)
        for name, size in zip(names, sizes[i], strict=True):
            if name in PLACES:
                matrix = matrix @ _matrix(name, size, height, width)
        rows, columns = matrix[:2].astype(np.float32) @ places
        rows = np.clip(np.rint(rows + (height - 1) / 2), 0, height - 1).astype(np.int32)
        columns = np.clip(np.rint(columns + (width - 1) / 2), 0, width - 1).astype(np.int32)
        moved[i] = images[i, rows, columns].reshape(images.shape[1:])
    return moved


def _matrix(change: str, size: float, height: int, width: int) -> np.ndarray:
    """`<float64>[3, 3]`: from a pixel's place, down and right from the middle, to the place that it is taken from."""
    matrix = np.eye(3)
    if change == "rotate":
        cosine, sine = math.cos(size * LARGEST_TURN), math.sin(size * LARGEST_TURN)
        matrix[:2, :2] = [[cosine, sine], [-sine, cosine]]
    elif change == "shear_x":
        matrix[1, 0] = size * LARGEST_SHEAR
    elif change == "shear_y":
        matrix[0, 1] = size * LARGEST_SHEAR
    elif change == "translate_x":
        matrix[1, 2] = size * LARGEST_SHIFT * width
    else:
        matrix[0, 2] = size * LARGEST_SHIFT * height
    return matrix
