"""Made-up runs of every task and kind of input, built from the one of pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pipelines.reporting.facts import Mistake, Pairs, ReportFacts, Window
from pipelines.reporting.kinds import next_commands
from records.data import DataSpec, Finding, InputKind, Severity
from records.evaluation import Comparison, Evaluation, Figure
from records.spec import ColumnKind, ForecastLayout, Layout, SeriesLayout, Slot, TableLayout, TextLayout
from records.task import Decision

Make = Callable[..., ReportFacts]

LAYOUT = ForecastLayout(
    history=96, horizon=24, season=24, quantiles=(0.1, 0.5, 0.9), past=("load",), known=("hour", "weekday")
)
SLOTS = (
    Slot(name="carat", kind=ColumnKind.NUMBER, start=0, stop=1),
    Slot(name="cut", kind=ColumnKind.CATEGORY, start=1, stop=2, size=7),
    Slot(name="color", kind=ColumnKind.CATEGORY, start=2, stop=3, size=9),
)
SHAPES: dict[InputKind, tuple[int, ...]] = {
    InputKind.TEXT: (64,),
    InputKind.SERIES: (150, 2),
    InputKind.TABLE: (3,),
    InputKind.FORECAST: (120, 8),
}
LAYOUTS: dict[InputKind, Layout] = {
    InputKind.TEXT: TextLayout(vocabulary=900, tokenizer="learnt"),
    InputKind.SERIES: SeriesLayout(channels=("x",)),
    InputKind.TABLE: TableLayout(slots=SLOTS),
    InputKind.FORECAST: LAYOUT,
}
NAMES = {"text": "sms-spam", "series": "gunpoint", "table": "diamonds", "forecast": "etth1"}
SAMPLES: dict[str, dict[str, Any]] = {
    "text": {"text": "Ok lar... Joking wif u oni..."},
    "series": {"series": [round(float(np.sin(i / 9)), 3) for i in range(150)]},
    "table": {"row": {"carat": 0.23, "cut": "Ideal", "color": None}},
    "forecast": {"history": [{"date": f"2018-06-{i % 28 + 1:02d}", "OT": 8.1} for i in range(96)]},
}
DONE = "They were left out."


def classes_of(make: Make, kind: InputKind, labels: tuple[str, ...] = ("ham", "spam"), **fields: Any) -> ReportFacts:
    """Classification of texts, series or rows."""
    facts = make(labels=labels, **{"support": 211, **_shared(kind, labels), **fields})
    texts = ("free entry in 2 a wkly comp to win fa cup final tkts 21st may 2005.", "ok lar joking wif u oni", "hello")
    time = np.linspace(0, 9, 150)
    shown = tuple(
        Mistake(
            true=labels[i % 2],
            predicted=labels[1 - i % 2],
            probability=0.99 - 0.07 * i,
            id=f"line {17 * i + 3}",
            text=texts[i % 3] * (1 + i % 2) if kind is InputKind.TEXT else "",
            series=np.sin(time + i)[:, None] if kind is InputKind.SERIES else None,
        )
        for i in range(5)
    )
    return _with(facts, kind, {"mistakes": shown, **fields}, {})


def decided(facts: ReportFacts, decision: Decision) -> ReportFacts:
    """The same model with another way of making an answer."""
    return _with(facts, facts.spec.kind, {}, {"decision": decision})


def numbers_of(make: Make, kind: InputKind = InputKind.TABLE, **fields: Any) -> ReportFacts:
    """Regression."""
    rng = np.random.default_rng(3)
    true = rng.lognormal(8, 0.9, 1800)
    predicted = true * rng.lognormal(0, 0.12, 1800)
    shared = _shared(kind, ())
    spec = DataSpec(
        kind=kind,
        input_shape=SHAPES[kind],
        dtype="float32",
        task="regression",
        target="price",
        num_train=8300,
        target_mean=3900.0,
        target_std=3900.0,
        layout=LAYOUTS[kind],
    )
    worst = tuple(
        Mistake(true=f"{14310 - 900 * i:,}", predicted=f"{9211 - 100 * i:,}", off=f"{5099 - 800 * i:,}", id=f"row {i}")
        for i in range(6)
    )
    facts = make(**{**shared, "spec": spec, "class_counts": {}, **fields})
    told = {"pairs": Pairs(true=true, predicted=predicted), "mistakes": worst, **fields}
    metrics = {"rmse": (612.4, 560.1, 671.9), "mae": (311.2, 301.7, 322.0), "r2": (0.9743, 0.969, 0.979)}
    evaluation = evaluation_of("rmse", metrics, (("floor", 1204.1, 592.0), ("mean", 3987.2, 3374.8)), 1800)
    return _with(facts, kind, told, {"task": "regression", "evaluation": evaluation, "labels": ()})


def futures_of(make: Make, space: str = "transformer", **fields: Any) -> ReportFacts:
    """Forecasting."""
    rng = np.random.default_rng(3)
    kind = InputKind.FORECAST
    spec = DataSpec(
        kind=kind, input_shape=SHAPES[kind], dtype="float32", task="forecasting", target="OT", num_train=9000,
        layout=LAYOUT,
    )  # fmt: skip
    facts = make(**{**_shared(kind, ()), "spec": spec, "class_counts": {}, "mistakes": (), **fields})
    windows = tuple(_window(rng, title, noise) for title, noise in (("The best", 0.2), ("The worst", 1.6)))
    metrics = {
        "mase": (0.71, 0.66, 0.77),
        "mae": (1.31, 1.2, 1.45),
        "rmse": (1.91, 1.8, 2.07),
        "pinball": (0.21, 0.19, 0.24),
        "coverage": (0.742, 0.71, 0.77),
    }
    comparisons = (("floor", 1.02, 0.31),)
    steps = tuple(Figure(value=0.5 + 0.05 * i, low=0.4 + 0.05 * i, high=0.62 + 0.06 * i) for i in range(24))
    evaluation = evaluation_of("mase", metrics, comparisons, 540).model_copy(
        update={
            "per_step": steps,
            "num_clusters": 14,
            "intervals": "95 % percentile bootstrap, 2000 resamples of the 14 groups",
        }
    )
    manifest = {"task": "forecasting", "evaluation": evaluation, "labels": (), "quantiles": LAYOUT.quantiles}
    return _with(facts, kind, {"windows": windows, **fields}, manifest | {"space": space})


def evaluation_of(
    objective: str,
    metrics: dict[str, tuple[float, float, float]],
    comparisons: tuple[tuple[str, float, float], ...],
    num_examples: int,
) -> Evaluation:
    """Figures, and what they are compared with: name, its value, and by how much ours is better."""
    return Evaluation(
        num_examples=num_examples,
        objective=objective,
        metrics={name: Figure(value=v, low=low, high=high) for name, (v, low, high) in metrics.items()},
        comparisons=tuple(
            Comparison(
                baseline=name,
                metric=objective,
                baseline_value=value,
                difference=Figure(value=gain, low=0.8 * gain, high=1.2 * gain),
                better=gain > 0,
            )
            for name, value, gain in comparisons
        ),
        worst=("row 17",),
    )


def _window(rng: np.random.Generator, title: str, noise: float) -> Window:
    time = np.arange(96)
    values = 12 + 4 * np.sin(time / 24 * 2 * np.pi) + noise * rng.normal(size=96)
    past, truth = values[:72].copy(), values[72:]
    past[10:14] = np.nan
    median = truth + noise * rng.normal(size=24)
    band = np.linspace(0.4, 2.2, 24)
    return Window(
        title=title, id="from 2018-05-11 04:00", error=noise, past=past, truth=truth, median=median, low=median - band,
        high=median + band,
    )  # fmt: skip


def _shared(kind: InputKind, labels: tuple[str, ...]) -> dict[str, Any]:
    spec = DataSpec(
        kind=kind,
        input_shape=SHAPES[kind],
        dtype="int32" if kind is InputKind.TEXT else "float32",
        labels=labels,
        label_counts=(900,) * len(labels),
        layout=LAYOUTS[kind],
    )
    what = f"12 {'texts' if kind is InputKind.TEXT else 'rows'} are the same as another."
    finding = Finding(code="exact_duplicates", severity=Severity.INFO, what=what, done=DONE, examples=("line 7",))
    return {
        "spec": spec,
        "source_name": NAMES[kind],
        "findings": (finding,),
        "understood": (),
        "sample": SAMPLES[kind],
        "commands": next_commands(NAMES[kind], kind),
    }


def _with(facts: ReportFacts, kind: InputKind, fields: dict[str, Any], manifest: dict[str, Any]) -> ReportFacts:
    """The facts with other fields; those of the manifest apart."""
    own = {"input_kind": kind.value, "input_shape": facts.spec.input_shape, "name": NAMES[kind], **manifest}
    if objective := own.get("evaluation"):
        own["objective"] = objective.objective
    given = {name: getattr(facts, name) for name in ReportFacts.__dataclass_fields__}
    return ReportFacts(**{**given, **fields, "manifest": facts.manifest.model_copy(update=own)})
