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


def costs(package: float, evaluate: float = 0.5, parameters: int = 0) -> Run:
    return run(costs={"parameters": parameters, "package": package, "evaluate": evaluate})


def test_what_was_usual_in_the_last_runs_counts_with_a_margin() -> None:
    told = corrected([costs(share) for share in (0.4, 0.6, 0.5, 0.5, 3.0)])
    assert told.packaging(0) == pytest.approx(GUESSED.package * 0.6 * MARGIN), "one run in five may be an odd one"
    assert told.evaluate_per_example == pytest.approx(GUESSED.evaluate_per_example * 0.5 * MARGIN)


def test_small_networks_say_nothing_about_large_ones() -> None:
    told = corrected([costs(0.5, parameters=10_000), costs(0.8, parameters=22_000_000)])
    small, phone, large = ((told.packaging(n) / GUESSED.packaging(n)) for n in (900_000, 4_000_000, 30_000_000))
    assert (small, phone, large) == pytest.approx((0.5 * MARGIN, 1.0, 0.8 * MARGIN))


def test_rows_of_earlier_versions_correct_no_packaging() -> None:
    assert corrected([run(costs={"package": 0.4, "evaluate": 0.5})]).packaging(0) == GUESSED.packaging(0)


def test_old_runs_are_forgotten() -> None:
    runs = [costs(0.4)] * 10 + [costs(3.0, 3.0)] * 10
    assert corrected(runs).packaging(0) == pytest.approx(GUESSED.package * 0.4 * MARGIN)


@pytest.mark.parametrize(("share", "factor"), [(1e-6, SMALLEST_FACTOR), (1e6, LARGEST_FACTOR)])
def test_one_odd_run_does_not_spoil_the_next(share: float, factor: float) -> None:
    assert corrected([costs(share)]).packaging(0) == GUESSED.package * factor


def test_what_a_run_measured_gives_its_own_seconds_back() -> None:
    seconds, parameters = 7.5, 3_000_000
    told = corrected([run(costs=measured(seconds, parameters, 4.0, GUESSED.evaluating(2000, 0.001)))])
    assert told.packaging(parameters) == pytest.approx(seconds * MARGIN)


def test_a_large_network_and_many_examples_cost_more() -> None:
    guessed = Costs()
    assert guessed.packaging(10_000_000) > guessed.packaging(0)
    assert guessed.evaluating(1000, 0.01) == pytest.approx(1000 * (guessed.evaluate_per_example + 0.02))
