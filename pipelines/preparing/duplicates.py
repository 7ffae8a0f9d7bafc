"""Finds examples that are the same picture, exactly or but for how it was stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from pipelines.preparing.decode import THUMBNAIL_SIDE

SMALL_DIFFERENCE = 0.05
"""Of two thumbnails, as a part of their contrast (root mean square over standard deviation). Photos saved again as JPEG
of quality 30, or at half their size, differ by 0.04; cut by one pixel by 0.11. Below it Fashion-MNIST shows the same
article, at 0.1 the same cut with another print; no two of scikit-learn's digits are closer than 0.11."""
PEAK_DIFFERENCE = 0.25
"""The same at the worst spot of the thumbnail. Storing a picture again spreads its errors (0.1 at quality 30, 0.2 at
half the size); another print on the same shirt stands out (0.3 to 0.5)."""
LARGE_DIFFERENCE = 0.35
"""As the first, but of the whole pictures in colour, where a stored copy loses its grain: 0.31 at half the size. A
shirt of another colour in the same grey differs by 0.6."""
PROJECTED = 12
"""Dimensions in which neighbours are looked for. A projection brings pictures only closer, so that none is missed."""
SAMPLE = 8192
"""Thumbnails by which the directions are chosen; whatever they are, nothing is missed."""
POWER_STEPS = 6
NEIGHBOURS = 8
"""Looked at for each picture. A crowd of copies is joined through its members: not all of its pairs need be seen."""
FLAT = 2.0
"""Grey levels of contrast below which a picture is too empty to be compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Near duplicates, each pair once."""

    first: np.ndarray
    """`<int64>[pairs]` rows."""
    second: np.ndarray
    """`<int64>[pairs]` rows."""


def exact_groups(digests: np.ndarray) -> np.ndarray:
    """Numbers each example with the first row that has the same array.

    Args:
        digests: `<uint64>[examples, 2]`.

    Returns:
        `<int64>[examples]`.
    """
    _, first, inverse = np.unique(digests, axis=0, return_index=True, return_inverse=True)
    return first[inverse.reshape(-1)].astype(np.int64)


def near_pairs(inputs: np.ndarray, thumbnails: np.ndarray, rows: np.ndarray) -> Pairs:
    """Pairs among `rows` that show the same picture with small differences. No two of `rows` may be exactly equal.

    Args:
        inputs: `<uint8>[examples, height, width, channels]`.
        thumbnails: `<uint8>[examples, THUMBNAIL_SIDE ** 2]`.
        rows: `<int64>[rows]` of the examples to compare.
    """
    small = thumbnails[rows]
    contrast = np.concatenate([chunk.std(axis=1, dtype=np.float32) for chunk in _chunks(small)])
    usable = contrast >= FLAT
    rows, small, contrast = rows[usable], small[usable], contrast[usable]
    if len(rows) < 2:
        return Pairs(first=rows[:0], second=rows[:0])
    points = _project(small)
    radius = SMALL_DIFFERENCE * float(contrast.max())
    _, near = cKDTree(points).query(points, k=min(NEIGHBOURS + 1, len(rows)), distance_upper_bound=radius)
    a = np.repeat(np.arange(len(rows)), near.shape[1])
    b = near.reshape(-1)
    found = (b < len(rows)) & (a != b)
    pairs = np.unique(np.sort(np.stack([a[found], b[found]], axis=1), axis=1), axis=0)
    close = [_alike(small[p[:, 0]], small[p[:, 1]], contrast[p].min(axis=1)) for p in _chunks(pairs)]
    pairs = rows[pairs[np.concatenate(close)]] if close else pairs
    same = np.array([_same_picture(inputs[i], inputs[j]) for i, j in pairs], dtype=bool)
    return Pairs(first=pairs[same, 0], second=pairs[same, 1])


def join(num_examples: int, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Numbers the groups that pairs join directly or through others.

    Args:
        num_examples: Rows in all.
        first: `<int64>[pairs]`.
        second: `<int64>[pairs]`.

    Returns:
        `<int64>[num_examples]`: for each row the lowest row of its group.
    """
    graph = coo_matrix((np.ones(len(first), dtype=bool), (first, second)), shape=(num_examples, num_examples))
    _, group = connected_components(graph, directed=False)
    lowest = np.full(num_examples, num_examples, dtype=np.int64)
    np.minimum.at(lowest, group, np.arange(num_examples))
    return lowest[group]


def _project(thumbnails: np.ndarray) -> np.ndarray:
    """Onto directions in which the thumbnails differ much; distances are root mean squares in grey levels."""
    sample = thumbnails[:: max(1, len(thumbnails) // SAMPLE)].astype(np.float32)
    mean = sample.mean(axis=0)
    sample -= mean
    axes = np.random.default_rng(0).standard_normal((sample.shape[1], PROJECTED)).astype(np.float32)
    for _ in range(POWER_STEPS):  # a whole eigendecomposition takes a second where other processes want the cores too
        axes = np.linalg.qr(sample.T @ (sample @ axes))[0]
    return np.concatenate([(chunk - mean) @ axes / THUMBNAIL_SIDE for chunk in _chunks(thumbnails)])


def _alike(a: np.ndarray, b: np.ndarray, contrast: np.ndarray) -> np.ndarray:
    peak = np.abs(a.astype(np.int16) - b).max(axis=1)
    return (_difference(a, b) <= SMALL_DIFFERENCE * contrast) & (peak <= PEAK_DIFFERENCE * contrast)


def _same_picture(a: np.ndarray, b: np.ndarray) -> bool:
    contrast = max(min(float(a.std()), float(b.std())), FLAT)
    return float(_difference(a.reshape(1, -1), b.reshape(1, -1))[0]) <= LARGE_DIFFERENCE * contrast


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Root mean square over each row."""
    delta = a.astype(np.float32) - b.astype(np.float32)
    return np.sqrt((delta * delta).mean(axis=1))


def _chunks(array: np.ndarray, size: int = 16384) -> list[np.ndarray]:
    return [array[i : i + size] for i in range(0, len(array), size)]
