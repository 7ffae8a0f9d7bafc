"""What the steps of a run cost on this machine: guesses at first, corrected by what earlier runs measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from records.trial import Run, RunState

COSTS = "costs"
"""The key in a run's summary."""
MARGIN = 1.25
"""On the dearest of the last runs: a shared machine is slower at times."""
LAST_RUNS = 10
SMALLEST_FACTOR, LARGEST_FACTOR = 0.2, 4.0


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Seconds of what surrounds the trials. The defaults are a slow machine's with two cores."""

    start: float = 10.0
    """A worker's start: importing Keras with TensorFlow."""
    floor: float = 6.0
    """Compiling and training the linear floor for a moment."""
    package: float = 8.0
    """Export, parity check, report, card and registration of a small network."""
    package_per_parameter: float = 4e-6
    """What a large one costs more: it is built again, saved, exported, loaded twice and copied."""
    evaluate_per_example: float = 6e-4
    """Of the test split: two thousand resamples of three models."""

    def packaging(self, num_parameters: int) -> float:
        """Seconds to package a network of so many parameters."""
        return self.package + self.package_per_parameter * num_parameters

    def evaluating(self, num_test: int, predict_seconds: float) -> float:
        """Seconds to evaluate a network and the floor on so many examples, each of which takes `predict_seconds`."""
        return (self.evaluate_per_example + 2.0 * predict_seconds) * num_test


GUESSED = Costs()


def measured(package: float, num_parameters: int, evaluate: float, expected_evaluate: float) -> dict[str, float]:
    """What a finished run writes into its summary: measured seconds by what `GUESSED` expected."""
    return {
        "package": package / GUESSED.packaging(num_parameters),
        "evaluate": evaluate / max(expected_evaluate, 0.5),
    }


def corrected(runs: Iterable[Run]) -> Costs:
    """The guesses, times what the last completed runs measured.

    Args:
        runs: Of this home, newest first.
    """
    told = [run.summary[COSTS] for run in runs if run.state is RunState.COMPLETED and COSTS in run.summary]
    package = _factor(told[:LAST_RUNS], "package")
    evaluate = _factor(told[:LAST_RUNS], "evaluate")
    return replace(
        GUESSED,
        package=GUESSED.package * package,
        package_per_parameter=GUESSED.package_per_parameter * package,
        evaluate_per_example=GUESSED.evaluate_per_example * evaluate,
    )


def _factor(told: Sequence[dict[str, Any]], step: str) -> float:
    found = [float(one[step]) for one in told if step in one]
    return min(max(MARGIN * max(found), SMALLEST_FACTOR), LARGEST_FACTOR) if found else 1.0
