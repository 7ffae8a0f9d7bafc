"""Images, or maps of their features, `[batch, height, width, channels]`: mirrored and shifted."""

from __future__ import annotations

import numpy as np


def mirror(batch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the images, left to right. Changes `batch`."""
    mirrored = rng.random(len(batch)) < 0.5
    batch[mirrored] = batch[mirrored, :, ::-1]
    return batch


def shift(batch: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Each image by at most `fraction` of its sides; what comes in at an edge is reflected (He 2016, section 4.2, pads
    with zeros)."""
    height, width = batch.shape[1:3]
    down, right = max(1, round(height * fraction)), max(1, round(width * fraction))
    padded = np.pad(batch, ((0, 0), (down, down), (right, right), (0, 0)), mode="reflect")
    tops = rng.integers(0, 2 * down + 1, len(batch))
    lefts = rng.integers(0, 2 * right + 1, len(batch))
    shifted = np.empty_like(batch)
    for i, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        shifted[i] = padded[i, top : top + height, left : left + width]
    return shifted
