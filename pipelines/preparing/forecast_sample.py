"""One window as a request has it: what a bundle shows as its sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.preparing.facts import VALIDATION
from pipelines.preparing.forecast_columns import Chosen
from pipelines.preparing.forecast_series import Series
from pipelines.preparing.forecast_windows import Origins
from serving.codecs.calendar import Unit
from serving.codecs.forecast import ForecastCodec
from serving.codecs.times import write_time


def find_sample(codec: ForecastCodec, chosen: Chosen, series: Series, origins: Origins) -> tuple[dict[str, Any], int]:
    """The newest validation window, as `{"history": [...], "future": [...] or None}`, and its row."""
    row = int(np.flatnonzero(origins.codes == VALIDATION)[-1])
    origin, place, of = int(origins.rows[row]), int(origins.places[row]), int(origins.of[row])
    length = min(place, codec.history)
    column = {name: i for i, name in enumerate(chosen.covariates, 1)}
    known = [one.name for one in codec.known]
    read = [codec.target, *codec.past_names, *known]
    told = _times(codec, chosen, series, of, np.arange(place - length, place + codec.horizon))

    def cells(at: int, names: list[str], time: str | int | None) -> dict[str, Any]:
        values = {name: float(series.values[at, column.get(name, 0)]) for name in names}
        given: dict[str, Any] = {} if codec.time is None else {codec.time: time}
        return given | {name: None if np.isnan(value) else value for name, value in values.items()}

    history = [cells(origin - length + i, read, told[i]) for i in range(length)]
    future = [cells(origin + i, known, told[length + i]) for i in range(codec.horizon)] if known else None
    return {"history": history, "future": future}, row


def _times(codec: ForecastCodec, chosen: Chosen, series: Series, of: int, places: np.ndarray) -> list[str] | list[int]:
    times: list[int] = series.step.after(int(series.first[of]), places).tolist()
    if codec.step.unit is Unit.NUMBER:
        return times
    return [write_time(time, codec.form, chosen.times.like) for time in times]
