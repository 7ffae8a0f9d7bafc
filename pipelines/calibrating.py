"""How sure the candidate may say it is: one temperature for its probabilities, and scores for sets and intervals.

Both come from predictions of weights that never saw the examples. The network that is served may have been fitted again
on these examples too; that changes it little, and what it then promises is measured on the test split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipelines.ensemble import combine, standard_error
from pipelines.measuring.classes import SMALLEST_PROBABILITY, calibration_error
from pipelines.measuring.truth import Answered, Truth, unweighed
from pipelines.metrics import example_losses, truth_of
from pipelines.outside import load_outside
from records.bundle import Calibration
from records.candidate import Candidate
from records.data import Prepared, Split
from records.task import TargetKind, Task
from search_spaces.temperature import SMALLEST, with_temperature
from serving.honesty.conformal import (
    Scores,
    class_scores,
    future_scores,
    least_width_of,
    number_scores,
    sort_scores,
)

FEWEST_EXAMPLES = 100
"""Below, a temperature would be fitted to noise, and a calibration error says nothing."""
COLDEST, HOTTEST = 0.25, 10.0
"""Beyond, it is not the probabilities that are wrong."""
NUM_FOLDS = 5
MOST_NUMBERS = 20_000_000
"""Examples times classes that a temperature is fitted on: a few seconds."""
MOST_STEPS = 60


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """What the candidate's own weights said of examples that they had not seen."""

    truth: Truth
    predictions: np.ndarray
    """`<float32>[examples, ...]`, as `pipelines.metrics` describes them."""


def unseen(candidate: Candidate, prepared: Prepared, folders: Sequence[Path]) -> Unseen:
    """The validation examples; where trials were judged on folds, all examples that are fitted on.

    Args:
        candidate: The winner.
        prepared: The dataset.
        folders: Of the trials that the candidate is made of, in the order of `candidate.members`.
    """
    rows = np.asarray(prepared.indices[Split.VALIDATION])
    predictions = np.asarray(candidate.validation_predictions, np.float32)
    saved = [one for one in map(load_outside, folders) if one is not None]
    if saved and len(saved) == len(candidate.members):
        common = saved[0][0]
        for more, _ in saved[1:]:
            common = np.intersect1d(common, more)
        if len(common) > len(rows):
            weights = [1.0] if candidate.average is None else [part.weight for part in candidate.average.parts]
            rows = common
            predictions = combine([said[np.searchsorted(known, common)] for known, said in saved], weights)
    return Unseen(truth=truth_of(prepared, rows), predictions=predictions)


def calibrated(candidate: Candidate, seen: Unseen, task: Task) -> tuple[Candidate, Unseen]:
    """Both with a temperature where one lowers the log-loss by more than noise; as they are where none does.

    Args:
        candidate: The winner. Its network is left alone, or becomes a part of the new one.
        seen: From `unseen`.
        task: Only probabilities have a temperature.
    """
    if task.target is not TargetKind.CLASS or not len(seen.predictions):
        return candidate, seen
    found = judge(task, seen)
    if found.temperature == 1.0:
        return replace(candidate, calibration=found), seen
    better = replace(
        candidate,
        model=with_temperature(candidate.model, found.temperature),
        validation_predictions=tempered(np.asarray(candidate.validation_predictions), found.temperature),
        calibration=found,
    )
    return better, replace(seen, predictions=tempered(seen.predictions, found.temperature))


def judge(task: Task, seen: Unseen) -> Calibration:
    """Fits a temperature on some examples and judges it on the others, in turn; then on all, if it was worth it.

    It is where the log-loss falls by more than its standard error, as it is and also if one answer more had been wrong:
    a model without a mistake among a few hundred examples would otherwise be made as sure as can be.
    """
    truth, before = seen.truth, seen.predictions
    after, temperature = before, 1.0
    folds = _folds(len(before), truth.clusters)
    if len(before) >= FEWEST_EXAMPLES and folds is not None:
        crossed = np.empty_like(before)
        for fold in range(NUM_FOLDS):
            held = folds == fold
            crossed[held] = tempered(before[held], fit_temperature(before[~held], truth.targets[~held]))
        doubts = (0.0, _doubt(len(before)))
        if all(_gains(before, crossed, believed(before, truth.targets, d), truth.clusters) for d in doubts):
            after, temperature = crossed, fit_temperature(before, truth.targets)
    return Calibration(
        temperature=temperature,
        num_examples=len(before),
        log_loss_before=float(example_losses(task, truth, before).mean()),
        log_loss_after=float(example_losses(task, truth, after).mean()),
        error_before=_error(truth, before),
        error_after=_error(truth, after),
    )


def fit_temperature(predictions: np.ndarray, targets: np.ndarray, doubt: float | None = None) -> float:
    """The temperature with the least log-loss, from 0.25 to 10, to four digits.

    The log-loss is convex in the inverse temperature: Newton's method, kept between bounds that close in.

    Args:
        predictions: `<float32>[examples, classes]` probabilities.
        targets: `<int64>[examples]`.
        doubt: As `believed` takes it; `None`: one answer in as many as there are.
    """
    step = -(-predictions.size // MOST_NUMBERS)
    predictions, targets = predictions[::step], np.asarray(targets)[::step]
    logits = _logarithms(predictions)
    true = (
        (believed(predictions, targets, _doubt(len(targets)) if doubt is None else doubt) * logits).sum(axis=1).mean()
    )
    low, high, at = 1.0 / HOTTEST, 1.0 / COLDEST, 1.0
    for _ in range(MOST_STEPS):
        weights = _softmax(at * logits)
        mean = (weights * logits).sum(axis=1)
        slope = float(mean.mean() - true)
        curve = float(((weights * logits**2).sum(axis=1) - mean**2).mean())
        low, high = (low, at) if slope > 0 else (at, high)
        newton = at - slope / curve if curve > 0 else low - 1.0
        following = newton if low < newton < high else (low + high) / 2
        if abs(following - at) < 1e-7:
            break
        at = following
    return float(f"{min(HOTTEST, max(COLDEST, 1.0 / at)):.4g}")


def believed(predictions: np.ndarray, targets: np.ndarray, doubt: float) -> np.ndarray:
    """`<float64>[examples, classes]`: the true class, and a little of the others, as likely as the model has them.

    Smoothed targets (Platt 1999): a doubt of 1 / (n + 2) is the rule of succession, as if one answer more were wrong.

    Args:
        predictions: `<float32>[examples, classes]`.
        targets: `<int64>[examples]`.
        doubt: What the other classes get of each example, less than 1.
    """
    rows = np.arange(len(targets))
    others = np.maximum(predictions.astype(np.float64), SMALLEST)
    others[rows, targets] = 0.0
    others *= doubt / others.sum(axis=1, keepdims=True)
    others[rows, targets] = 1.0 - doubt
    return others


def tempered(predictions: np.ndarray, temperature: float) -> np.ndarray:
    """`<float32>[examples, classes]`: what `search_spaces.temperature` makes of them in the network."""
    return _softmax(_logarithms(predictions) / temperature).astype(np.float32)


def conformal_scores(task: Task, seen: Unseen) -> Scores | None:
    """What the bundle finds sets and intervals by; `None` where there are no examples."""
    predictions, targets = seen.predictions, seen.truth.targets
    if not len(predictions):
        return None
    if task.target is TargetKind.CLASS:
        return sort_scores(class_scores(predictions, targets))
    if task.target is TargetKind.NUMBER:
        return sort_scores(number_scores(predictions, targets))
    least = least_width_of(predictions)
    return sort_scores(future_scores(predictions, targets, least), least)


def _doubt(count: int) -> float:
    return 1.0 / (count + 2)


def _gains(before: np.ndarray, after: np.ndarray, truth: np.ndarray, clusters: np.ndarray | None) -> bool:
    """Whether the log-loss falls by more than its standard error."""
    old, new = (np.log(np.clip(one.astype(np.float64), SMALLEST_PROBABILITY, 1.0)) for one in (before, after))
    gains = (truth * (new - old)).sum(axis=1)
    return bool(gains.mean() > standard_error(gains, clusters))


def _folds(count: int, clusters: np.ndarray | None) -> np.ndarray | None:
    """`<int64>[examples]`: the fold of each; examples of one cluster share theirs. `None`: too few clusters."""
    names = np.arange(count) if clusters is None else np.unique(clusters, return_inverse=True)[1].reshape(-1)
    num_names = int(names.max()) + 1
    if num_names < NUM_FOLDS:
        return None
    return (np.random.default_rng(0).permutation(num_names) % NUM_FOLDS)[names]


def _error(truth: Truth, predictions: np.ndarray) -> float:
    return float(calibration_error(unweighed(Answered(truth, predictions)))[0])


def _logarithms(predictions: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(predictions.astype(np.float64), SMALLEST))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
