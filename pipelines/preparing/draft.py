"""What preparing one kind of data gives: encoded inputs on the disk, and everything that is known about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from records.data import DataSpec, Finding, Understood
from serving.codecs.catalog import Codec

Amount = Callable[[int, int | None], None]
"""Called with the number of examples done, and of all where that is known."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A dataset that was read, split and encoded. Its inputs lie in the file that the preparing function was given."""

    spec: DataSpec
    codec: Codec
    codes: np.ndarray
    """`<int8>[examples]`: position of each example's split in `facts.SPLITS`, or `LEFT_OUT`."""
    targets: np.ndarray
    """As `Prepared.targets`."""
    ids: Sequence[str]
    findings: tuple[Finding, ...]
    content: str
    """A hash of all that was read: the fingerprint of a source that has none."""
    sample: dict[str, Any] | None = None
    """One validation example as a request has it (an item of `inputs` in `records.api.REQUESTS`); `None` for images,
    whose arrays are pictures already."""
    sample_row: int = -1
    """Its row."""
    understood: tuple[Understood, ...] = ()
    scales: np.ndarray | None = None
    """As `Prepared.scales`."""
    clusters: np.ndarray | None = None
    """As `Prepared.clusters`."""
