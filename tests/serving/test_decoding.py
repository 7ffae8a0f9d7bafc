import numpy as np
import pytest

from records.errors import BundleError
from records.task import TASKS
from serving.decoding import DECODINGS, classification

LABELS = ("a", "b", "c", "d", "e")


def test_every_task_has_a_decoding() -> None:
    assert DECODINGS.keys() == TASKS.keys()


def test_classification_lists_the_most_likely_classes_first() -> None:
    probabilities = np.array([[0.1, 0.2, 0.4, 0.05, 0.25], [0.7, 0.1, 0.1, 0.05, 0.05]], np.float32)
    first, second = classification(probabilities, LABELS, 2)
    assert (first.label, first.probability) == ("c", 0.4)
    assert [(one.label, one.probability) for one in first.classes] == [("c", 0.4), ("e", 0.25)]
    assert [one.label for one in second.classes] == ["a", "b"]  # of equally likely ones, the earlier


@pytest.mark.parametrize("top_k", [None, 5, 99])
def test_classification_lists_all_classes_when_asked_for_as_many_or_more(top_k: int | None) -> None:
    [answer] = classification(np.full((1, 5), 0.2, np.float32), LABELS, top_k)
    assert [one.label for one in answer.classes] == list(LABELS)


def test_classification_keeps_a_softmax_that_passes_one_within_bounds() -> None:
    [answer] = classification(np.array([[1.0000001, 0, 0, 0, 0]], np.float32), LABELS, 1)
    assert answer.probability == 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_classification_refuses_what_is_not_a_finite_number(value: float) -> None:
    with pytest.raises(BundleError, match="not finite numbers"):
        classification(np.array([[value, 0, 0, 0, 0]], np.float32), LABELS)


def test_classification_refuses_another_number_of_classes() -> None:
    with pytest.raises(BundleError, match=r"Expected \[batch, 5\] probabilities. Received: \[2, 3\]"):
        classification(np.zeros((2, 3), np.float32), LABELS)
