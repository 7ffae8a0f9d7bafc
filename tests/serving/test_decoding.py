import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from records.api import ForecastPrediction, NumberPrediction, Prediction
from records.errors import BundleError
from records.task import MOST_LIKELY, TASKS, Decision
from serving.decoding import DECODINGS, Answering, classification, decide, forecasting, regression, shortest

LABELS = Answering(labels=("a", "b", "c", "d", "e"))
QUANTILES = Answering(quantiles=(0.1, 0.5, 0.9))


def classify(probabilities: np.ndarray, answering: Answering = LABELS, top_k: int | None = None) -> list[Prediction]:
    answers = classification(probabilities, answering, top_k)
    assert all(isinstance(one, Prediction) for one in answers)
    return answers  # type: ignore[return-value]


def test_every_task_has_a_decoding() -> None:
    assert DECODINGS.keys() == TASKS.keys()


def test_classification_lists_the_most_likely_classes_first() -> None:
    probabilities = np.array([[0.1, 0.2, 0.4, 0.05, 0.25], [0.7, 0.1, 0.1, 0.05, 0.05]], np.float32)
    first, second = classify(probabilities, top_k=2)
    assert (first.label, first.probability) == ("c", 0.4)
    assert [(one.label, one.probability) for one in first.classes] == [("c", 0.4), ("e", 0.25)]
    assert [one.label for one in second.classes] == ["a", "b"]  # of equally likely ones, the earlier


@pytest.mark.parametrize("top_k", [None, 5, 99])
def test_classification_lists_all_classes_when_asked_for_as_many_or_more(top_k: int | None) -> None:
    [answer] = classify(np.full((1, 5), 0.2, np.float32), top_k=top_k)
    assert [one.label for one in answer.classes] == list(LABELS.labels)


def test_classification_keeps_a_softmax_that_passes_one_within_bounds() -> None:
    [answer] = classify(np.array([[1.0000001, 0, 0, 0, 0]], np.float32), top_k=1)
    assert answer.probability == 1.0


def test_the_label_follows_the_decision_and_the_probability_is_its_own() -> None:
    answering = Answering(labels=("no", "yes"), decision=Decision(threshold=0.25))
    first, second = classify(np.array([[0.7, 0.3], [0.8, 0.2]], np.float32), answering)
    assert (first.label, first.probability) == ("yes", 0.3)
    assert [one.label for one in first.classes] == ["no", "yes"]  # still by their probability
    assert (second.label, second.probability) == ("no", 0.8)
    [answer] = classify(np.array([[0.7, 0.3]], np.float32), answering, top_k=1)
    assert (answer.label, [one.label for one in answer.classes]) == ("yes", ["no"])


def test_a_threshold_is_exact() -> None:
    threshold = float(np.float32(0.3))
    probabilities = np.array([[0, 0.3], [0, np.nextafter(np.float32(0.3), np.float32(0))]], np.float32)
    assert decide(probabilities, Decision(threshold=threshold)).tolist() == [1, 0]
    assert decide(probabilities, Decision(threshold=0.0)).tolist() == [1, 1]


def test_of_equally_good_classes_the_earlier_is_answered() -> None:
    assert decide(np.full((1, 3), 1 / 3), MOST_LIKELY).tolist() == [0]
    assert decide(np.full((1, 2), 0.5), Decision(costs=((0, 2), (2, 0)))).tolist() == [0]


@given(
    hnp.arrays(np.float64, (7, 3), elements=st.floats(0, 1)), hnp.arrays(np.float64, (3, 3), elements=st.floats(0, 9))
)
def test_costs_answer_the_class_with_the_least_expected_cost(probabilities: np.ndarray, costs: np.ndarray) -> None:
    answered = decide(probabilities, Decision(costs=tuple(map(tuple, costs.tolist()))))
    for row, choice in zip(probabilities, answered, strict=True):
        expected = [sum(row[true] * costs[true, answer] for true in range(3)) for answer in range(3)]
        assert expected[choice] <= min(expected) + 1e-9


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_a_finite_number_is_refused(value: float) -> None:
    for decoding, shape, answering in (
        (classification, (1, 5), LABELS),
        (regression, (1, 1), Answering()),
        (forecasting, (1, 2, 3), QUANTILES),
    ):
        with pytest.raises(BundleError, match="not finite numbers"):
            decoding(np.full(shape, value, np.float32), answering)


def test_outputs_of_another_shape_are_refused() -> None:
    with pytest.raises(BundleError, match=r"Expected \[batch, 5\] numbers. Received: \[2, 3\]"):
        classification(np.zeros((2, 3), np.float32), LABELS)
    with pytest.raises(BundleError, match=r"its target. Expected \[batch, 1\] numbers. Received: \[2, 2\]"):
        regression(np.zeros((2, 2), np.float32), Answering())
    with pytest.raises(BundleError, match=r"its quantiles. Expected \[batch, horizon, 3\] .* Received: \[2, 3\]"):
        forecasting(np.zeros((2, 3), np.float32), QUANTILES)


def test_a_decision_for_other_classes_is_refused() -> None:
    for decision in (Decision(threshold=0.5), Decision(costs=((0, 1), (1, 0)))):
        with pytest.raises(BundleError, match="Package the model again"):
            classify(np.full((1, 5), 0.2, np.float32), Answering(labels=LABELS.labels, decision=decision))


def test_regression_gives_the_number_as_short_as_it_is_exact() -> None:
    answers = regression(np.array([[0.1], [-1234567.9], [0], [3e38]], np.float32), Answering())
    assert answers == [NumberPrediction(value=value) for value in (0.1, -1234567.9, 0.0, 3e38)]


@given(hnp.arrays(np.float32, 9, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_the_shortest_number_is_the_same_number(values: np.ndarray) -> None:
    np.testing.assert_array_equal(np.array(shortest(values), np.float32), values)


def test_quantiles_never_cross() -> None:
    outputs = np.array([[[3, 1, 2], [1, 2, 3]]], np.float32)
    [answer] = forecasting(outputs, QUANTILES, times=[["2024-01-01", "2024-01-02"]])
    assert answer == ForecastPrediction(
        times=["2024-01-01", "2024-01-02"],
        values=[2.0, 2.0],
        quantiles={"0.1": [1.0, 1.0], "0.5": [2.0, 2.0], "0.9": [3.0, 3.0]},
    )


def test_steps_without_times_are_numbered() -> None:
    [answer] = forecasting(np.zeros((1, 3, 1), np.float32), Answering(quantiles=(0.5,)))
    assert isinstance(answer, ForecastPrediction) and answer.times == ["1", "2", "3"]
    with pytest.raises(BundleError, match="gives no median. Its quantiles: 0.1"):
        forecasting(np.zeros((1, 3, 1), np.float32), Answering(quantiles=(0.1,)))
