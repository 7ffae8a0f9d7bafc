"""What a run keeps back for its end: guessed at first, then what this machine measured."""

import pytest

from pipelines.costs import GUESSED, LARGEST_FACTOR, MARGIN, SMALLEST_FACTOR, Costs, corrected, measured
from records.trial import Run, RunState


def run(state: RunState = RunState.COMPLETED, **summary: object) -> Run:
    return Run(
        id="r",
        name="digits",
        state=state,
        config={},
        task="classification",
        objective="accuracy",
        started_at="2026-01-01T00:00:00",
        summary=summary,
    )


def test_without_earlier_runs_the_guesses_stand() -> None:
    assert corrected([]) == GUESSED
    assert corrected([run(), run(RunState.INTERRUPTED, costs={"package": 0.1, "evaluate": 0.1})]) == GUESSED


def test_the_dearest_of_the_last_runs_counts_with_a_margin() -> None:
    runs = [run(costs={"package": share, "evaluate": 0.5}) for share in (0.4, 0.6, 0.5)]
    costs = corrected(runs)
    assert costs.package == pytest.approx(GUESSED.package * 0.6 * MARGIN)
    assert costs.package_per_parameter == pytest.approx(GUESSED.package_per_parameter * 0.6 * MARGIN)
    assert costs.evaluate_per_example == pytest.approx(GUESSED.evaluate_per_example * 0.5 * MARGIN)


def test_old_runs_are_forgotten() -> None:
    runs = [run(costs={"package": 0.4, "evaluate": 0.5})] * 10 + [run(costs={"package": 3.0, "evaluate": 3.0})]
    assert corrected(runs).package == pytest.approx(GUESSED.package * 0.4 * MARGIN)


@pytest.mark.parametrize(("share", "factor"), [(1e-6, SMALLEST_FACTOR), (1e6, LARGEST_FACTOR)])
def test_one_odd_run_does_not_spoil_the_next(share: float, factor: float) -> None:
    assert corrected([run(costs={"package": share, "evaluate": 1.0})]).package == GUESSED.package * factor


def test_what_a_run_measured_gives_its_own_seconds_back() -> None:
    seconds, parameters = 7.5, 3_000_000
    told = measured(seconds, parameters, 4.0, GUESSED.evaluating(2000, 0.001))
    costs = corrected([run(costs=told)])
    assert costs.packaging(parameters) == pytest.approx(seconds * MARGIN)


def test_a_large_network_and_many_examples_cost_more() -> None:
    costs = Costs()
    assert costs.packaging(10_000_000) > costs.packaging(0)
    assert costs.evaluating(1000, 0.01) == pytest.approx(1000 * (costs.evaluate_per_example + 0.02))
