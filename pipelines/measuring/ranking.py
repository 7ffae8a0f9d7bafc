"""The area under the ROC curve: the share of pairs of a positive and a negative example that are in the right order.

Equal scores count half. With more than two classes it is the mean over each class against all others, of the classes
that have both kinds of examples; 0.5 where there is none.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

MOST_EXACT = 20_000
"""Classes times examples up to which resamples are measured exactly: two seconds for 2000 of them."""


class Ranking:
    """Scores in order, for the areas of many resamples."""

    def __init__(self, targets: np.ndarray, probabilities: np.ndarray) -> None:
        """Sorts.

        Args:
            targets: `<int64>[examples]`.
            probabilities: `<float>[examples, classes]`.
        """
        num_classes = probabilities.shape[1]
        ranked = (1,) if num_classes == 2 else range(num_classes)
        classes = [_OneClass(targets == k, probabilities[:, k]) for k in ranked]
        self._classes = [one for one in classes if len(one.positives) and len(one.negatives)]
        self._exact = len(self._classes) * len(targets) <= MOST_EXACT

    def areas(self, weights: np.ndarray) -> np.ndarray:
        """`<float64>[draws]`, from how often each example was drawn `<float64>[examples, draws]`.

        With many classes and examples, draws are measured by the first terms of the area's expansion in the weights
        (the structural components of DeLong et al. 1988), which is exact where all weights are 1.
        """
        if not self._classes:
            return np.full(weights.shape[1], 0.5)
        if self._exact:
            areas, defined = (np.stack(parts) for parts in zip(*(c.areas(weights) for c in self._classes), strict=True))
        else:
            areas, defined = self._expanded(weights)
        counted = defined.sum(axis=0)
        return np.where(counted > 0, (areas * defined).sum(axis=0) / np.maximum(counted, 1), 0.5)

    def _expanded(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each class `[classes, draws]` the area, and whether the draw has both kinds of examples."""
        ours, theirs, areas = self._components
        positives = np.concatenate([one.positives for one in self._classes])
        starts = np.cumsum([0, *(len(one.positives) for one in self._classes[:-1])])
        drawn = weights[positives]
        num_ours = np.add.reduceat(drawn, starts, axis=0)
        num_theirs = weights.sum(axis=0) - num_ours
        expanded = np.add.reduceat(drawn * ours[:, None], starts, axis=0) / np.maximum(num_ours, 1.0)
        expanded += theirs @ weights / np.maximum(num_theirs, 1.0) - areas[:, None]
        return np.clip(expanded, 0.0, 1.0), (num_ours > 0) & (num_theirs > 0)

    @cached_property
    def _components(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Those of the classes' positives one class after the other, of their negatives `[classes, examples]`, and each
        class's area."""
        num_examples = len(self._classes[0].positives) + len(self._classes[0].negatives)
        ours, theirs = [], np.zeros((len(self._classes), num_examples))
        for row, one in enumerate(self._classes):
            of_positives, theirs[row, one.negatives] = one.components()
            ours.append(of_positives)
        return np.concatenate(ours), theirs, np.array([part.mean() for part in ours])


class _OneClass:
    """One class against all others."""

    def __init__(self, positive: np.ndarray, scores: np.ndarray) -> None:
        self.positives, negatives = np.flatnonzero(positive), np.flatnonzero(~positive)
        self.negatives = negatives[np.argsort(scores[negatives])]
        below = scores[self.negatives]
        self._left = np.searchsorted(below, scores[self.positives], "left")
        self._right = np.searchsorted(below, scores[self.positives], "right")

    def areas(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each draw's area, and whether it has both kinds of examples; 0 where it has not."""
        ours = weights[self.positives]
        # the weight of all negatives before each place in their order
        before = np.zeros((len(self.negatives) + 1, weights.shape[1]))
        np.cumsum(weights[self.negatives], axis=0, out=before[1:])
        pairs = np.einsum("pd,pd->d", ours, before[self._left]) + np.einsum("pd,pd->d", ours, before[self._right])
        possible = ours.sum(axis=0) * before[-1]
        return pairs / np.maximum(2 * possible, 1.0), possible > 0

    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """For each positive the share of negatives below it, for each negative the share of positives above it."""
        num_negatives = len(self.negatives)
        # a positive stands above the negatives before `left`, and half above those up to `right`
        places = np.bincount(self._left, minlength=num_negatives + 1) + np.bincount(
            self._right, minlength=num_negatives + 1
        )
        not_above = np.cumsum(places)[:-1] / (2 * len(self.positives))
        return (self._left + self._right) / (2 * num_negatives), 1.0 - not_above
