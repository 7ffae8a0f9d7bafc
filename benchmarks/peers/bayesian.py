"""KerasTuner's Bayesian optimisation over the hand-written spaces, with early stopping."""

from __future__ import annotations

import keras_tuner

from benchmarks.peers.answer import Answer, Asked, answer
from benchmarks.peers.clock import OBJECTIVE, Timed
from benchmarks.peers.spaces import Space
from benchmarks.peers.tuned import PACKAGES, solve

MOST_TRIALS = 10_000
MOST_EPOCHS = 60


class TimedBayesianOptimization(Timed, keras_tuner.BayesianOptimization):
    """Proposals until the clock says stop."""


def make_tuner(space: Space, asked: Asked) -> TimedBayesianOptimization:
    return TimedBayesianOptimization(
        space,
        objective=OBJECTIVE,
        max_trials=MOST_TRIALS,
        seed=asked.seed,
        directory=str(asked.scratch),
        project_name="bayesian",
    )


def search(asked: Asked) -> Answer:
    return solve(asked, make_tuner, MOST_EPOCHS)


if __name__ == "__main__":
    answer(search, PACKAGES)
