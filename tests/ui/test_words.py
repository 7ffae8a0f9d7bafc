import pytest

from records.evaluation import Figure
from tests.ui.stand_in_home import NASTY
from ui import words


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.9474, "0.947"), (0.0, "0.000"), (23.456, "23.46"), (123.45, "123.5"), (-1204.4, "−1,204"), (1e-5, "1e-05")],
)
def test_number_keeps_four_digits(value: float, told: str) -> None:
    assert words.number(value) == told


@pytest.mark.parametrize(
    ("value", "told"), [(1234.5, "1,234.5"), (0.123456789, "0.123457"), (-2345678.4, "−2,345,678"), (3.0, "3")]
)
def test_precise_keeps_six_digits(value: float, told: str) -> None:
    assert words.precise(value) == told


@pytest.mark.parametrize(
    ("value", "told"), [(1.0, "100.0 %"), (0.99996, "> 99.9 %"), (0.0004, "< 0.1 %"), (0.5, "50.0 %"), (0.0, "0.0 %")]
)
def test_percent_does_not_round_to_certainty(value: float, told: str) -> None:
    assert words.percent(value) == told


def test_text_from_data_stays_text() -> None:
    assert words.plain("a*b_c\n[d](e)") == r"a\*b\_c \[d\]\(e\)"
    assert words.cell("<img src=x>\u202e") == "&lt;img src=x&gt;"
    escaped = words.plain(NASTY)
    assert all(escaped[i - 1] == "\\" for i, c in enumerate(escaped) if c in "![]()<>*$:")


def test_intervals_names_and_durations() -> None:
    assert words.interval(Figure(value=0.5, low=0.25, high=0.75)) == "0.250 to 0.750"
    assert words.listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert [words.duration(s) for s in (0.4, 12.0, 200.0, 3900.0)] == ["0.4 s", "12 s", "3 min 20 s", "1 h 5 min"]
    assert (
        words.settings({"cnn/num_blocks": 3, "recipe/flip": True, "lr": 0.00123})
        == "num blocks 3, flip yes, lr 0.00123"
    )
    assert words.moment("no time") == "no time"
    assert words.seconds_between("2026-01-01T00:00:00+00:00", "2026-01-01T00:01:00+00:00") == 60.0
    assert words.seconds_between("2026-01-01T00:00:00", None) is None  # without a zone there is no difference
