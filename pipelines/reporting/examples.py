"""The test examples that the report shows: the worst answers, pairs of numbers, and windows with their forecasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from pipelines.measuring.numbers import absolute_errors, scaled_errors
from pipelines.measuring.worst import confidences, worst_first
from pipelines.reporting.facts import Mistake, Pairs, Window
from pipelines.reporting.wording import number
from records.data import InputKind, Prepared, Split
from records.task import TASKS, TargetKind

if TYPE_CHECKING:
    from pipelines.evaluate import TestReading

NUM_MISTAKES = 8
LONGEST_TEXT = 300
"""Characters of a text that is shown."""
SHOWN_PAST = 3
"""Horizons of the past that the plot of a forecast shows at most."""
FEWEST_SHOWN = 48
"""Steps of it that are shown where there are so many, however short the horizon is."""


def count_classes(prepared: Prepared) -> dict[str, tuple[int, ...]]:
    """Examples of each class in each split, in the order train, validation, test; empty where there are no classes."""
    targets, num_classes = np.asarray(prepared.targets), prepared.spec.num_classes
    if not num_classes:
        return {}
    return {
        split.value: tuple(np.bincount(targets[np.asarray(prepared.indices[split])], minlength=num_classes).tolist())
        for split in Split
        if split in prepared.indices
    }


def mistakes(prepared: Prepared, reading: TestReading) -> tuple[Mistake, ...]:
    """The classes that were answered wrongly with the most confidence, or the numbers that were furthest off."""
    task = TASKS[prepared.spec.task]
    if task.target is TargetKind.FUTURE:
        return ()
    worst = worst_first(task, reading.answered)[:NUM_MISTAKES]
    make = _wrong_class if task.target is TargetKind.CLASS else _wrong_number
    return tuple(make(prepared, reading, int(i)) for i in worst)


def _wrong_class(prepared: Prepared, reading: TestReading, i: int) -> Mistake:
    labels, answered = prepared.spec.labels, reading.answered
    pixels, text, series = _shown(prepared, int(reading.rows[i]))
    return Mistake(
        true=labels[reading.targets[i]],
        predicted=labels[answered.classes[i]],
        probability=float(confidences(answered)[i]),
        id=prepared.ids[int(reading.rows[i])],
        pixels=pixels,
        text=text,
        series=series,
    )


def _wrong_number(prepared: Prepared, reading: TestReading, i: int) -> Mistake:
    pixels, text, series = _shown(prepared, int(reading.rows[i]))
    return Mistake(
        true=number(float(reading.targets[i])),
        predicted=number(float(reading.answered.points[i])),
        off=number(float(absolute_errors(reading.answered)[i])),
        id=prepared.ids[int(reading.rows[i])],
        pixels=pixels,
        text=text,
        series=series,
    )


def _shown(prepared: Prepared, row: int) -> tuple[np.ndarray | None, str, np.ndarray | None]:
    """An example as a picture, a text or a series, whichever it is; rows of tables are shown by their names alone."""
    array = np.asarray(prepared.inputs[row])
    if prepared.spec.kind is InputKind.IMAGE:
        return array, "", None
    if prepared.spec.kind is InputKind.TEXT:
        return None, read_text(prepared.codec, array), None
    if prepared.spec.kind is InputKind.SERIES:
        return None, "", array[array[:, -1] > 0, :-1]
    return None, "", None


def read_text(codec: dict[str, object], tokens: np.ndarray) -> str:
    """A text as the model reads it, at most 300 characters.

    Args:
        codec: Of texts, as `codec.json` holds it.
        tokens: `<int32>[max_tokens]`, zeros after the last.
    """
    text = Tokenizer.from_str(str(codec["tokenizer_json"])).decode([int(token) for token in tokens if token])
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def pairs(prepared: Prepared, reading: TestReading) -> Pairs | None:
    """What the plot of predictions shows; `None` where the answer is no number."""
    if TASKS[prepared.spec.task].target is not TargetKind.NUMBER:
        return None
    return Pairs(true=reading.targets.astype(np.float64), predicted=reading.answered.points)


def windows(prepared: Prepared, reading: TestReading) -> tuple[Window, ...]:
    """The best, the median and the worst forecast of the test split; none where nothing is forecast."""
    if prepared.spec.kind is not InputKind.FORECAST:
        return ()
    errors = scaled_errors(reading.answered)
    order = np.argsort(errors, kind="stable")
    chosen = {"The best": order[0], "The one in the middle": order[len(order) // 2], "The worst": order[-1]}
    return tuple(_window(prepared, reading, title, int(i), float(errors[i])) for title, i in chosen.items())


def _window(prepared: Prepared, reading: TestReading, title: str, i: int, error: float) -> Window:
    layout = prepared.spec.forecast
    array = np.asarray(prepared.inputs[reading.rows[i]], np.float64)
    shown = min(layout.history, max(SHOWN_PAST * layout.horizon, FEWEST_SHOWN))
    past = array[layout.history - shown : layout.history]
    said = reading.predictions[i].astype(np.float64)
    return Window(
        title=title,
        id=prepared.ids[int(reading.rows[i])],
        error=error,
        past=np.where(past[:, -3] > 0, past[:, 0] * past[:, -1] + past[:, -2], np.nan),
        truth=reading.targets[i].astype(np.float64),
        median=said[:, layout.median],
        low=said[:, 0],
        high=said[:, -1],
    )
