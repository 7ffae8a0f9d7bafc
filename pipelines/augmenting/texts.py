"""Texts, as tokens `<int32>[batch, tokens]` with zeros at their ends: shown without some of their words."""

from __future__ import annotations

import numpy as np


def drop_tokens(tokens: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Leaves each token out with the probability `rate` (word dropout, Iyyer 2015, section 3.1).

    What remains moves together, so that zeros stand at the end only, as everywhere else. A text never loses its last
    token.
    """
    real = tokens > 0
    kept = real & (rng.random(tokens.shape, np.float32) >= rate)
    emptied = ~kept.any(axis=1)
    kept[emptied] = real[emptied]
    order = np.argsort(~kept, axis=1, kind="stable")
    return np.take_along_axis(np.where(kept, tokens, 0), order, axis=1)
