import pytest

from records.api import ClassProbability, ForecastPrediction, NumberPrediction, Prediction
from records.task import MOST_LIKELY, Decision
from serving.agreement import agree
from serving.decoding import Answering


def answer(label: str, yes: float) -> Prediction:
    classes = [ClassProbability(label="yes", probability=yes), ClassProbability(label="no", probability=1 - yes)]
    return Prediction(label=label, probability=yes if label == "yes" else 1 - yes, classes=classes)


@pytest.mark.parametrize(
    ("decision", "tie"),
    [
        (MOST_LIKELY, 0.5),
        (Decision(threshold=0.2), 0.2),
        (Decision(costs=((0.0, 1.0), (4.0, 0.0))), 0.2),
    ],
)
def test_only_two_answers_that_are_equally_good_may_change_places(decision: Decision, tie: float) -> None:
    answering = Answering(labels=("no", "yes"), decision=decision)
    assert agree(answer("yes", tie + 4e-5), answer("no", tie - 4e-5), answering)
    assert not agree(answer("yes", tie + 0.01), answer("no", tie + 0.01), answering)
    assert not agree(answer("yes", tie + 2e-4), answer("yes", tie), answering)
    assert agree(answer("yes", tie + 9e-5), answer("yes", tie), answering)


def test_another_label_than_any_does_not_agree() -> None:
    assert not agree(answer("yes", 0.5), answer("blue", 0.5), Answering(labels=("no", "yes")))


@pytest.mark.parametrize(("now", "then", "unit", "same"), [
    (1e6 + 50, 1e6, 0.0, True),
    (1e6 + 200, 1e6, 0.0, False),
    (1e-9, -1e-9, 0.0, False),
    (1e-9, -1e-9, 1.0, True),
    (0.0, 0.0, 0.0, True),
])  # fmt: skip
def test_numbers_agree_relative_to_their_size(now: float, then: float, unit: float, same: bool) -> None:
    assert agree(NumberPrediction(value=now), NumberPrediction(value=then), Answering(), unit) is same


def test_forecasts_agree_relative_to_their_largest_number() -> None:
    def forecast(*values: float, times: str = "ab") -> ForecastPrediction:
        return ForecastPrediction(times=list(times), values=list(values), quantiles={"0.5": list(values)})

    assert agree(forecast(1000.0, 0.01), forecast(1000.0, 0.02), Answering())
    assert not agree(forecast(1000.0, 0.01), forecast(1000.0, 1.0), Answering())
    assert not agree(forecast(1.0, 2.0), forecast(1.0, 2.0, times="ac"), Answering())
    assert not agree(forecast(1.0, 2.0), forecast(1.0, times="ab"), Answering())
    assert not agree(forecast(1.0, 2.0), NumberPrediction(value=1.0), Answering())
