"""Configurations that are known to be good, tried before anything is modelled. Data, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from records.data import DataSpec, InputKind
from records.trial import Values


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A configuration; hyperparameters that are not named have their defaults."""

    space: str
    values: Values
    why: str
    fits: Callable[[DataSpec], bool] = lambda spec: True
    """Beyond what the space itself asks of the data."""


def _tiny(spec: DataSpec) -> bool:
    return spec.kind is InputKind.IMAGE and max(spec.input_shape[:2]) <= 48


def _not_tiny(spec: DataSpec) -> bool:
    return not _tiny(spec)


def _text(spec: DataSpec) -> bool:
    return spec.kind is InputKind.TEXT


def _not_text(spec: DataSpec) -> bool:
    return not _text(spec)


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
    Entry(
        space="frozen_text",
        values={},
        why="A linear head on a pretrained network's features is strong on most texts, and ready first.",
    ),
    Entry(
        space="mlp",
        values={},
        why="Two wide layers on quantile-scaled numbers and embedded categories are hard to beat (Gorishniy 2021).",
    ),
    Entry(
        space="mlp_with_text",
        values={},
        why="Where a column holds text, what it says usually counts for more than any other.",
    ),
    Entry(
        space="linear_forecast",
        values={},
        why="A linear map of the past is ahead of most deep forecasters, and trained in seconds (Zeng 2023).",
    ),
    Entry(
        space="convolution1d",
        values={},
        why="Convolutions are the best single network on most archives of series (Wang 2017).",
        fits=_not_text,
    ),
    Entry(
        space="finetuned_text",
        values={},
        why="Training a pretrained network's last blocks was worth 1.5 points over a head on film reviews.",
    ),
    Entry(
        space="convolution1d",
        values={},
        why="A maximum over a few words finds the telling phrase, in any language and jargon (Kim 2014).",
        fits=_text,
    ),
    Entry(
        space="recurrent",
        values={},
        why="What counts may depend on the order of all steps before.",
    ),
    Entry(
        space="transformer",
        values={},
        why="Steps far apart may explain each other.",
    ),
)


def portfolio(spec: DataSpec, spaces: set[str]) -> list[Entry]:
    """The entries that fit the data, for the spaces that are searched, in the order to try them."""
    return [entry for entry in PORTFOLIO if entry.space in spaces and entry.fits(spec)]
