"""Batches that a thread prepares ahead: the same ones, with the same errors, and no thread left behind."""

import threading
import time
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from pipelines.batches import prefetched, training_batches
from records.trial import Recipe
from tests.pipelines.test_batches import make_data


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.mark.parametrize("ahead", [0, 1, 2, 5])
def test_the_batches_are_those_of_one_thread(ahead: int) -> None:
    data, recipe = make_data(), Recipe(batch_size=4, flip=True, crop_fraction=0.2)
    expected = list(islice(training_batches(data, recipe, 3), 9))
    given = prefetched(training_batches(data, recipe, 3), ahead)
    for (inputs, targets), (wanted, goals) in zip(islice(given, 9), expected, strict=True):
        np.testing.assert_array_equal(inputs, wanted)
        np.testing.assert_array_equal(targets, goals)
    given.close()  # type: ignore[attr-defined]
    assert threads() == []


def test_at_most_so_many_are_made_ahead() -> None:
    made = []

    def count() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    given = prefetched(count(), 2)
    assert [next(given), next(given)] == [0, 1]
    time.sleep(0.2)
    # two wait in the queue, and one for room in it
    assert len(made) == 5
    given.close()  # type: ignore[attr-defined]
    assert len(made) <= 6
    assert threads() == []


def test_what_ends_ends_and_what_raises_is_raised_at_its_turn() -> None:
    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("the disk is gone")

    assert list(prefetched(iter(range(7)), 2)) == list(range(7))
    given = prefetched(failing(), 2)
    assert [next(given), next(given)] == [1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(given)
    assert threads() == []


def test_one_that_is_forgotten_leaves_no_thread() -> None:
    given = prefetched(iter(int, 1), 2)
    next(given)
    assert len(threads()) == 1
    del given
    assert threads() == []
