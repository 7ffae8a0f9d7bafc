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


def _few(spec: DataSpec) -> bool:
    """A few dozen examples of each class."""
    return bool(spec.labels) and spec.num_train <= 32 * spec.num_classes


def _many_windows(spec: DataSpec) -> bool:
    """Long windows, and thousands of them."""
    return spec.kind is InputKind.FORECAST and spec.num_train >= 5000 and spec.forecast.history >= 96


def _long_windows(spec: DataSpec) -> bool:
    """Of a dozen patches or more."""
    return spec.kind is InputKind.FORECAST and spec.forecast.history >= 96


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
        space="frozen_backbone",
        values={"frozen_backbone/head": "prototypes"},
        why="Of a few examples the direction of each class is learnt best: 0.664 against 0.654 on clothes, 8 of each.",
        fits=lambda spec: _not_tiny(spec) and _few(spec),
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
        space="ngrams",
        values={},
        why="Words and pairs of them are hard to beat where nothing pretrained can be used: 0.852 on 1091 of "
        "TREC's questions after 8 seconds of one core (Joulin 2017).",
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
        space="climate_forecast",
        values={},
        why="Means of earlier seasons beat the last one before anything is learnt, on 6 of 6 sets: 0.58 against 0.72 "
        "times the naive error on 144 months of passengers, 0.77 against 0.89 on 7 series of days.",
    ),
    Entry(
        space="linear_forecast",
        values={"linear_forecast/base": "last", "linear_forecast/use_known": False},
        why="NLinear as in the paper: on long windows the calendar's many weights cost more than they tell (validation "
        "MSE 0.670 against 0.676 on 7 series of hours, 96 ahead).",
        fits=_many_windows,
    ),
    Entry(
        space="dense_forecast",
        values={},
        why="What bends, and what covariates do together: 0.481 against 0.527 times the naive error for the linear map "
        "on 144 months, 0.683 against 0.685 on 7 series of days, for about eight times the seconds (Das 2023).",
    ),
    Entry(
        space="rocket",
        values={"rocket/learning_rate": 0.03, "rocket/weight_decay": 0.5},
        # cross-validation of training files: ItalyPowerDemand 0.978, GunPoint 1.000, JapaneseVowels 0.967; for the 270
        # series of the last 1 s of one core for the features and 5 s for a training
        why="A strongly decayed linear head on random convolutions is hard to beat on small archives (Dempster 2020).",
    ),
    Entry(
        space="rocket",
        values={},
        # the same sets: 0.978, 0.980, 0.967, with lower log-losses; the features are there already
        why="The same features with a weaker decay, which suits archives of many series.",
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
        space="ngrams_beside_text",
        values={},
        why="The very words beside what a pretrained network understands: 0.895 on 1091 of TREC's questions, 18 s "
        "of one core after the features.",
    ),
    Entry(
        space="finetuned_text",
        values={"finetuned_text/learning_rate": 5e-4},
        why="Few sentences are few steps, which have to be longer: 0.891 against 0.759 on 600 questions.",
        fits=lambda spec: spec.num_train <= 2000,
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
        space="convolution_recurrent",
        values={},
        why="Shapes of a few steps, and the order in which they come (Ordonez 2016).",
    ),
    Entry(
        space="transformer",
        values={},
        why="Steps far apart may explain each other.",
    ),
    Entry(
        space="patch_forecast",
        values={},
        why="Attention between patches beside a linear map: on ETTh1, 96 hours ahead, 0.718 against 0.727 times the "
        "naive error of the map alone with 600 windows, 0.693 against 0.682 with 2,400; six times the cost (Nie 2023).",
        fits=_long_windows,
    ),
)


def portfolio(spec: DataSpec, spaces: set[str]) -> list[Entry]:
    """The entries that fit the data, for the spaces that are searched, in the order to try them."""
    return [entry for entry in PORTFOLIO if entry.space in spaces and entry.fits(spec)]
