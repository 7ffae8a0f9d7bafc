"""The work of a prediction as steps, so that each can run where it is cheapest: in a thread of its own, or on the event
loop with the network elsewhere.

A handler that needs the network is a generator. What it yields says what it needs next, and it is sent the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

import numpy as np

Outputs = tuple[np.ndarray, np.ndarray]
"""Predictions and embeddings, each `<float32>[batch, ...]`."""
T = TypeVar("T")
Working = Generator[Sequence[np.ndarray] | None, Outputs | None, T]
"""Yields encoded inputs, and is sent the network's outputs for them; or yields `None`: what follows may take long, and
is not for the event loop."""


def drive(work: Working[T], run: Callable[[Sequence[np.ndarray]], Outputs], asked: Sequence[np.ndarray] | None) -> T:
    """Goes on with work that has begun, to its end.

    Args:
        work: Its first `next`, or a later step, gave `asked`.
        run: The network.
        asked: What it waits for.
    """
    try:
        while True:
            asked = work.send(None if asked is None else run(asked))
    except StopIteration as end:
        outcome: T = end.value
        return outcome


def work_off(work: Working[T], run: Callable[[Sequence[np.ndarray]], Outputs]) -> T:
    """All of it, here and now."""
    try:
        asked = next(work)
    except StopIteration as end:
        outcome: T = end.value
        return outcome
    return drive(work, run, asked)
