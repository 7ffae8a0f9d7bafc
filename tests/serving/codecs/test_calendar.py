"""Steps between times, and the parts of the calendar."""

import calendar
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.codecs.calendar import (
    PARTS,
    Step,
    Unit,
    calendar_columns,
    part_names,
    useful_parts,
    usual_season,
)
from serving.codecs.times import DAY, HOUR, MINUTE, SECOND, WEEK, format_time, parse_time

STEPS = (
    Step(Unit.TIME, HOUR),
    Step(Unit.TIME, 7 * SECOND),
    Step(Unit.WEEKDAY),
    Step(Unit.MONTH),
    Step(Unit.MONTH, 3),
    Step(Unit.MONTH, 12),
    Step(Unit.NUMBER, 5),
)


def time(text: str) -> int:
    return parse_time(text)[0]


def told(times: np.ndarray) -> list[str]:
    return [format_time(int(one)) for one in times]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.words)
@settings(deadline=None)
@given(start=st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), count=st.integers(1, 40))
def test_steps_lie_on_the_grid_that_they_make(step: Step, start: datetime, count: int) -> None:
    first = time(start.replace(microsecond=0).isoformat())
    if step.unit is Unit.WEEKDAY:
        first -= max(0, start.weekday() - 4) * DAY
    times = step.after(first, np.arange(count))
    assert times[0] == first
    places, on_grid = step.places(times)
    assert on_grid.all()
    np.testing.assert_array_equal(places, np.arange(count))
    back = step.after(int(times[-1]), np.arange(1 - count, 1))
    assert step.unit is Unit.MONTH or (back == times).all()  # a month's last day may have become another day
    np.testing.assert_array_equal(step.places(back)[0], places)


def test_month_ends_stay_month_ends() -> None:
    ends = Step(Unit.MONTH).after(time("2023-12-31"), np.arange(4))
    assert told(ends) == ["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31"]
    assert told(Step(Unit.MONTH).after(time("2023-02-28"), np.arange(3))) == ["2023-02-28", "2023-03-31", "2023-04-30"]
    assert told(Step(Unit.MONTH).after(time("2023-01-30"), np.arange(3))) == ["2023-01-30", "2023-02-28", "2023-03-30"]
    assert told(Step(Unit.MONTH, 12).after(time("2024-02-29 06:00"), np.arange(2)))[1] == "2025-02-28T06:00:00"


def test_months_count_whatever_their_day() -> None:
    times = np.array([time(text) for text in ("2024-01-02", "2024-02-01", "2024-03-29", "2024-05-03")])
    places, on_grid = Step(Unit.MONTH).places(times)
    assert places.tolist() == [0, 1, 2, 4] and on_grid.all()
    assert Step(Unit.MONTH, 3).places(times)[1].tolist() == [True, False, False, False]


def test_weekends_are_no_weekdays() -> None:
    times = np.array([time(f"2024-03-{day:02d}") for day in (1, 2, 4, 5)])  # the first was a Friday
    places, on_grid = Step(Unit.WEEKDAY).places(times)
    assert places[[0, 2, 3]].tolist() == [0, 1, 2]
    assert on_grid.tolist() == [True, False, True, True]


def test_hours_run_on_where_clocks_are_put_back() -> None:
    texts = ["2024-10-27T01:00+02:00", "2024-10-27T02:00+02:00", "2024-10-27T02:00+01:00", "2024-10-27T03:00+01:00"]
    places, on_grid = Step(Unit.TIME, HOUR).places(np.array([time(text) for text in texts]))
    assert places.tolist() == [0, 1, 2, 3] and on_grid.all()


@pytest.mark.parametrize(
    ("step", "season", "words"),
    [
        (Step(Unit.TIME, HOUR), 24, "1 hour"),
        (Step(Unit.TIME, 15 * MINUTE), 96, "15 minutes"),
        (Step(Unit.TIME, 5 * MINUTE), 288, "5 minutes"),
        (Step(Unit.TIME, MINUTE), 60, "1 minute"),
        (Step(Unit.TIME, SECOND), 60, "1 second"),
        (Step(Unit.TIME, 7 * HOUR), 1, "7 hours"),
        (Step(Unit.TIME, DAY), 7, "1 day"),
        (Step(Unit.TIME, WEEK), 52, "1 week"),
        (Step(Unit.TIME, 10 * DAY), 1, "10 days"),
        (Step(Unit.WEEKDAY), 5, "1 weekday"),
        (Step(Unit.MONTH), 12, "1 month"),
        (Step(Unit.MONTH, 3), 4, "3 months"),
        (Step(Unit.MONTH, 12), 1, "12 months"),
        (Step(Unit.NUMBER, 1), 1, "1"),
    ],
)
def test_a_step_has_a_season_and_a_name(step: Step, season: int, words: str) -> None:
    assert usual_season(step) == season
    assert step.words == words


@settings(deadline=None)
@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
def test_parts_of_the_calendar_are_those_of_the_standard_library(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    times = np.array([time(moment.isoformat())])
    of_day = (moment - moment.replace(hour=0, minute=0, second=0)).total_seconds() / 86_400
    expected = {
        "hour": of_day,
        "weekday": (moment.weekday() + of_day) / 7,
        "month": (moment.month - 1) / 12,
        "day of year": (moment.timetuple().tm_yday - 1 + of_day) / (366 if calendar.isleap(moment.year) else 365),
    }
    for part, value in expected.items():
        assert PARTS[part](times)[0] == pytest.approx(value, abs=1e-9)
    columns = calendar_columns(tuple(PARTS), times)
    assert columns.shape == (1, len(part_names(tuple(PARTS)))) and columns.dtype == np.float32
    np.testing.assert_allclose(columns[0, ::2] ** 2 + columns[0, 1::2] ** 2, 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("step", "span", "parts"),
    [
        (Step(Unit.TIME, HOUR), 400 * DAY, ("hour", "weekday", "day of year")),
        (Step(Unit.TIME, HOUR), 30 * DAY, ("hour", "weekday")),
        (Step(Unit.TIME, HOUR), 20 * HOUR, ()),
        (Step(Unit.TIME, DAY), 800 * DAY, ("weekday", "day of year")),
        (Step(Unit.TIME, WEEK), 800 * DAY, ("day of year",)),
        (Step(Unit.WEEKDAY), 30 * DAY, ("weekday",)),
        (Step(Unit.MONTH), 800 * DAY, ("month",)),
        (Step(Unit.MONTH, 12), 8000 * DAY, ()),
        (Step(Unit.NUMBER), 800, ()),
    ],
)
def test_only_parts_that_a_step_passes_through_are_used(step: Step, span: int, parts: tuple[str, ...]) -> None:
    assert useful_parts(step, span) == parts
