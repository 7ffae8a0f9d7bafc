"""Encoded inputs as one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def stack(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """`[n, ...]` of n arrays `[...]`; of a single one without copying it, since most requests have one input."""
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
