"""The 1797 handwritten digits of 8 x 8 pixels that scikit-learn brings along: real data without a download."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from records.config import RunConfig
from records.data import Example, InputKind, Source

NAME = "digits"


def load(config: RunConfig) -> Source:
    """The digits, as a source without splits of its own."""
    return Source(
        name=NAME,
        kind=InputKind.IMAGE,
        fingerprint="digits-1",
        examples=_examples,
        num_examples=1797,
        labels=tuple(str(digit) for digit in range(10)),
    )


def _examples() -> Iterator[Example]:
    from sklearn.datasets import load_digits  # an import of a second, that a known dataset does not need

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    for number, (image, target) in enumerate(zip(images, digits.target, strict=True)):
        yield Example(raw=image, label=str(target), id=f"digits/{number:04d}")
