"""What the steps of a run cost on this machine: guesses at first, corrected by what earlier runs measured."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pipelines.backend import configured
from records.trial import Run, RunState

COSTS = "costs"
"""The key in a run's summary."""
MARGIN = 1.1
"""On what was usual: a shared machine is slower at times."""
USUAL = 0.75
"""The part of the last runs that took no longer than what is taken for usual."""
LAST_RUNS = 10
RUNS_READ = 50
"""In which the last ones of a size are looked for."""
SMALLEST_FACTOR, LARGEST_FACTOR = 0.2, 4.0
SIZES = (1_000_000, 10_000_000)
"""Parameters that part small networks from those of a phone's size, and these from large ones: each is packaged in its
own time by its own engine, so that one kind says little about another."""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Seconds of what surrounds the trials. The defaults are a slow machine's with two cores."""

    start: float = 10.0
    """A worker's start: importing Keras with TensorFlow."""
    floor: float = 6.0
    """Compiling and training the linear floor for a moment."""
    package: float = 5.0
    """Export, parity check, report, card and registration of a small network."""
    package_per_parameter: float = 2e-6
    """What a large one costs more: it is built again, saved, exported, loaded twice and copied."""
    package_factors: tuple[float, ...] = (1.0, 1.0, 1.0)
    """On both of them, for each of the sizes that `SIZES` parts."""
    evaluate_per_example: float = 6e-4
    """Of the test split: two thousand resamples of three models."""

    def packaging(self, num_parameters: int) -> float:
        """Seconds to package a network of so many parameters."""
        factor = self.package_factors[bisect_right(SIZES, num_parameters)]
        return factor * (self.package + self.package_per_parameter * num_parameters)

    def evaluating(self, num_test: int, predict_seconds: float) -> float:
        """Seconds to evaluate a network and the floor on so many examples, each of which takes `predict_seconds`."""
        return (self.evaluate_per_example + 2.0 * predict_seconds) * num_test


EXPORTING_CHILD = 9.0
"""Seconds that packaging costs more where a process of its own must load TensorFlow for the export."""


def guess(backend: str) -> Costs:
    """Before anything was measured, for what Keras computes with."""
    usual = Costs()
    return usual if backend == "tensorflow" else replace(usual, package=usual.package + EXPORTING_CHILD)


GUESSED = guess(configured())


def measured(package: float, num_parameters: int, evaluate: float, expected_evaluate: float) -> dict[str, float]:
    """What a finished run writes into its summary: measured seconds by what `GUESSED` expected."""
    return {
        "parameters": num_parameters,
        "package": package / GUESSED.packaging(num_parameters),
        "evaluate": evaluate / max(expected_evaluate, 0.5),
    }


def corrected(runs: Iterable[Run]) -> Costs:
    """The guesses, times what the last completed runs measured: for packaging, those with networks of the same size.

    Args:
        runs: Of this home, newest first.
    """
    told = [run.summary[COSTS] for run in runs if run.state is RunState.COMPLETED and COSTS in run.summary]
    packaged: list[list[float]] = [[] for _ in GUESSED.package_factors]
    for one in told:
        if "parameters" in one:  # rows of earlier versions lack it
            packaged[bisect_right(SIZES, one["parameters"])].append(one["package"])
    return replace(
        GUESSED,
        package_factors=tuple(_factor(found) for found in packaged),
        evaluate_per_example=GUESSED.evaluate_per_example * _factor([one["evaluate"] for one in told]),
    )


def _factor(found: Sequence[float]) -> float:
    """That suffices for most of the last ratios, with a margin; 1 without any."""
    if not found:
        return 1.0
    last = sorted(found[:LAST_RUNS])
    usual = last[math.ceil(USUAL * (len(last) - 1))]
    return min(max(MARGIN * usual, SMALLEST_FACTOR), LARGEST_FACTOR)
