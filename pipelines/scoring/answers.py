"""Answers as columns: what `kerasmith predict` shows, prints and writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from records.api import AnyPrediction, ForecastPrediction, NumberPrediction, Prediction
from records.errors import InputError
from serving.bundle import ModelBundle
from serving.decoding import quantile_name
from serving.parsing.parameters import Options

FEW_CLASSES = 20
"""Up to so many, each class has a column with its probability."""
AT_ONCE = 2048
"""Inputs whose answers are held as objects; beyond that they are columns already."""
ERROR = "error"


@dataclass(kw_only=True)
class Columns:
    """Collects the answers to inputs, one after the other."""

    cells: dict[str, list[Any]]
    """By column; all of one length."""
    inputs: list[int] = field(default_factory=list)
    """Of each row, the position of its input: a forecast has a row for each step."""
    errors: list[str | None] = field(default_factory=list)
    failures: list[tuple[int, InputError]] = field(default_factory=list)
    """Positions of the inputs that have no answer, and why."""
    count: int = 0
    """Inputs so far."""

    def add(self, answer: AnyPrediction | InputError) -> None:
        """The answer to the next input."""
        rows: Iterator[dict[str, Any]]
        if isinstance(answer, InputError):
            self.failures.append((self.count, answer))
            rows = iter([{}])
        elif isinstance(answer, Prediction):
            rows = iter([_of_class(answer)])
        elif isinstance(answer, NumberPrediction):
            rows = iter([{"prediction": answer.value}])
        else:
            rows = _of_forecast(answer)
        for row in rows:
            self.inputs.append(self.count)
            self.errors.append(str(answer) if isinstance(answer, InputError) else None)
            for name, cells in self.cells.items():
                cells.append(row.get(name))
        self.count += 1

    def table(self) -> pa.Table:
        """The columns; `error` among them where something went wrong."""
        columns = {name: pa.array(cells, _type(name)) for name, cells in self.cells.items()}
        if "prediction" in columns and pa.types.is_null(columns["prediction"].type):
            columns["prediction"] = columns["prediction"].cast(pa.string())
        if self.failures:
            columns[ERROR] = pa.array(self.errors, pa.string())
        return pa.table(columns)


def ask(bundle: ModelBundle, batches: Iterator[Sequence[Any]]) -> Columns:
    """The model's answers to raw inputs, in their order.

    Args:
        bundle: The model.
        batches: Raw inputs, some at a time.
    """
    columns = Columns(cells={name: [] for name in titles(bundle)})
    top_k = None if len(bundle.manifest.labels) <= FEW_CLASSES else 1
    for raws in batches:
        for answer in bundle.predict_each(raws, Options(top_k=top_k)):
            columns.add(answer)
    return columns


def titles(bundle: ModelBundle) -> list[str]:
    """Of the columns that answers have, `error` aside."""
    labels, quantiles = bundle.manifest.labels, bundle.manifest.quantiles
    if quantiles:
        return ["time", "forecast", *(f"q_{quantile_name(quantile)}" for quantile in quantiles)]
    if not labels:
        return ["prediction"]
    each = [f"p_{label}" for label in labels] if len(labels) <= FEW_CLASSES else []
    return ["prediction", "probability", *each]


def _of_class(answer: Prediction) -> dict[str, Any]:
    each = {f"p_{one.label}": one.probability for one in answer.classes}
    return {"prediction": answer.label, "probability": answer.probability} | each


def _of_forecast(answer: ForecastPrediction) -> Iterator[dict[str, Any]]:
    for step, (time, value) in enumerate(zip(answer.times, answer.values, strict=True)):
        quantiles = {f"q_{name}": values[step] for name, values in answer.quantiles.items()}
        yield {"time": time, "forecast": value} | quantiles


def _type(name: str) -> pa.DataType | None:
    if name == "time":
        return pa.string()
    return None if name == "prediction" else pa.float64()
