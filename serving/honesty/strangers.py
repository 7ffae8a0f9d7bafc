"""Inputs that are unlike what the model was made from: far from all that it knows, in the network's own features.

The distance to the k-th nearest of some known embeddings, all on the unit sphere (Sun et al. 2022). It needs no other
data and no assumption on how embeddings are spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from records.bundle import REFERENCE
from serving.arrays import read_arrays
from serving.honesty.conformal import rank_of

NEIGHBOUR = 3
"""Counted from the nearest: one odd example beside it does not make an input known."""
SHARE = 0.99
"""Of known examples that are not strange."""
FEWEST = 100
"""Known examples, below which one in a hundred cannot be told."""
MOST_NUMBERS = 262_144
"""Of the known embeddings together: a megabyte, which is looked through in less than a tenth of a small request."""


@dataclass(frozen=True, kw_only=True)
class Strangers:
    """Tells inputs that are unlike the known ones."""

    known: np.ndarray
    """`<float32>[features, examples]`: their directions."""
    least_likeness: float
    """The cosine to the `NEIGHBOUR`-th most alike that an input must reach. On the unit sphere the largest distances
    are the smallest cosines."""

    def find(self, embeddings: np.ndarray) -> np.ndarray:
        """`<bool>[batch]`: which of `<float32>[batch, features]` are strange."""
        if embeddings.reshape(len(embeddings), -1).shape[1] != self.known.shape[0]:
            return np.zeros(len(embeddings), bool)
        return _likeness(directions(embeddings) @ self.known, NEIGHBOUR) < self.least_likeness


def open_strangers(embeddings: np.ndarray) -> Strangers | None:
    """Learns what is strange from known embeddings; `None` where they are too few, or all the same.

    The threshold is the split-conformal one: of the known ones, each compared with the others, not quite one in a
    hundred lies beyond.

    Args:
        embeddings: `<float32>[examples, ...]`.
    """
    count = len(embeddings)
    if count < FEWEST:
        return None
    known = directions(embeddings)
    kept = min(count, max(FEWEST, MOST_NUMBERS // known.shape[1]))
    known = known[np.linspace(0, count - 1, kept).astype(np.int64)]
    alike = known @ known.T
    np.fill_diagonal(alike, -np.inf)
    likeness = np.sort(_likeness(alike, NEIGHBOUR))
    if not np.ptp(known, axis=0).max() > 1e-5:
        return None
    least = likeness[len(known) - rank_of(SHARE, len(known))]
    return Strangers(known=np.ascontiguousarray(known.T), least_likeness=float(least))


def load_strangers(folder: Path) -> Strangers | None:
    """From a bundle's reference; `None` where it tells nothing.

    Raises:
        BundleError: The file is damaged.
    """
    embeddings = read_arrays(folder / REFERENCE, ("embeddings",)).get("embeddings")
    if embeddings is None or embeddings.ndim < 2 or not np.isfinite(embeddings).all():
        return None
    return open_strangers(embeddings)


def directions(embeddings: np.ndarray) -> np.ndarray:
    """`<float32>[examples, features]` of length 1; one of length 0 stays."""
    flat = embeddings.reshape(len(embeddings), -1).astype(np.float32, copy=False)
    lengths = np.sqrt(np.einsum("ij,ij->i", flat, flat))[:, None]
    return flat / np.maximum(lengths, 1e-12)


def _likeness(alike: np.ndarray, neighbour: int) -> np.ndarray:
    """The `neighbour`-th largest of each row."""
    return np.partition(alike, alike.shape[1] - neighbour, axis=1)[:, alike.shape[1] - neighbour]
