"""Configurations that are known to be good, tried before anything is modelled. Data, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from records.data import DataSpec
from records.trial import Values


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A configuration; hyperparameters that are not named have their defaults."""

    space: str
    values: Values
    why: str
    fits: Callable[[DataSpec], bool]


def _tiny(spec: DataSpec) -> bool:
    return max(spec.input_shape[:2]) <= 48


def _not_tiny(spec: DataSpec) -> bool:
    return not _tiny(spec)


PORTFOLIO: tuple[Entry, ...] = (
    Entry(
        space="cnn",
        values={"cnn/label_smoothing": 0.0},
        why="On images of a few pixels a small network of one's own beats features learnt on photographs.",
        fits=_tiny,
    ),
    Entry(
        space="frozen_backbone",
        values={},
        why="On photographs a linear head on pretrained features is strong within seconds.",
        fits=_not_tiny,
    ),
    Entry(
        space="finetuned_backbone",
        values={},
        why="Training the last third of a backbone was worth 5 points over any head on photographs of clothes.",
        fits=_not_tiny,
    ),
    Entry(
        space="frozen_backbone",
        values={"frozen_backbone/resolution": 224},
        why="More pixels than stored still help a backbone that was trained at 224: 0.850 against 0.823 on clothes.",
        fits=_not_tiny,
    ),
    Entry(
        space="frozen_backbone",
        values={"frozen_backbone/resolution": 96},
        why="A pretrained backbone at its smallest resolution shows cheaply whether its features help at all.",
        fits=_tiny,
    ),
)


def portfolio(spec: DataSpec, spaces: set[str]) -> list[Entry]:
    """The entries that fit the data, for the spaces that are searched, in the order to try them."""
    return [entry for entry in PORTFOLIO if entry.space in spaces and entry.fits(spec)]
