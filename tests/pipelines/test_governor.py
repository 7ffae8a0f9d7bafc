"""The clock: hopeless budgets are refused, a winner can always be fitted again and packaged."""

import time
from dataclasses import replace

import pytest

from pipelines.costs import Costs
from pipelines.governor import Governor
from records.errors import BudgetError
from records.trial import Trial, TrialResult, TrialState


def governor(seconds: float, num_test: int = 0) -> Governor:
    now = time.monotonic()
    return Governor(started=now, deadline=now + seconds, num_test=num_test)


def done(number: int, seconds: float, space: str = "cnn", predict_seconds: float = 0.001) -> Trial:
    result = TrialResult(
        score=0.5,
        best_step=10,
        steps=10,
        planned_steps=10,
        steps_per_epoch=5,
        seconds=seconds,
        train_seconds=seconds,
        predict_seconds=predict_seconds,
        num_parameters=1,
        peak_memory_bytes=1,
    )
    return Trial(
        run_id="r", number=number, space=space, values={}, state=TrialState.COMPLETED, seed=0, score=0.5, result=result
    )


def test_a_hopeless_budget_is_refused_with_the_seconds_it_needs() -> None:
    with pytest.raises(BudgetError, match=r"budget of 5 s is too short .* Expected at least \d+ s"):
        governor(5.0).check_start(prepare_seconds=0.0)


def test_preparing_counts_against_the_budget() -> None:
    governor(90.0).check_start(prepare_seconds=10.0)
    with pytest.raises(BudgetError):
        governor(90.0).check_start(prepare_seconds=80.0)


@pytest.mark.parametrize("budget", [60.0, 120.0, 600.0])
def test_a_trial_that_wins_leaves_time_for_its_own_refit(budget: float) -> None:
    clock = governor(budget)
    floor = done(0, 2.0, "floor")
    seconds = clock.next_trial_seconds([floor], floor)
    assert seconds is not None
    winner = done(1, seconds)
    assert clock.left - seconds - clock.refit_seconds(winner) - clock.finish_seconds(winner) >= -3.0


def test_no_trial_starts_when_the_best_one_needs_the_time() -> None:
    clock = governor(60.0)
    assert clock.next_trial_seconds([done(0, 1.0, "floor"), done(1, 40.0)], done(1, 40.0)) is None


def test_no_trial_may_spend_the_whole_search() -> None:
    seconds = governor(1000.0).next_trial_seconds([done(0, 2.0, "floor")], None)
    assert seconds is not None and seconds <= 250.001


def test_the_floor_always_gets_time() -> None:
    assert governor(40.0).next_trial_seconds([], None) is not None


def test_slow_predictions_are_kept_time_for() -> None:
    slow = done(1, 5.0, predict_seconds=0.05)
    assert governor(600.0, num_test=1000).finish_seconds(slow) > governor(600.0).finish_seconds(slow) + 45


def test_at_the_very_end_a_trial_may_have_what_is_left() -> None:
    clock = governor(200.0)
    best = done(1, 4.0)
    soon = time.monotonic() + clock.finish_seconds(best) + clock.refit_seconds(best) + 14.0
    late = replace(clock, started=soon - 200.0, deadline=soon)
    seconds = late.next_trial_seconds([done(0, 1.0, "floor"), best], best)
    assert seconds == pytest.approx(14.0, abs=0.2), "not a fraction of it, for a refit that will hardly be needed"


def test_a_machine_that_measured_itself_faster_keeps_less_back() -> None:
    fast = replace(governor(30.0), costs=Costs(start=2.0, package=2.0))
    fast.check_start(prepare_seconds=15.0)
    with pytest.raises(BudgetError):
        governor(30.0).check_start(prepare_seconds=15.0)
    assert fast.finish_seconds(None) < governor(30.0).finish_seconds(None)


def test_what_is_computed_once_may_take_longer_than_a_trial_and_not_all() -> None:
    clock, floor = governor(200.0), done(0, 2.0, "floor")
    usual, one_off = (clock.next_trial_seconds([floor], floor, one_off=asked) for asked in (False, True))
    assert usual is not None and one_off is not None
    assert usual < one_off <= 100.0
    best = done(1, 60.0)
    assert governor(120.0).next_trial_seconds([floor, best], best, one_off=True) == pytest.approx(
        120.0 - clock.finish_seconds(best) - clock.refit_seconds(best), abs=0.5
    ), "the best trial can still be fitted again"


def test_a_large_network_must_end_earlier_than_a_small_one_to_be_packaged_in_time() -> None:
    clock = governor(100.0, num_test=500)
    small, large = (clock.training_seconds(size, 0.002) for size in (10_000, 20_000_000))
    assert small == pytest.approx(100.0 - clock.costs.packaging(10_000) - clock.costs.evaluating(500, 0.002), abs=0.1)
    assert small - large == pytest.approx(clock.costs.packaging(20_000_000) - clock.costs.packaging(10_000), abs=0.1)
