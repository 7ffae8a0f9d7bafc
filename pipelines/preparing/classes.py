"""Checks that the classes can be told apart with what there is of each."""

from __future__ import annotations

import numpy as np

from pipelines.preparing.facts import MEASURABLE, TEST, Facts, finding
from records.data import Finding, Severity
from records.errors import DataError
from records.task import IMBALANCE, default_metric

FEW = 10
"""Training examples of a class below which a person should know that there are few."""


def check_classes(facts: Facts, keep: np.ndarray) -> list[Finding]:
    """Checks that there is something to learn; takes test examples of classes that cannot be learnt out of `keep`."""
    free = keep & (facts.given != TEST)
    counts = np.bincount(facts.targets[free], minlength=len(facts.labels))
    known = np.flatnonzero(counts)
    if len(known) < 2:
        names = ", ".join(repr(facts.labels[int(c)]) for c in known) or "none"
        raise DataError(
            f"There is nothing to tell apart: after cleaning, the {facts.noun} to train on are of {len(known)} "
            f"{'class' if len(known) == 1 else 'classes'}. Expected at least two classes. Received: {names}."
        )
    if counts.max() < MEASURABLE:
        raise DataError(
            f"Every class has fewer than {MEASURABLE} {facts.noun} to train on. Expected at least {MEASURABLE} each, "
            f"one for training, validation and test. Received: at most {counts.max()}."
        )
    unknown = np.flatnonzero(keep & (facts.given == TEST) & (counts[facts.targets] == 0))
    keep[unknown] = False
    findings = finding(
        facts, "classes_without_training", Severity.WARNING, unknown,
        f"{len(unknown)} test {facts.noun} are of classes without training examples: {_some(facts, counts == 0)}.",
        "They were left out: no model can know these classes.",
    )  # fmt: skip
    few = (counts > 0) & (counts < FEW)
    if few.any():
        what = f"{few.sum()} classes have fewer than {FEW} {facts.noun} to train on: {_some(facts, few)}."
        done = "They were kept; what is measured on them is uncertain."
        findings.append(Finding(code="few", severity=Severity.WARNING, what=what, done=done, count=int(few.sum())))
    ratio = counts.max() / counts[known].min()
    if ratio >= IMBALANCE:
        largest, smallest = facts.labels[int(counts.argmax())], facts.labels[int(known[counts[known].argmin()])]
        what = f"The classes differ in size: {largest} has {ratio:.0f} times as many {facts.noun} as {smallest}."
        metric = default_metric("classification", tuple(counts.tolist()))
        done = f"Unless --metric says otherwise, {metric} is improved: accuracy hardly sees rare classes."
        findings.append(Finding(code="imbalance", severity=Severity.WARNING, what=what, done=done))
    return findings


def check_numbers(facts: Facts, keep: np.ndarray) -> list[Finding]:
    """Checks that the numbers to predict differ and are finite."""
    train = facts.targets[keep & (facts.given != TEST)]
    if len(train) < 3 * MEASURABLE:
        raise DataError(
            f"There are too few {facts.noun} to learn from. Expected at least {3 * MEASURABLE} with a number to "
            f"predict. Received: {len(train)}."
        )
    if not np.isfinite(train).all():
        raise DataError("Some numbers to predict are not finite. Expected finite numbers. Remove these rows.")
    if train.min() == train.max():
        raise DataError(
            f"There is nothing to predict: the target is {train[0]:.6g} in all {len(train)} {facts.noun}. Expected "
            "numbers that differ."
        )
    return []


def _some(facts: Facts, chosen: np.ndarray) -> str:
    names = [facts.labels[int(c)] for c in np.flatnonzero(chosen)]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
