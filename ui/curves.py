"""The page's charts: from plain values to Altair, and from Altair to the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import streamlit as st

from records.api import ClassProbability
from records.trial import Trial
from ui.colors import Palette, palette
from ui.words import clean, metric_title, number, percent, short

Chart = alt.Chart | alt.LayerChart | alt.FacetChart

MOST_POINTS = 2000
"""Steps of a line that are drawn; a screen shows no more."""
LABEL_INSIDE = 0.85
"""Probability from which the figure stands in its bar: beside it there is no room."""
MOST_CHANNELS = 6
"""Channels that are drawn; there are as many colours."""


def draw(chart: Chart, description: str, height: int) -> None:
    """Shows a chart over the whole width.

    Args:
        chart: With its data inside.
        description: Read aloud where the chart cannot be seen.
        height: In pixels.
    """
    colors = palette()
    axis = {"labelColor": colors.muted, "titleColor": colors.muted, "gridColor": colors.line}
    chart = (
        chart.configure(background="transparent")
        .configure_axis(**axis, domainColor=colors.line, tickColor=colors.line, titleFontWeight="normal")
        .configure_view(stroke=None)
        .configure_legend(labelColor=colors.ink, titleColor=colors.muted, orient="top", symbolOpacity=1)
    )
    st.vega_lite_chart(spec=_wrapped(chart.to_dict()), width="stretch", height=height, alt=description)


def _wrapped(spec: dict[str, Any]) -> dict[str, Any]:
    """The chart as the only layer of another: Streamlit would load pandas for data at the top."""
    inner = {name: spec.pop(name) for name in ("data", "layer", "mark", "encoding", "transform") if name in spec}
    return spec | {"layer": [inner]}


def probability_bars(classes: Sequence[ClassProbability], answer: str) -> Chart:
    """The most likely classes as horizontal bars; the answer's stands out."""
    colors = palette()
    rows = [
        {"place": i, "label": short(c.label, 28), "probability": c.probability, "told": percent(c.probability)}
        | {"is_answer": c.label == answer}
        for i, c in enumerate(classes)
    ]
    names = [short(c.label, 28) for c in classes]
    base = alt.Chart(alt.Data(values=rows)).encode(
        # by place: two long names that are cut to the same text stay two classes
        y=alt.Y("place:O", title=None, axis=_name_axis(names, colors)),
        x=alt.X(
            "probability:Q", title="probability", axis=alt.Axis(format="%", tickCount=5), scale=alt.Scale(domain=[0, 1])
        ),
    )
    bars = base.mark_bar(cornerRadiusEnd=3, height={"band": 0.72}).encode(
        color=alt.condition("datum.is_answer", alt.value(colors.series[0]), alt.value(colors.muted)),
        opacity=alt.condition("datum.is_answer", alt.value(1.0), alt.value(0.45)),
        tooltip=[alt.Tooltip("label:N", title="class"), alt.Tooltip("told:N", title="probability")],
    )
    inside = f"datum.probability > {LABEL_INSIDE}"
    figures = base.encode(text="told:N", color=alt.value(colors.ink))
    beside = figures.transform_filter(f"!({inside})").mark_text(align="left", dx=6, fontSize=12)
    within = figures.transform_filter(inside).mark_text(align="right", dx=-8, fontSize=12)
    return bars + beside + within.encode(color=alt.value(colors.paper))


def _name_axis(names: Sequence[str], colors: Palette) -> alt.Axis:
    return alt.Axis(
        labelExpr=f"{json.dumps(list(names))}[datum.value]",
        labelLimit=220,
        labelFontSize=13,
        labelColor=colors.ink,
        labelOverlap=False,
        ticks=False,
        domain=False,
        grid=False,
    )


def series_lines(values: Sequence[Sequence[float | None]], channels: Sequence[str]) -> Chart:
    """A series of `[steps][channels]` as a line for each channel."""
    colors = palette()
    shown = min(len(channels), MOST_CHANNELS)
    stride = -(-len(values) // MOST_POINTS)
    names = [short(channels[i], 24) or f"channel {i + 1}" for i in range(shown)]
    rows = [
        {"step": step, "value": values[step][i], "channel": names[i]}
        for i in range(shown)
        for step in range(0, len(values), stride)
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("step:Q", title="step", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(nice=False)),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
        color=alt.Color(
            "channel:N",
            scale=alt.Scale(domain=names, range=list(colors.series[:shown])),
            legend=alt.Legend(title=None) if shown > 1 else None,
        ),
        tooltip=["channel:N", "step:Q", "value:Q"],
    )
    return alt.layer(base.mark_line(strokeWidth=1.8))


def learning_curves(trials: Sequence[Trial], objective: str, winner: int | None) -> Chart | None:
    """Each trial's validation score over its seconds; the best one's line is bold. `None` where there is none yet."""
    colors = palette()
    rows = [
        {"trial": t.number, "seconds": e.seconds, "score": e.score, "space": clean(t.space), "won": t.number == winner}
        | {"epoch": e.epoch, "told": number(e.score)}
        for t in trials
        for e in t.epochs
    ]
    if not rows:
        return None
    spaces = list(dict.fromkeys(clean(trial.space) for trial in trials if trial.epochs))
    range_ = [colors.series[i % len(colors.series)] for i in range(len(spaces))]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("seconds:Q", title="seconds since the trial began", axis=alt.Axis(tickCount=8)),
        y=alt.Y("score:Q", title=f"validation {metric_title(objective)}", scale=alt.Scale(zero=False)),
        color=alt.Color("space:N", scale=alt.Scale(domain=spaces, range=range_), legend=alt.Legend(title=None)),
        detail="trial:N",
        tooltip=["trial:N", "space:N", "epoch:Q", alt.Tooltip("told:N", title=metric_title(objective))],
    )
    lines = []
    if not all(row["won"] for row in rows):  # a layer without rows makes Vega complain
        others = base.transform_filter("!datum.won")
        lines += [others.mark_line(strokeWidth=1.3, opacity=0.5), others.mark_point(size=14, filled=True, opacity=0.5)]
    if any(row["won"] for row in rows):
        best = base.transform_filter("datum.won")
        lines += [best.mark_line(strokeWidth=3.2), best.mark_point(size=42, filled=True, opacity=1)]
    return alt.layer(*lines)
