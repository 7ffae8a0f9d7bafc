"""What to try next: Optuna's tree-structured Parzen estimator over all spaces, rebuilt from the ledger's rows.

Nothing is kept between two proposals: rebuilding a study of 1000 rows takes 0.2 s, and there is no second state
that could disagree with the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import optuna

from records.task import Direction
from records.trial import Trial, TrialState, Values

SPACE = "space"
NUM_STARTUP_TRIALS = 6
"""Finished trials before the estimator replaces uniform draws."""
MAX_REPEATS = 20
"""Proposals that were all tried before: then the spaces count as exhausted."""


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One hyperparameter, seen by the algorithm: a choice, or a number laid out on the unit interval."""

    name: str
    choices: tuple[Any, ...] | None
    to_value: Callable[[float], Any]
    to_unit: Callable[[Any], float]

    @property
    def distribution(self) -> optuna.distributions.BaseDistribution:
        if self.choices is not None:
            return optuna.distributions.CategoricalDistribution(self.choices)
        return optuna.distributions.FloatDistribution(0.0, 1.0)


Dimensions = dict[str, Sequence[Dimension]]
"""The dimensions of each space, by the space's name."""


def suggest(
    dimensions: Dimensions, trials: Sequence[Trial], direction: Direction, seed: int
) -> tuple[str, Values] | None:
    """The next configuration, or `None` when 20 proposals in a row were tried before.

    Args:
        dimensions: Of every space that may be proposed.
        trials: All of the run so far. Running ones count as bad, so that two workers do not do the same
            (constant liar); failed ones as the worst.
        direction: Of the objective.
        seed: With the number of trials it fixes the proposal.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        seed=(seed * 1_000_003 + len(trials)) % 2**32, constant_liar=True, n_startup_trials=NUM_STARTUP_TRIALS
    )
    study = optuna.create_study(direction="maximize" if direction is Direction.MAX else "minimize", sampler=sampler)
    known = [trial for trial in trials if trial.space in dimensions]
    study.add_trials([_frozen(trial, dimensions, _worst(known, direction)) for trial in known])
    tried = [(trial.space, trial.values) for trial in known]
    for _ in range(MAX_REPEATS):
        proposal = _ask(study, dimensions)
        if proposal not in tried:
            return proposal
    return None


def _ask(study: optuna.Study, dimensions: Dimensions) -> tuple[str, Values]:
    trial = study.ask()
    space = trial.suggest_categorical(SPACE, sorted(dimensions))
    values: Values = {}
    for dimension in dimensions[space]:
        if dimension.choices is not None:
            values[dimension.name] = trial.suggest_categorical(dimension.name, dimension.choices)
        else:
            values[dimension.name] = dimension.to_value(trial.suggest_float(dimension.name, 0.0, 1.0))
    return space, values


def _frozen(trial: Trial, dimensions: Dimensions, worst: float) -> optuna.trial.FrozenTrial:
    params: dict[str, Any] = {SPACE: trial.space}
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        SPACE: optuna.distributions.CategoricalDistribution(sorted(dimensions))
    }
    for dimension in dimensions[trial.space]:
        if dimension.name in trial.values:
            value = trial.values[dimension.name]
            params[dimension.name] = value if dimension.choices is not None else dimension.to_unit(value)
            distributions[dimension.name] = dimension.distribution
    running = trial.state is TrialState.RUNNING
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.RUNNING if running else optuna.trial.TrialState.COMPLETE,
        params=params,
        distributions=distributions,
        value=None if running else (worst if trial.score is None else trial.score),
    )


def _worst(trials: Sequence[Trial], direction: Direction) -> float:
    scores = [trial.score for trial in trials if trial.score is not None]
    if not scores:
        return 0.0
    return min(scores) if direction is Direction.MAX else max(scores)
