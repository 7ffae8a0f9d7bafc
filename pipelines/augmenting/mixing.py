"""Two images in one, with an answer between their answers."""

from __future__ import annotations

import numpy as np


def mix(
    images: np.ndarray, targets: np.ndarray, mixup_alpha: float, cutmix_alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mixes each image of a batch with another one of it. Where both alphas are given, a coin decides for the batch.

    Args:
        images: `[batch, height, width, channels]`: images of 8 bits, or maps of features.
        targets: `<float32>[batch, ...]`: soft classes or numbers.
        mixup_alpha: 0: no mixup.
        cutmix_alpha: 0: no CutMix.
        rng: Of this batch.
    """
    partners = rng.permutation(len(images))
    if mixup_alpha and (not cutmix_alpha or rng.random() < 0.5):
        return mixup(images, targets, partners, rng.beta(mixup_alpha, mixup_alpha, len(images)))
    return cutmix(images, targets, partners, rng.beta(cutmix_alpha, cutmix_alpha, len(images)), rng)


def mixup(
    images: np.ndarray, targets: np.ndarray, partners: np.ndarray, shares: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted means of two images and of their answers (Zhang 2018, equation 1).

    Args:
        images: `[batch, ...]`.
        targets: `<float32>[batch, ...]`.
        partners: `<int64>[batch]`: which image each one is mixed with.
        shares: `<float64>[batch]`, from 0 to 1: of the image itself.
    """
    if images.dtype != np.uint8:
        kept = _like(shares, images).astype(np.float32)
        mixed = kept * images.astype(np.float32) + (1 - kept) * images[partners].astype(np.float32)
        return mixed.astype(images.dtype), _mixed_targets(targets, partners, shares)
    # in 256ths the whole sum fits into 16 bits, which is five times as fast as numbers with a fraction
    parts = np.rint(shares * 256).astype(np.uint16)
    kept = _like(parts, images)
    sums: np.ndarray = images * kept
    sums += images[partners] * (256 - kept)
    sums += 128
    return np.right_shift(sums, 8).astype(np.uint8), _mixed_targets(targets, partners, parts / 256)


def cutmix(
    images: np.ndarray, targets: np.ndarray, partners: np.ndarray, shares: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A rectangle of another image takes `1 - share` of each one, less where it crosses an edge (Yun 2019, equation 2).

    Args:
        images: `[batch, height, width, channels]`.
        targets: `<float32>[batch, ...]`, mixed by the part that is really covered.
        partners: `<int64>[batch]`: which image each one is given a part of.
        shares: `<float64>[batch]`, from 0 to 1.
        rng: For the middles of the rectangles.
    """
    height, width = images.shape[1:3]
    sides = np.sqrt(1.0 - shares)
    tops, bottoms = _edges(height, sides, rng)
    lefts, rights = _edges(width, sides, rng)
    mixed = images.copy()
    for i, (top, bottom, left, right) in enumerate(zip(tops, bottoms, lefts, rights, strict=True)):
        mixed[i, top:bottom, left:right] = images[partners[i], top:bottom, left:right]
    covered = (bottoms - tops) * (rights - lefts) / (height * width)
    return mixed, _mixed_targets(targets, partners, 1.0 - covered)


def _edges(length: int, sides: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`<int64>[batch]` each: where the rectangles begin and end, of which `sides` are the parts of `length`."""
    middles, halves = rng.integers(0, length, len(sides)), np.rint(sides * length).astype(int)
    starts = middles - halves // 2
    return np.clip(starts, 0, length), np.clip(starts + halves, 0, length)


def _mixed_targets(targets: np.ndarray, partners: np.ndarray, shares: np.ndarray) -> np.ndarray:
    kept = _like(shares, targets)
    return (kept * targets + (1.0 - kept) * targets[partners]).astype(targets.dtype)


def _like(shares: np.ndarray, batch: np.ndarray) -> np.ndarray:
    return shares.reshape(-1, *([1] * (batch.ndim - 1)))
