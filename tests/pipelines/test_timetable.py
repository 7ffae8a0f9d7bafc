"""The learning rate on the way."""

import pytest

from pipelines.timetable import learning_rate
from records.trial import Recipe

STEPS = 1000


def test_one_cycle_rises_and_falls_smoothly() -> None:
    recipe = Recipe(schedule="one_cycle", learning_rate=2.0, warmup_fraction=0.3)
    rates = [learning_rate(recipe, step, STEPS) for step in range(STEPS)]
    assert rates[0] == pytest.approx(2.0 / 25, rel=1e-3)
    assert max(rates) == pytest.approx(2.0) and 298 <= rates.index(max(rates)) <= 301
    assert rates[149] == pytest.approx(2.0 * (1 + 1 / 25) / 2, rel=0.01)  # half way up
    assert rates[650] == pytest.approx(1.0, rel=0.01)  # half way down
    assert rates[-1] < 0.004
    assert max(abs(a - b) for a, b in zip(rates, rates[1:], strict=False)) < 0.02


def test_the_cosine_rises_in_a_line() -> None:
    recipe = Recipe(learning_rate=2.0, warmup_fraction=0.1)
    rates = [learning_rate(recipe, step, STEPS) for step in range(STEPS)]
    assert rates[0] == pytest.approx(0.02) and rates[49] == pytest.approx(1.0) and rates[99] == pytest.approx(2.0)
    assert rates[550] == pytest.approx(1.0, rel=0.01) and 0 < rates[-1] < 0.004


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_a_schedule_of_one_step_begins_at_the_peak(schedule: str) -> None:
    assert learning_rate(Recipe(schedule=schedule, learning_rate=2.0), 0, 1) == pytest.approx(2.0)


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="`schedule` must be one of cosine, one_cycle. Received: 'step'"):
        learning_rate(Recipe(schedule="step"), 0, STEPS)
