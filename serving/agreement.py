"""Whether an answer is the one that was given when the model was packaged, on another processor perhaps."""

from __future__ import annotations

from records.api import AnyPrediction, ForecastPrediction, NumberPrediction, Prediction
from serving.decoding import Answering

TOLERANCE = 1e-4
"""Largest difference of a probability; of other numbers, relative to their size."""


def agree(answer: AnyPrediction, expected: AnyPrediction, answering: Answering, unit: float = 0.0) -> bool:
    """True when the answers are equal but for rounding.

    Args:
        answer: Now.
        expected: Then.
        answering: What the network's numbers mean.
        unit: How large the target's numbers are, where that is known: a forecast of almost 0 is no more exact than
            the numbers that it was computed from.
    """
    if isinstance(answer, Prediction) and isinstance(expected, Prediction):
        return _same_class(answer, expected, answering)
    if isinstance(answer, NumberPrediction) and isinstance(expected, NumberPrediction):
        return _close([answer.value], [expected.value], unit)
    if not isinstance(answer, ForecastPrediction) or not isinstance(expected, ForecastPrediction):
        return False
    same = answer.times == expected.times and answer.quantiles.keys() == expected.quantiles.keys()
    largest = max([unit, *(abs(value) for values in expected.quantiles.values() for value in values)])
    return same and all(_close(answer.quantiles[name], expected.quantiles[name], largest) for name in answer.quantiles)


def _close(values: list[float], expected: list[float], unit: float) -> bool:
    if len(values) != len(expected):
        return False
    largest = max([unit, *map(abs, expected)])
    return all(abs(now - then) <= TOLERANCE * largest for now, then in zip(values, expected, strict=True))


def _same_class(answer: Prediction, expected: Prediction, answering: Answering) -> bool:
    now = {one.label: one.probability for one in answer.classes}
    then = {one.label: one.probability for one in expected.classes}
    if now.keys() != then.keys() or any(abs(now[label] - then[label]) > TOLERANCE for label in now):
        return False
    return answer.label == expected.label or _is_close_call(answer.label, expected.label, now, answering)


def _is_close_call(
    first: str | None, second: str | None, probabilities: dict[str, float], answering: Answering
) -> bool:
    """Two classes that are equally good answers may change places on another processor."""
    labels, decision = answering.labels, answering.decision
    if first is None or second is None or second not in labels or not set(labels) <= probabilities.keys():
        return False
    if decision.threshold is not None:
        return abs(probabilities[labels[1]] - decision.threshold) <= TOLERANCE
    if decision.costs is None:
        return abs(probabilities[first] - probabilities[second]) <= TOLERANCE
    columns = [labels.index(first), labels.index(second)]
    costs = [
        sum(row[column] * probabilities[label] for row, label in zip(decision.costs, labels, strict=True))
        for column in columns
    ]
    return abs(costs[0] - costs[1]) <= TOLERANCE * max(1.0, *(abs(cost) for row in decision.costs for cost in row))
