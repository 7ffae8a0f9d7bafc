"""Which test examples the report shows, and how."""

from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from pipelines import evaluate
from pipelines.measuring.truth import Answered, Truth
from pipelines.reporting.examples import mistakes, pairs, windows
from records.data import DataSpec, InputKind, Prepared, Split
from records.evaluation import Evaluation
from records.spec import ForecastLayout, SeriesLayout, TextLayout
from records.task import Decision

EVALUATION = Evaluation(num_examples=4, objective="accuracy", metrics={}, comparisons=())
LAYOUT = ForecastLayout(history=200, horizon=4, season=2, quantiles=(0.1, 0.5, 0.9), past=(), known=())


def prepared_of(spec: DataSpec, inputs: np.ndarray, codec: dict[str, Any] | None = None) -> Prepared:
    return Prepared(
        fingerprint="f",
        folder=Path(),
        spec=spec,
        codec=codec or {},
        inputs=inputs,
        targets=np.zeros(len(inputs)),
        ids=[f"line {i}" for i in range(len(inputs))],
        indices={Split.TEST: np.arange(2, len(inputs))},
    )


def reading_of(prepared: Prepared, targets: np.ndarray, predictions: np.ndarray, **truth: Any) -> evaluate.TestReading:
    answered = Answered(Truth(targets=targets, **truth), predictions)
    return evaluate.TestReading(evaluation=EVALUATION, rows=prepared.indices[Split.TEST], answered=answered)


def test_texts_are_shown_as_the_model_reads_them() -> None:
    tokenizer = Tokenizer(models.WordLevel({"[PAD]": 0, "free": 1, "entry": 2, "ok": 3}, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    spec = DataSpec(
        kind=InputKind.TEXT,
        input_shape=(90,),
        dtype="int32",
        labels=("ham", "spam"),
        label_counts=(5, 5),
        layout=TextLayout(vocabulary=4, tokenizer="learnt"),
    )
    inputs = np.zeros((6, 90), np.int32)
    inputs[3, :2] = 1, 2
    inputs[5, :] = 2
    prepared = prepared_of(spec, inputs, {"kind": "text", "tokenizer_json": tokenizer.to_str()})
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.2, 0.8]], np.float32)
    truth = {"targets": np.array([0, 1, 1, 0]), "predictions": probabilities}
    shown = mistakes(prepared, reading_of(prepared, **truth))
    assert [(one.id, one.true, one.predicted) for one in shown] == [
        ("line 5", "ham", "spam"),
        ("line 3", "spam", "ham"),
    ]
    assert shown[1].text == "free entry" and shown[1].probability == np.float32(0.7)
    assert len(shown[0].text) == 300 and shown[0].text.endswith("…")
    moved = mistakes(prepared, reading_of(prepared, **truth, decision=Decision(threshold=0.25)))
    assert [one.id for one in moved] == ["line 5"]


def test_series_are_shown_to_their_end() -> None:
    spec = DataSpec(
        kind=InputKind.SERIES,
        input_shape=(7, 3),
        dtype="float32",
        labels=("a", "b"),
        label_counts=(5, 5),
        layout=SeriesLayout(channels=("x", "y")),
    )
    inputs = np.ones((3, 7, 3), np.float32)
    inputs[2, 5:] = 0
    prepared = prepared_of(spec, inputs)
    (one,) = mistakes(prepared, reading_of(prepared, np.array([1]), np.array([[0.8, 0.2]], np.float32)))
    assert one.series is not None and one.series.shape == (5, 2)


def test_numbers_that_are_furthest_off_come_first() -> None:
    spec = DataSpec(kind=InputKind.TABLE, input_shape=(2,), dtype="float32", task="regression", target="price")
    prepared = prepared_of(spec, np.zeros((5, 2), np.float32))
    reading = reading_of(prepared, np.array([10.0, 20.0, 30.0]), np.array([[11.0], [17.5], [30.0]], np.float32))
    told = [(one.id, one.true, one.predicted, one.off) for one in mistakes(prepared, reading)]
    assert told == [
        ("line 3", "20.00", "17.50", "2.500"),
        ("line 2", "10.00", "11.00", "1.000"),
        ("line 4", "30.00", "30.00", "0.000"),
    ]
    both = pairs(prepared, reading)
    assert both is not None and both.predicted.tolist() == [11.0, 17.5, 30.0]
    assert windows(prepared, reading) == ()


def test_windows_are_the_best_the_middle_and_the_worst_in_the_targets_unit() -> None:
    spec = DataSpec(kind=InputKind.FORECAST, input_shape=(204, 4), dtype="float32", task="forecasting", layout=LAYOUT)
    inputs = np.zeros((5, 204, 4), np.float32)
    inputs[:, :200, 0] = np.linspace(-1, 1, 200)
    inputs[:, :200, -3] = 1
    inputs[:, 190, -3] = 0
    inputs[..., -2], inputs[..., -1] = 50.0, 10.0
    prepared = prepared_of(spec, inputs)
    targets = np.full((3, 4), 60.0)
    predictions = targets[..., None] + np.array([3.0, 1.0, 2.0])[:, None, None] + np.array([-1.0, 0.0, 1.0])
    reading = reading_of(prepared, targets, predictions, naive_errors=np.full(3, 2.0), quantiles=LAYOUT.quantiles)
    shown = windows(prepared, reading)
    assert [(one.id, one.error) for one in shown] == [("line 3", 0.5), ("line 4", 1.0), ("line 2", 1.5)]
    assert len(shown[0].past) == 48
    assert shown[0].past[-1] == 60.0 and np.isnan(shown[0].past[-10])
    assert shown[0].low.tolist() == [60.0] * 4 and shown[0].high.tolist() == [62.0] * 4
    assert mistakes(prepared, reading) == () and pairs(prepared, reading) is None
