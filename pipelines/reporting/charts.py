"""The report's plots of classes and of the search."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
from markupsafe import Markup

from pipelines.reporting.drawing import draw
from pipelines.reporting.wording import clean, metric_title
from records.evaluation import Evaluation
from records.trial import Trial, TrialState

MOST_NUMBERED = 20
"""Classes up to which the cells of a confusion matrix hold their numbers."""
MOST_NAMED = 50
"""Classes up to which its axes name them."""
NUM_SERIES_COLORS = 6


def confusion_plot(evaluation: Evaluation, labels: Sequence[str]) -> Markup:
    """The confusion matrix: each row is a true class, shaded by the share of its examples."""
    rows = [
        {"true": i, "predicted": j, "count": cell, "share": cell / sum(line), "right": i == j}
        for i, line in enumerate(evaluation.confusion)
        for j, cell in enumerate(line)
        if cell or len(labels) <= MOST_NUMBERED
        if sum(line)
    ]
    step = max(3, min(52, 620 // max(1, len(labels))))
    # the domain is given: a class without any example keeps its place
    scale = alt.Scale(domain=list(range(len(labels))), paddingInner=0.06 if step > 12 else 0, paddingOuter=0)
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "predicted:O", title="answered", axis=_class_axis(labels, step, -40 if step > 20 else -90), scale=scale
        ),
        y=alt.Y("true:O", title="true class", axis=_class_axis(labels, step, 0), scale=scale),
    )
    # the root lets a few mistakes be seen beside many right answers; up to 0.75, text of one colour stays readable
    shade = alt.Opacity(
        "share:Q", legend=None, scale=alt.Scale(type="sqrt", domain=[0, 1], range=[0.1 if step > 12 else 0.35, 0.75])
    )
    chart: Any = base.mark_rect(cornerRadius=2 if step > 12 else 0).encode(
        color=alt.condition("datum.right", alt.value("var(--cell-right)"), alt.value("var(--cell-wrong)")),
        opacity=alt.condition("datum.count == 0", alt.value(0.08), shade),
    )
    if len(labels) <= MOST_NUMBERED:
        chart += base.mark_text(fontSize=12 if step > 28 else 10).encode(
            text="count:Q",
            color=alt.value("var(--ink)"),
            opacity=alt.condition("datum.count > 0", alt.value(1), alt.value(0.35)),
        )
    return draw(chart.properties(width=alt.Step(step), height=alt.Step(step)), grid=False)


def learning_plot(trials: Sequence[Trial], objective: str, winner: int) -> Markup:
    """Each trial's validation score over its seconds; the winner stands out. Empty without two epochs anywhere."""
    rows = [
        {"trial": t.number, "seconds": e.seconds, "score": e.score, "space": clean(t.space), "won": t.number == winner}
        for t in trials
        for e in t.epochs
    ]
    if not any(len(trial.epochs) > 1 for trial in trials):
        return Markup("")
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "seconds:Q", title="seconds since the trial began", axis=alt.Axis(tickCount=6), scale=alt.Scale(zero=True)
        ),
        y=alt.Y("score:Q", title=f"validation {metric_title(objective)}", scale=alt.Scale(zero=False)),
        color=_space_color(trials),
        detail="trial:N",
    )
    others = base.transform_filter("!datum.won").mark_line(strokeWidth=1.2, opacity=0.4, interpolate="monotone")
    best = base.transform_filter("datum.won").mark_line(strokeWidth=3, interpolate="monotone")
    dots = base.transform_filter("datum.won").mark_point(size=22, filled=True, opacity=1)
    return draw((others + best + dots).properties(width=720, height=270))


def search_plot(trials: Sequence[Trial], objective: str, winner: int) -> Markup:
    """Each trial's score in the order of the search, one colour for each space. The winner has a ring; the point of a
    trial that was stopped early is hollow."""
    rows = [
        {"trial": t.number, "score": t.score, "space": clean(t.space), "won": t.number == winner}
        | {"early": t.state is TrialState.PRUNED}
        for t in trials
        if t.scored
    ]
    if len(rows) < 2:
        return Markup("")
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "trial:Q", title="trial", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(padding=14, nice=False)
        ),
        y=alt.Y(
            "score:Q",
            title=f"validation {metric_title(objective)}",
            scale=alt.Scale(zero=False, padding=14, nice=False),
        ),
        color=_space_color(trials),
    )
    points = base.transform_filter("!datum.early").mark_point(size=60, filled=True, opacity=0.85)
    hollow = base.transform_filter("datum.early").mark_point(size=45, strokeWidth=1.6, filled=False, opacity=0.85)
    ring = base.transform_filter("datum.won").mark_point(size=220, strokeWidth=2, filled=False, opacity=1)
    return draw((points + hollow + ring).properties(width=720, height=210))


def _space_color(trials: Sequence[Trial]) -> alt.Color:
    spaces = list(dict.fromkeys(clean(trial.space) for trial in trials))
    colors = [f"var(--series-{1 + i % NUM_SERIES_COLORS})" for i in range(len(spaces))]
    legend = alt.Legend(
        title=None, orient="top", columnPadding=28, symbolType="circle", symbolOpacity=1, symbolStrokeWidth=0
    )
    return alt.Color("space:N", scale=alt.Scale(domain=spaces, range=colors), legend=legend)


def _class_axis(labels: Sequence[str], step: int, angle: int) -> alt.Axis:
    if len(labels) > MOST_NAMED:
        return alt.Axis(labels=False, ticks=False)
    # indices on the axis, and names as a constant of the expression: two long names that look alike stay two classes
    names = json.dumps([clean(label) for label in labels])
    return alt.Axis(
        labelExpr=f"{names}[datum.value]",
        labelLimit=130,
        labelAngle=angle,
        labelFontSize=12 if step > 14 else 9,
        labelOverlap=False,
        ticks=False,
        domain=False,
    )
