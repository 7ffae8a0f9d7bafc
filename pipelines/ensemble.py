"""Which trials are averaged, and with which weights: greedy selection with replacement (Caruana et al. 2004).

Averaging a few different networks is a remedy for choosing one by few validation examples, which chooses noise. numpy
alone: no network is built here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from pipelines.measuring.truth import Answered, Truth, unweighed
from pipelines.metrics import METRIC_FUNCTIONS, example_losses
from records.task import Direction, Task
from records.trial import Trial

if TYPE_CHECKING:
    from pipelines.governor import Governor

MOST_OF_A_SPACE = 3
MOST_CANDIDATES = 12
NUM_STEPS = 20
"""Networks that are drawn one after the other, with replacement: weights are parts of so many."""
LEAST_WEIGHT = 0.1
"""A network that counts less is not worth its size."""
LEAST_GAIN = 0.5
"""Standard errors by which a network more must lower the loss. In simulations (docs/decisions/0012) this keeps three
quarters and more of what averaging gains without a margin; on 67 examples 1.0 keeps a third of it at the worst."""
MOST_OF_BUDGET = 0.03
"""That is worth keeping back for an average."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A trial that may be averaged with others."""

    rows: np.ndarray
    """`<int64>[examples]`, ascending: what it predicts without having seen it."""
    predictions: np.ndarray
    """`<float32>[examples, ...]`, as `pipelines.metrics` describes them."""
    seconds: float = 0.0
    """What it costs to package it beside others."""


def candidates(trials: Sequence[Trial], direction: Direction) -> list[Trial]:
    """The trials that may be averaged, the best first: a few of each space, and the floor.

    Args:
        trials: Of a run.
        direction: Of their score.
    """
    sign = -1.0 if direction is Direction.MAX else 1.0
    scored = [(sign * t.score, t.result.loss, t.number, t) for t in trials if t.score is not None and t.result]
    ranked = [entry[-1] for entry in sorted(scored, key=lambda entry: entry[:3])]
    taken: list[Trial] = []
    for trial in ranked:
        if sum(other.space == trial.space for other in taken) < MOST_OF_A_SPACE:
            taken.append(trial)
    floor = [trial for trial in taken[MOST_CANDIDATES:] if trial.space == "floor"]
    return taken[:MOST_CANDIDATES] + floor


def further_seconds(trial: Trial, governor: Governor) -> float:
    """What it takes to evaluate and package `trial` beside another: as long as by itself.

    The export to ONNX takes three times as long for two networks of sequences as for one (4 and 15 s, two slow cores).
    """
    return governor.finish_seconds(trial) - governor.costs.evaluating(governor.num_test, 0.0)


def reserve_seconds(
    trials: Sequence[Trial], best: Trial | None, direction: Direction, governor: Governor, max_members: int
) -> float:
    """What a search may keep back so that there is time to average `best` with others, as it found them.

    Args:
        trials: Of a run.
        best: The best of them; `None` before there is one.
        direction: Of their score.
        governor: The clock.
        max_members: Networks that may be averaged.
    """
    others = [one for one in candidates(trials, direction) if best is not None and one.number != best.number]
    costs = sorted((further_seconds(one, governor) for one in others), reverse=True)
    return min(sum(costs[: max_members - 1]), MOST_OF_BUDGET * (governor.deadline - governor.started))


def select(
    members: Sequence[Member], truth: Truth, task: Task, max_members: int, max_seconds: float = float("inf")
) -> list[float]:
    """The weight of each member in the best average that was found; together 1, and 0 for those that are left out.

    Starting from the first, the member that suits the average best is added again and again: once by the mean loss, and
    once by the task's objective. Of the averages on both ways, one is taken where the objective does not fall and the
    loss falls, with a network more by more than noise. So on these examples the average is never worse than the first
    member alone; on others it may be.

    Args:
        members: The best one first. Those that lack a row of the first one are left out.
        truth: Of the first one's rows, in their order.
        task: Gives the objective and the loss.
        max_members: With a weight above 0.
        max_seconds: That the members beside the first may cost together.
    """
    said = _aligned(members)
    limits = _Limits(
        usable=np.array([len(one) > 0 for one in said]),
        seconds=np.array([0.0, *(member.seconds for member in members[1:])]),
        max_members=max_members,
        max_seconds=max_seconds,
    )
    best = _Average(_alone(0, len(members)), said[0], truth, task)
    ways = (_additions(said, truth, task, limits, by_loss) for by_loss in (True, False))
    for counts in chain.from_iterable(ways):
        weights = np.where(counts / counts.sum() < LEAST_WEIGHT, 0.0, counts)
        weights /= weights.sum()
        average = _Average(weights, combine(said, list(weights)), truth, task)
        if average.objective >= best.objective and _gains(average, best, truth):
            best = average
    return [float(weight) for weight in best.weights]


def combine(predictions: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """`<float32>[examples, ...]`: the weighted mean of what several networks say. Those of weight 0 may be empty."""
    parts = [w * np.asarray(one, np.float64) for w, one in zip(weights, predictions, strict=True) if w]
    return np.sum(parts, axis=0).astype(np.float32)


class _Average:
    """An average and how good it is."""

    def __init__(self, weights: np.ndarray, predictions: np.ndarray, truth: Truth, task: Task) -> None:
        self.weights, self.size = weights, int((weights > 0).sum())
        value = float(METRIC_FUNCTIONS[task.objective](unweighed(Answered(truth, predictions)))[0])
        self.objective = value if task.direction is Direction.MAX else -value
        """The larger, the better."""
        self.losses = example_losses(task, truth, predictions)

    def order(self, by_loss: bool) -> tuple[float, float]:
        """The larger, the better: by the objective and, of equals, by the loss; or the other way round."""
        loss = -float(self.losses.mean())
        return (loss, self.objective) if by_loss else (self.objective, loss)


def _aligned(members: Sequence[Member]) -> list[np.ndarray]:
    """Each member's predictions of the first one's rows; no rows where it lacks one."""
    rows = members[0].rows
    said = []
    for member in members:
        places = np.searchsorted(member.rows, rows)
        known = len(member.rows) > 0 and np.array_equal(member.rows[np.minimum(places, len(member.rows) - 1)], rows)
        said.append(member.predictions[places] if known else member.predictions[:0])
    return said


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """What an average may grow to."""

    usable: np.ndarray
    """`<bool>[members]`."""
    seconds: np.ndarray
    """`<float64>[members]`: what each costs."""
    max_members: int
    max_seconds: float

    def allowed(self, counts: np.ndarray) -> np.ndarray:
        """Positions of those that may be added."""
        taken = counts > 0
        affordable = self.seconds[taken].sum() + self.seconds <= self.max_seconds
        further = self.usable & affordable & (taken.sum() < self.max_members)
        return np.flatnonzero(taken | further)


def _additions(
    said: Sequence[np.ndarray], truth: Truth, task: Task, limits: _Limits, by_loss: bool
) -> Iterator[np.ndarray]:
    """How often each member is taken, after each addition of the one that suits the average best."""
    counts, total = _alone(0, len(said)), said[0].astype(np.float64)
    for size in range(2, NUM_STEPS + 1):
        allowed = limits.allowed(counts)
        means = (((total + said[i]) / size).astype(np.float32) for i in allowed)
        orders = [_Average(counts, mean, truth, task).order(by_loss) for mean in means]
        chosen = allowed[orders.index(max(orders))]
        counts[chosen] += 1
        total += said[chosen]
        yield counts.copy()


def _gains(new: _Average, old: _Average, truth: Truth) -> bool:
    """Whether the loss falls; with a network more: by more than chance would have it."""
    gains = old.losses - new.losses
    noise = standard_error(gains, truth.clusters) if new.size > old.size else 0.0
    return bool(gains.mean() > LEAST_GAIN * noise)


def standard_error(values: np.ndarray, clusters: np.ndarray | None) -> float:
    """Of the mean. Examples of one cluster are not independent: their sum is one observation."""
    if clusters is not None:
        names = np.unique(clusters, return_inverse=True)[1].reshape(-1)
        if names.max() > 0:
            values = np.bincount(names, weights=values - values.mean()) * (names.max() + 1) / len(values)
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _alone(position: int, count: int) -> np.ndarray:
    counts = np.zeros(count)
    counts[position] = 1.0
    return counts
