"""Cross-validation where examples are few: a handful of them cannot tell which of two models is better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipelines.batches import TrainingData
from records.spec import InputKind

FEW_EXAMPLES = 400
"""For training and validation together."""
MOST_FOLDS = 5


def is_cross_validated(kind: InputKind, num_examples: int) -> bool:
    """Whether trials are judged on all of so many examples in turn. Forecasts are not: their past must come first.

    Args:
        kind: Of the data.
        num_examples: For training and validation together.
    """
    return kind is not InputKind.FORECAST and num_examples < FEW_EXAMPLES


def further_folds(data: TrainingData, seed: int) -> list[TrainingData]:
    """The other ways to split the examples that are fitted on; with the given one, each example is validated on once.

    Each part has its share of every class, or of low and high numbers; examples of one cluster stay together.

    Args:
        data: With the split that is given.
        seed: Of the parts.

    Returns:
        Nothing where the given validation examples are enough.
    """
    train, validation = data.train_rows, data.validation_rows
    if not len(validation) or not is_cross_validated(data.spec.kind, len(train) + len(validation)):
        return []
    count = int(np.clip(round(len(train) / len(validation)), 1, MOST_FOLDS - 1))
    parts = _parts(data, count, seed)
    return [
        replace(
            data, train_rows=np.concatenate([validation, train[parts != part]]), validation_rows=train[parts == part]
        )
        for part in range(count)
        if (parts == part).any() and (parts != part).any()
    ]


def _parts(data: TrainingData, count: int, seed: int) -> np.ndarray:
    """`<int64>[training rows]`: the part that each belongs to."""
    rng = np.random.default_rng(seed)
    truth = data.truth.of(data.train_rows)
    clusters = np.arange(len(truth.targets)) if truth.clusters is None else truth.clusters
    names, first, inverse = np.unique(clusters, return_index=True, return_inverse=True)
    # dealt out like cards that lie sorted by target, in a random order where targets are equal
    order = np.lexsort((rng.permutation(len(names)), truth.targets[first]))
    part_of = np.empty(len(names), np.int64)
    part_of[order] = np.arange(len(names)) % count
    return part_of[inverse.reshape(-1)]
