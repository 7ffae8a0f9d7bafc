"""What is true of some examples, what a model said of them, and how much each example counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from pipelines.measuring.ranking import Ranking
from records.data import Prepared
from records.spec import ForecastLayout
from records.task import MOST_LIKELY, Decision
from serving.decoding import decide


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a model's predictions are measured against."""

    targets: np.ndarray
    """`<int64>[examples]` class indices; `<float32>[examples]` numbers; `<float32>[examples, horizon]` futures."""
    naive_errors: np.ndarray | None = None
    """Forecasting: `<float64>[examples]`, the mean absolute error of the seasonal naive forecast in training."""
    quantiles: tuple[float, ...] = ()
    """Forecasting: what the last axis of a prediction means; ascending, 0.5 among them."""
    decision: Decision = MOST_LIKELY
    """Classification: how probabilities become one answer."""
    clusters: np.ndarray | None = None
    """`<int64>[examples]`: equal for examples that are resampled together; `None`: each by itself."""

    def of(self, rows: np.ndarray) -> Truth:
        """The truth of some of the examples."""
        return replace(
            self,
            targets=self.targets[rows],
            naive_errors=None if self.naive_errors is None else self.naive_errors[rows],
            clusters=None if self.clusters is None else self.clusters[rows],
        )


def truth_of(prepared: Prepared, rows: np.ndarray, decision: Decision = MOST_LIKELY) -> Truth:
    """The truth of `rows` of the prepared arrays."""
    layout = prepared.spec.layout
    return Truth(
        targets=np.asarray(prepared.targets)[rows],
        naive_errors=None if prepared.scales is None else np.asarray(prepared.scales)[rows, 2].astype(np.float64),
        quantiles=layout.quantiles if isinstance(layout, ForecastLayout) else (),
        decision=decision,
        clusters=None if prepared.clusters is None else np.asarray(prepared.clusters)[rows],
    )


@dataclass(frozen=True)
class Answered:
    """One model's predictions beside the truth, and what follows from both for each example alone.

    Predictions are `<float32>[examples, classes]`, `[examples, 1]` or `[examples, horizon, quantiles]`.
    """

    truth: Truth
    predictions: np.ndarray
    _quantities: dict[Quantity, np.ndarray] = field(default_factory=dict, init=False, repr=False)

    def quantity(self, of: Quantity) -> np.ndarray:
        """What `of` gives; it is asked once."""
        if of not in self._quantities:
            self._quantities[of] = of(self)
        return self._quantities[of]

    @cached_property
    def classes(self) -> np.ndarray:
        """`<int64>[examples]`: the class that is answered."""
        return decide(self.predictions, self.truth.decision)

    @cached_property
    def cells(self) -> Cells:
        """Where in a confusion matrix each example stands."""
        return Cells(self.truth.targets, self.classes, self.predictions.shape[1])

    @cached_property
    def ranking(self) -> Ranking:
        """Who comes before whom, for the area under the ROC curve."""
        return Ranking(self.truth.targets, self.predictions)

    @cached_property
    def points(self) -> np.ndarray:
        """`<float64>[examples]` numbers, or `[examples, horizon]` medians."""
        if self.predictions.ndim == 3:
            return self.predictions[..., self.truth.quantiles.index(0.5)].astype(np.float64)
        return self.predictions[:, 0].astype(np.float64)

    @cached_property
    def errors(self) -> np.ndarray:
        """What is predicted minus what is true, in the shape of `points`."""
        return self.points - self.truth.targets

    @cached_property
    def scales(self) -> np.ndarray:
        """`<float64>[examples]`: what errors are divided by; 1 where the naive forecast makes no error at all."""
        naive = self.truth.naive_errors
        if naive is None:
            return np.ones(len(self.predictions))
        return np.where(naive > 0, naive, 1.0)


Quantity = Callable[[Answered], np.ndarray]
"""Gives `<float64>[examples]` or `[examples, quantities]`."""


class Cells:
    """Examples sorted by their cell of the confusion matrix, so that draws are counted by sums of neighbours."""

    def __init__(self, targets: np.ndarray, classes: np.ndarray, num_classes: int) -> None:
        cells = targets * num_classes + classes
        self._order = np.argsort(cells, kind="stable")
        self._filled, self._starts = np.unique(cells[self._order], return_index=True)
        self._num_classes = num_classes

    def matrices(self, weights: np.ndarray) -> np.ndarray:
        """`<float64>[draws, classes, classes]`, from `<float64>[examples, draws]`."""
        counts = np.zeros((weights.shape[1], self._num_classes**2))
        counts[:, self._filled] = np.add.reduceat(weights[self._order], self._starts, axis=0).T
        return counts.reshape(-1, self._num_classes, self._num_classes)


@dataclass(frozen=True)
class Weighed:
    """Answers, of which each counts several times or not at all: a resample of them, or many resamples at once."""

    answered: Answered
    weights: np.ndarray
    """`<float64>[examples, draws]`: how often each example was drawn."""

    def mean(self, of: Quantity) -> np.ndarray:
        """The mean of a quantity: `<float64>[draws]`, or `[draws, quantities]`."""
        return ((self.answered.quantity(of).T @ self.weights) / self.totals).T

    @cached_property
    def totals(self) -> np.ndarray:
        """`<float64>[draws]`: the examples of each."""
        return self.weights.sum(axis=0)

    @cached_property
    def matrices(self) -> np.ndarray:
        """Confusion matrices `<float64>[draws, classes, classes]`: rows are true classes, columns answered ones."""
        return self.answered.cells.matrices(self.weights)


def unweighed(answered: Answered) -> Weighed:
    """Every example once."""
    return Weighed(answered, np.ones((len(answered.predictions), 1)))
