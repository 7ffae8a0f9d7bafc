"""A codec of forecasts, and what it encodes."""

from typing import Any

from serving.codecs.calendar import Step, Unit
from serving.codecs.forecast import ForecastCodec
from serving.codecs.times import HOUR, format_time, parse_time
from serving.codecs.windows import Covariate

START = parse_time("2024-03-30 20:00")[0]
HISTORY, HORIZON = 7, 3


def covariate(name: str, mean: float, std: float) -> Covariate:
    return Covariate(name=name, mean=mean, std=std, low=mean - std, high=mean + std)


CODEC = ForecastCodec(
    target="load",
    time="date",
    form="",
    step=Step(Unit.TIME, HOUR),
    history=HISTORY,
    horizon=HORIZON,
    season=3,
    quantiles=(0.1, 0.5, 0.9),
    typical=2.0,
    past=(covariate("wind", 4.0, 2.0),),
    known=(covariate("price", 10.0, 5.0),),
    calendar=("hour", "weekday"),
    extra=("station",),
    max_rows=50,
)


def row(i: int, **cells: Any) -> dict[str, Any]:
    return {"date": format_time(START + i * HOUR), "load": 20.0 + i % 3, "wind": 1.0 + i, "price": 2.0 * i} | cells


def raw(steps: int = 9, horizon: int = HORIZON, **changes: Any) -> dict[str, Any]:
    future = [{"date": row(steps + i)["date"], "price": 7.0} for i in range(horizon)]
    return {"history": [row(i) for i in range(steps)], "future": future} | changes
