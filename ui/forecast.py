"""A series with its past, its forecast and the band around it, as charts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import altair as alt

from records.api import Cell, ColumnDescription, ForecastPrediction
from ui.colors import palette
from ui.curves import MOST_POINTS, Chart
from ui.words import clean

PAST_PER_STEP = 4
"""Steps of the past that are drawn for each step of the forecast; at least `SHORTEST_PAST`."""
SHORTEST_PAST = 60


def column_of(columns: Sequence[ColumnDescription], kind: str) -> str | None:
    """The first column of a kind."""
    return next((column.name for column in columns if column.kind == kind), None)


def as_moment(text: Cell) -> str | None:
    """A time in ISO 8601 as the browser takes it for local time, whatever zone it is in; `None` where it is no time."""
    if not isinstance(text, str):
        return None
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if read.tzinfo is not None:
        read = read.astimezone(UTC).replace(tzinfo=None)
    return read.isoformat(timespec="seconds")


def points(history: Sequence[dict[str, Cell]], columns: Sequence[ColumnDescription]) -> list[dict[str, Any]]:
    """The target's values with their moments, or with their steps counted back from -1 where times are no dates."""
    target, time = column_of(columns, "target"), column_of(columns, "time")
    moments = [as_moment(row.get(time)) if time else None for row in history]
    dated = bool(history) and all(moments)
    values = [row.get(target) if target else None for row in history]
    return [
        {"at": moments[i] if dated else i - len(history), "value": v if isinstance(v, (int, float)) else None}
        for i, v in enumerate(values)
    ]


def history_curve(history: Sequence[dict[str, Cell]], columns: Sequence[ColumnDescription]) -> Chart:
    """The past alone."""
    past = points(history, columns)
    past = past[:: -(-len(past) // MOST_POINTS) or 1]
    x = _axis(bool(past) and isinstance(past[0]["at"], str))
    target = clean(column_of(columns, "target") or "value")
    return alt.layer(_line(past, x, target).mark_line(color=palette().muted, strokeWidth=1.8))


def forecast_curve(
    history: Sequence[dict[str, Cell]], columns: Sequence[ColumnDescription], answer: ForecastPrediction
) -> Chart:
    """The end of the past, the forecast, and the band between the outermost quantiles."""
    colors = palette()
    past = points(history, columns)[-max(SHORTEST_PAST, PAST_PER_STEP * len(answer.values)) :]
    moments = [as_moment(time) for time in answer.times]
    dated = all(moments) and bool(past) and isinstance(past[-1]["at"], str)
    if not dated:
        past = [point | {"at": i - len(past)} for i, point in enumerate(past)]
    low, high = outermost(answer)
    future = [
        {"at": moments[i] if dated else i, "value": value, "low": low[i], "high": high[i]}
        for i, value in enumerate(answer.values)
    ]
    x, target = _axis(dated), clean(column_of(columns, "target") or "value")
    band = alt.Chart(alt.Data(values=future)).mark_area(opacity=0.22, color=colors.series[0])
    line = _line(future, x, target).mark_line(
        color=colors.series[0], strokeWidth=2.8, point={"size": 26, "color": colors.series[0]}
    )
    joint = [point for point in past[-1:] if point["value"] is not None]
    bridge = [*joint, *future[:1]] if joint else []
    return alt.layer(
        band.encode(x=x, y=alt.Y("low:Q", title=target, scale=alt.Scale(zero=False)), y2="high:Q"),
        _line(past, x, target).mark_line(color=colors.muted, strokeWidth=1.8),
        _line(bridge, x, target).mark_line(color=colors.series[0], strokeWidth=1.4, strokeDash=[3, 3]),
        line,
    )


def outermost(answer: ForecastPrediction) -> tuple[list[float], list[float]]:
    """The lowest and the highest quantile; the values themselves where there are none."""
    levels = sorted(answer.quantiles, key=float)
    if not levels:
        return answer.values, answer.values
    return answer.quantiles[levels[0]], answer.quantiles[levels[-1]]


def _axis(dated: bool) -> alt.X:
    if dated:
        return alt.X("at:T", title=None, axis=alt.Axis(labelOverlap=True, tickCount=8))
    return alt.X("at:Q", title="steps from now", axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(nice=False))


def _line(rows: Sequence[dict[str, Any]], x: alt.X, target: str) -> alt.Chart:
    return alt.Chart(alt.Data(values=list(rows))).encode(
        x=x,
        y=alt.Y("value:Q", title=target, scale=alt.Scale(zero=False)),
        tooltip=[alt.Tooltip("at:T" if x.shorthand == "at:T" else "at:Q"), alt.Tooltip("value:Q", title=target)],
    )
