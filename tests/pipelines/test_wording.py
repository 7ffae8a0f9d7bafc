"""Figures as people say them, whatever their size; verdicts that claim no more than the interval."""

import pytest

from pipelines.reporting import kinds, verdicts, wording
from records.evaluation import Comparison, Evaluation, Figure
from records.spec import InputKind


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0, "0.000"),
        (0.9144, "0.914"),
        (1.0, "1.000"),
        (9.9996, "10.00"),
        (12.714, "12.71"),
        (312.44, "312.4"),
        (54321.4, "54,321"),
        (-0.0312, "-0.031"),
        (0.000421, "0.00042"),
        (3e-9, "0.0000000030"),
    ],
)
def test_numbers_have_as_many_digits_as_say_something(value: float, told: str) -> None:
    assert wording.number(value) == told


def test_shares_are_never_rounded_to_all_or_nothing() -> None:
    shares = (0.0, 0.004, 0.62, 0.9949, 0.996, 1.0)
    assert [wording.percent(share) for share in shares] == ["0 %", "< 1 %", "62 %", "99 %", "> 99 %", "100 %"]


def test_both_ends_of_an_interval_have_the_same_decimals() -> None:
    assert wording.interval(Figure(value=990.0, low=980.12, high=1012.3)) == "980 to 1,012"
    assert wording.interval(Figure(value=0.01, low=-0.002, high=0.02)) == "-0.002 to 0.020"
    assert wording.signed(-12.3) == "\N{MINUS SIGN}12.30"
    assert wording.signed(0.031) == "+0.031"


def evaluation(coverage: tuple[float, float, float]) -> Evaluation:
    value, low, high = coverage
    figure = Figure(value=value, low=low, high=high)
    return Evaluation(num_examples=9, objective="mase", metrics={"coverage": figure}, comparisons=())


def test_coverage_says_which_way_the_range_is_wrong() -> None:
    quantiles = (0.1, 0.5, 0.9)
    assert verdicts.coverage(evaluation((0.7, 0.66, 0.75)), quantiles).endswith("The range is too narrow.")
    assert verdicts.coverage(evaluation((0.9, 0.86, 0.95)), quantiles).endswith("The range is too wide.")
    assert verdicts.coverage(evaluation((0.8, 0.76, 0.85)), quantiles).endswith("76 % to 85 %).")
    assert verdicts.coverage(evaluation((0.8, 0.76, 0.85)), (0.5,)) == ""


@pytest.mark.parametrize("name", ["majority", "mean", "seasonal_naive", "floor"])
def test_every_baseline_has_words(name: str) -> None:
    figure = Figure(value=2.0, low=1.0, high=3.0)
    comparison = Comparison(baseline=name, metric="mae", baseline_value=5.0, difference=figure, better=True)
    told = Evaluation(num_examples=9, objective="mae", metrics={"mae": figure}, comparisons=(comparison,))
    verdict = verdicts.verdicts(told, "cnn", "table")[0]
    assert verdict.standing is verdicts.Standing.BETTER
    assert f" of {name}:" not in verdict.detail
    assert "+2.000 (95 % interval +1.000 to +3.000; + means less, which is better)" in verdict.detail


@pytest.mark.parametrize("kind", InputKind)
def test_every_kind_has_words(kind: InputKind) -> None:
    own = kinds.words(kind)
    assert own.floor in kinds.floor_words(kind)
    commands = [command for _, command in kinds.next_commands("spam", kind)]
    assert commands[0] == "kerasmith serve spam" and commands[1].startswith("kerasmith predict spam ")


def test_few_groups_show_nothing_for_certain() -> None:
    figure = Figure(value=2.0, low=1.0, high=3.0)
    comparison = Comparison(baseline="floor", metric="mae", baseline_value=5.0, difference=figure, better=False)
    told = Evaluation(
        num_examples=90, objective="mae", metrics={"mae": figure}, comparisons=(comparison,), num_clusters=2
    )
    (verdict,) = verdicts.verdicts(told, "cnn", "forecast")
    assert verdict.short == "Not shown to be better than the floor"
    assert verdict.detail.endswith("But 2 groups of test examples can show nothing for certain.")
    assert "90 test examples are only 2 groups" in verdicts.certainty_note(told)
