"""Which hyperparameters a search's scores hung on, as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.importance import importance_of
from pipelines.reporting.wording import clean, metric_title, setting_name
from records.task import METRICS
from records.trial import Trial

MOST_SETTINGS = 6
"""Of a space; the others share what is left."""


@dataclass(frozen=True, kw_only=True)
class Mattered:
    """The hyperparameters of one space."""

    name: str
    num_trials: int
    shares: tuple[tuple[str, float], ...]
    """Each hyperparameter's name and its part of the explained differences, the largest first."""


def mattered(trials: Sequence[Trial], objective: str) -> list[Mattered]:
    """The spaces with enough trials, the one with the most first.

    Args:
        trials: All of the run.
        objective: What they are scored by, a name in `METRICS`.
    """
    found: dict[str, list[tuple[str, float]]] = {}
    for one in importance_of(trials, METRICS[objective].direction):
        found.setdefault(one.space, []).append((setting_name(one.name), one.share))
    # a setting that alone was varied has all of it, which says nothing
    told = [_space(name, shares, trials) for name, shares in found.items() if len(shares) > 1]
    return sorted(told, key=lambda space: (-space.num_trials, space.name))


def meaning(objective: str) -> str:
    """What the shares say, and what they do not."""
    return (
        f"Of the differences in validation {metric_title(objective)} that the settings of a space explain, the part "
        "that goes with each, as fANOVA estimates it. How much is chance it does not say; it says little of a setting "
        "that was hardly varied or that changed together with another, and nothing of values that were not tried."
    )


def _space(name: str, shares: list[tuple[str, float]], trials: Sequence[Trial]) -> Mattered:
    number = sum(trial.scored and trial.space == name for trial in trials)
    largest = sorted(shares, key=lambda pair: -pair[1])[:MOST_SETTINGS]
    return Mattered(name=clean(name), num_trials=number, shares=tuple(largest))
