"""KerasTuner's Hyperband over the hand-written spaces."""

from __future__ import annotations

import keras_tuner

from benchmarks.peers.answer import Answer, Asked, answer
from benchmarks.peers.clock import OBJECTIVE, Timed
from benchmarks.peers.spaces import Space
from benchmarks.peers.tuned import PACKAGES, solve

MOST_EPOCHS, MOST_LONG_EPOCHS = 27, 9
"""Of the longest trial: powers of the factor, fewer where an epoch takes long."""
LONG_EPOCH = 20_000_000
"""Numbers in the training inputs."""


class TimedHyperband(Timed, keras_tuner.Hyperband):
    """Rounds of Hyperband until the clock says stop."""


def make_tuner(space: Space, asked: Asked) -> TimedHyperband:
    return TimedHyperband(
        space,
        objective=OBJECTIVE,
        max_epochs=most_epochs(asked),
        factor=3,
        hyperband_iterations=10_000,
        seed=asked.seed,
        directory=str(asked.scratch),
        project_name="hyperband",
    )


def most_epochs(asked: Asked) -> int:
    images = asked.train.get("images")
    return MOST_LONG_EPOCHS if images is not None and images.size > LONG_EPOCH else MOST_EPOCHS


def search(asked: Asked) -> Answer:
    return solve(asked, make_tuner, most_epochs(asked))


if __name__ == "__main__":
    answer(search, PACKAGES)
