"""How probabilities become one answer: chosen on the validation split, or given by what mistakes cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from pipelines.measuring.classes import matrix_accuracy, matrix_balanced_accuracy, matrix_f1_macro
from records.candidate import Candidate
from records.config import RunConfig
from records.errors import ConfigError
from records.task import MOST_LIKELY, Decision, TargetKind, Task

Costs = tuple[tuple[float, ...], ...]
Measure = Callable[[np.ndarray], np.ndarray]
"""From confusion matrices `<float64>[..., 2, 2]` to what is better the larger it is."""

FEWEST_EXAMPLES = 20
"""Validation examples of the rarer class below which a threshold would be chosen by chance."""
NUM_RESAMPLES = 50
LEAST_GAIN = 0.5
"""Standard deviations of a threshold's gain over resamples that its mean must reach."""
MEASURES: dict[str, Measure] = {
    "accuracy": matrix_accuracy,
    "balanced_accuracy": matrix_balanced_accuracy,
    "f1_macro": matrix_f1_macro,
    "roc_auc": matrix_f1_macro,  # says nothing of a threshold; this one treats both classes alike
}
"""What a threshold is chosen by, for each objective that leaves one to be chosen."""


def decision_for(config: RunConfig, task: Task, labels: Sequence[str], candidate: Candidate) -> Decision:
    """How the candidate's probabilities become an answer.

    Raises:
        ConfigError: The costs that the run was given do not fit the data.
    """
    costs = parse_costs(config.costs, labels)
    return choose_decision(task, candidate.validation_targets, candidate.validation_predictions, costs)


def choose_decision(task: Task, targets: np.ndarray, predictions: np.ndarray, costs: Costs | None = None) -> Decision:
    """Costs decide where they are given. Of two classes a threshold is chosen, if one is better than one half.

    Args:
        task: Gives the objective.
        targets: Of the validation examples.
        predictions: Of the validation examples, by a model that was not fitted to them.
        costs: `parse_costs` gives them.
    """
    if task.target is not TargetKind.CLASS:
        return MOST_LIKELY
    if costs is not None:
        return Decision(costs=costs)
    if predictions.shape[1] != 2 or task.objective not in MEASURES:
        return MOST_LIKELY
    if np.bincount(targets, minlength=2).min() < FEWEST_EXAMPLES:
        return MOST_LIKELY
    threshold = _threshold(MEASURES[task.objective], np.asarray(targets), predictions[:, 1].astype(np.float64))
    return MOST_LIKELY if threshold is None else Decision(threshold=threshold)


def parse_costs(given: Sequence[str], labels: Sequence[str]) -> Costs | None:
    """`costs[true][answered]` from texts like "spam>ham=5": a spam that is answered as ham costs 5.

    What is not named costs 1 as a mistake and 0 as a right answer. `None` where nothing is given.

    Raises:
        ConfigError: A text is not of this form, names a class that there is not, or the same mistake twice.
    """
    if not given:
        return None
    if not labels:
        raise ConfigError("Costs were given, but the target is a number. They are for mistakes between classes.")
    costs = [[float(i != j) for j in range(len(labels))] for i in range(len(labels))]
    seen: set[tuple[int, int]] = set()
    for text in given:
        mistake, value = _parse_cost(text, labels)
        if mistake in seen:
            raise ConfigError(f"The cost of one mistake is given twice. Received: {text!r} the second time.")
        seen.add(mistake)
        costs[mistake[0]][mistake[1]] = value
    return tuple(tuple(row) for row in costs)


def _parse_cost(text: str, labels: Sequence[str]) -> tuple[tuple[int, int], float]:
    names, _, number = text.rpartition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ConfigError(
            f"A cost must end in = and a number that is not negative, as in TRUE>ANSWERED=5. Received: {text!r}."
        )
    position = {label: i for i, label in enumerate(labels)}
    # a label may hold a > itself: any of them may be the one between the two
    splits = [(names[:i].strip(), names[i + 1 :].strip()) for i, character in enumerate(names) if character == ">"]
    for true, answered in splits:
        if true in position and answered in position:
            if true == answered:
                raise ConfigError(f"A right answer costs nothing: the two classes must differ. Received: {text!r}.")
            return (position[true], position[answered]), value
    known = ", ".join(labels[:10]) + (f" and {len(labels) - 10} more" if len(labels) > 10 else "")
    raise ConfigError(f"A cost must name two classes, as in TRUE>ANSWERED=5. Known: {known}. Received: {text!r}.")


def _threshold(measure: Measure, targets: np.ndarray, scores: np.ndarray) -> float | None:
    """The median of what suits 50 resamples best; `None` where one half does as well on what they left out.

    The threshold that suits the examples themselves best follows their noise: on calibrated probabilities it loses up
    to a hundredth of accuracy on new examples. The median of many loses nothing to speak of, and this test of it keeps
    nearly all of the gain where there is one (measured by simulation).
    """
    order = np.argsort(scores)
    scores, positive = scores[order], (targets[order] == 1).astype(np.float64)
    rng = np.random.default_rng(0)
    chosen, gains = [], []
    for _ in range(NUM_RESAMPLES):
        drawn = np.sort(rng.integers(0, len(scores), len(scores)))
        left_out = np.setdiff1d(np.arange(len(scores)), drawn)
        chosen.append(_best(measure, positive[drawn], scores[drawn]))
        gains.append(_gain(measure, positive[left_out], scores[left_out], chosen[-1]))
    threshold = float(f"{np.median(chosen):.3g}")
    if np.mean(gains) <= LEAST_GAIN * np.std(gains) or _gain(measure, positive, scores, threshold) <= 0:
        return None
    return threshold


def _best(measure: Measure, positive: np.ndarray, scores: np.ndarray) -> float:
    """Of all thresholds that tell the examples apart differently, the best; among equals the one next to one half."""
    cuts = np.flatnonzero(np.diff(scores) > 0) + 1  # examples from a cut on are answered with the second class
    if not len(cuts):
        return 0.5
    values = measure(_matrices(positive, cuts))
    thresholds = ((scores[cuts - 1] + scores[cuts]) / 2)[values >= values.max() - 1e-12]
    return float(thresholds[np.abs(thresholds - 0.5).argmin()])


def _gain(measure: Measure, positive: np.ndarray, scores: np.ndarray, threshold: float) -> float:
    """What a threshold measures more than one half does."""
    with_it, at_half = measure(_matrices(positive, np.searchsorted(scores, [threshold, 0.5])))
    return float(with_it - at_half)


def _matrices(positive: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """`<float64>[cuts, 2, 2]` confusion matrices of examples in the order of their scores."""
    below = np.concatenate([[0.0], np.cumsum(positive)])[cuts]  # positives that are answered with the first class
    total = positive.sum()
    matrices = np.array([[cuts - below, len(positive) - cuts - (total - below)], [below, total - below]])
    return matrices.transpose(2, 0, 1)
