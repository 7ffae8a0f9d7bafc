"""Which hyperparameters a search's scores hung on, told from the trials alone: the spaces are not needed for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from records.task import Direction
from records.trial import Trial, best_trial

FEWEST = 10
"""Scored trials of a space: the hyperparameter that counts most is then named in two of three searches, with 8 in one
of two."""
ABSENT = "not there"
"""The value of a hyperparameter that another one's value switched off."""


@dataclass(frozen=True, kw_only=True)
class Importance:
    """One hyperparameter's part in what was good and what was not."""

    space: str
    name: str
    share: float
    """0 to 1; those of one space sum to 1."""


def importance_of(trials: Sequence[Trial], direction: Direction) -> list[Importance]:
    """The shares of every hyperparameter that was varied, largest first, for each space with ten scored trials.

    Spaces with fewer trials are left out, and those whose scores are all the same; so the list is empty after a short
    search. Equal trials give equal shares. Takes a second or two for each space.

    Args:
        trials: All of a run.
        direction: Of the objective.
    """
    from pipelines.proposing.estimator import shares  # it loads Optuna and a forest, which only a look back needs

    found = []
    for space, count in Counter(trial.space for trial in trials if trial.scored).items():
        own = [trial for trial in trials if trial.scored and trial.space == space]
        columns = _columns(own)
        if count < FEWEST or not columns:
            continue
        parts = shares(columns, [trial.score or 0.0 for trial in own], direction)
        found += [Importance(space=space, name=name, share=part) for name, part in parts.items() if any(parts.values())]
    return found


def best_of_spaces(trials: Sequence[Trial], direction: Direction) -> list[Trial]:
    """The best trial of each space, the best space first."""
    left, found = [trial for trial in trials if trial.scored], []
    while (best := best_trial(left, direction)) is not None:
        found.append(best)
        left = [trial for trial in left if trial.space != best.space]
    return found


def _columns(trials: Sequence[Trial]) -> dict[str, Sequence[Any]]:
    """One column for each hyperparameter that has more than one value, by name."""
    names = sorted({name for trial in trials for name in trial.values})
    columns = {name: [trial.values.get(name) for trial in trials] for name in names}
    return {name: _units(column) for name, column in columns.items() if len(set(map(str, column))) > 1}


def _units(column: Sequence[Any]) -> Sequence[Any]:
    """Numbers as their ranks from 0 to 1, which need no range and no scale; anything else as strings."""
    numbers = sorted(value for value in column if isinstance(value, (int, float)) and not isinstance(value, bool))
    if any(value is not None and (isinstance(value, (str, bool))) for value in column):
        return [ABSENT if value is None else str(value) for value in column]
    return [0.5 if value is None else _rank(numbers, value) for value in column]


def _rank(numbers: Sequence[float], value: float) -> float:
    """The middle of the places that equal numbers share."""
    first = numbers.index(value)
    return (first + 0.5 * numbers.count(value)) / len(numbers)
