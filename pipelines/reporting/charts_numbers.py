"""The report's plots of numbers, of futures and of series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
from markupsafe import Markup

from pipelines.reporting.drawing import draw
from pipelines.reporting.facts import Pairs, Window
from pipelines.reporting.wording import clean
from records.evaluation import Figure

MOST_POINTS = 600
"""Of the plot of predictions: more only cover each other, and make the page large."""
MOST_STEPS, MOST_CHANNELS = 200, 6
"""Of the small plot of a series."""
WIDTH, HEIGHT = 240, 80
"""Of it, in its own units."""
LINE_COLORS = {"past": "var(--muted)", "what came": "var(--series-1)", "forecast": "var(--series-2)"}
FEWEST_FOR_LINES = 2


def predicted_plot(pairs: Pairs, target: str) -> Markup:
    """Each test example's prediction over its true value; on the line they are equal."""
    chosen = np.random.default_rng(0).permutation(len(pairs.true))[:MOST_POINTS]
    rows = [{"true": float(pairs.true[i]), "said": float(pairs.predicted[i])} for i in np.sort(chosen)]
    ends = [float(min(pairs.true.min(), pairs.predicted.min())), float(max(pairs.true.max(), pairs.predicted.max()))]
    scale = alt.Scale(type="log" if pairs.wide else "linear", domain=ends, nice=not pairs.wide, padding=6)
    name, axis = clean(target) or "value", alt.Axis(tickCount=6, format="~s" if ends[1] >= 1e5 else ",~g")
    line = (
        alt.Chart(alt.Data(values=[{"true": end, "said": end} for end in ends]))
        .mark_line(color="var(--muted)", strokeWidth=1.2, strokeDash=[5, 4])
        .encode(x="true:Q", y="said:Q")
    )
    points = (
        alt.Chart(alt.Data(values=rows))
        .mark_point(size=26, filled=True, opacity=0.5, color="var(--series-1)")
        .encode(
            x=alt.X("true:Q", title=f"true {name}", scale=scale, axis=axis),
            y=alt.Y("said:Q", title=f"predicted {name}", scale=scale, axis=axis),
        )
    )
    return draw((line + points).properties(width=420, height=420))


def window_plot(window: Window, target: str) -> Markup:
    """A past, what came, the forecast and the range between its outermost quantiles."""
    x = alt.X(
        "step:Q",
        title="steps from the end of the past",
        axis=alt.Axis(tickMinStep=1, format="d"),
        scale=alt.Scale(nice=False),
    )
    legend = alt.Legend(orient="top", title=None, symbolType="stroke", symbolStrokeWidth=3, columnPadding=24)
    scale = alt.Scale(domain=list(LINE_COLORS), range=list(LINE_COLORS.values()))
    area = (
        alt.Chart(alt.Data(values=_band(window)))
        .mark_area(opacity=0.22, color=LINE_COLORS["forecast"])
        .encode(x=x, y=alt.Y("low:Q", title=clean(target) or "value", scale=alt.Scale(zero=False)), y2="high:Q")
    )
    base = alt.Chart(alt.Data(values=_lines(window))).encode(
        x=x, y=alt.Y("value:Q", scale=alt.Scale(zero=False)), color=alt.Color("what:N", scale=scale, legend=legend)
    )
    plot = area + base.mark_line(strokeWidth=2)
    if len(window.truth) <= FEWEST_FOR_LINES:  # a line through one or two points is hardly seen
        plot += base.mark_point(size=26, filled=True, opacity=1).transform_filter("datum.step > 0")
    return draw(plot.properties(width=720, height=230))


def _band(window: Window) -> list[dict[str, float]]:
    """The range, which opens at the last value of the past."""
    start = [{"step": 0, "low": float(window.past[-1]), "high": float(window.past[-1])}]
    ahead = enumerate(zip(window.low, window.high, strict=True), start=1)
    steps = [{"step": i, "low": float(low), "high": float(high)} for i, (low, high) in ahead]
    return start + steps if np.isfinite(window.past[-1]) else steps


def _lines(window: Window) -> list[dict[str, Any]]:
    """Past, truth and forecast; the latter two begin at the last value of the past. A missing value is a gap."""
    first = 1 - len(window.past)
    rows: list[dict[str, Any]] = [
        {"step": first + i, "value": float(v), "what": "past"} for i, v in enumerate(window.past)
    ]
    for what, values in (("what came", window.truth), ("forecast", window.median)):
        rows += [{"step": i, "value": float(v), "what": what} for i, v in enumerate([window.past[-1], *values])]
    return [row if np.isfinite(row["value"]) else row | {"value": None} for row in rows]


def step_plot(per_step: Sequence[Figure]) -> Markup:
    """The mean absolute error of each step, with its interval. Empty where there is one step only."""
    if len(per_step) < 2:
        return Markup("")
    rows = [
        {"step": i, "error": step.value, "low": step.low, "high": step.high} for i, step in enumerate(per_step, start=1)
    ]
    x = alt.X("step:Q", title="steps ahead", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(nice=False))
    base = alt.Chart(alt.Data(values=rows)).encode(x=x)
    band = base.mark_area(opacity=0.2, color="var(--series-1)").encode(
        y=alt.Y("low:Q", title="mean absolute error", scale=alt.Scale(zero=True)), y2="high:Q"
    )
    line = base.mark_line(strokeWidth=2.5, color="var(--series-1)").encode(y="error:Q")
    return draw((band + line).properties(width=720, height=210))


def series_plot(values: np.ndarray) -> Markup:
    """A small plot of one series, a line for each of its first six channels.

    Args:
        values: `<float>[steps, channels]`; NaN where a step is missing.
    """
    values = np.asarray(values, np.float64)[:, :MOST_CHANNELS]
    values = values[np.linspace(0, len(values) - 1, min(MOST_STEPS, len(values))).round().astype(int)]
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    x = np.linspace(3, WIDTH - 3, max(2, len(values)))[: len(values)]
    y = HEIGHT - 4 - (values - low) / ((high - low) or 1.0) * (HEIGHT - 8)
    lines = [_line(x, y[:, channel], channel) for channel in range(values.shape[1])]
    return Markup(  # nothing but numbers is put in
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" fill="none">{"".join(lines)}</svg>'
    )


def _line(x: np.ndarray, y: np.ndarray, channel: int) -> str:
    path, pen = "", "M"
    for left, top in zip(x, y, strict=True):
        if np.isfinite(top):
            path += f"{pen}{left:.1f} {top:.1f}"
            pen = "L"
        else:
            pen = "M"
    style = f'stroke="var(--series-{channel + 1})" stroke-width="1.6" vector-effect="non-scaling-stroke"'
    return f'<path d="{path}" {style} stroke-linejoin="round"/>' if path else ""
