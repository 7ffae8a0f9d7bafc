"""Series, and the past of series, out of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.datasets.series_file import ENDING
from pipelines.datasets.series_long import SERIES_NAMES, TIME_NAMES
from pipelines.datasets.tables.columns import to_codes, to_numbers, to_times
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.naming import column_named
from pipelines.datasets.tables.reading import read
from pipelines.datasets.ts_format import read_header, read_series
from pipelines.preparing.forecast_columns import choose_columns
from pipelines.preparing.forecast_wide import SERIES, VALUE, melted
from pipelines.scoring.inputs import Inputs, plain, some, told
from records.config import RunConfig
from records.errors import ConfigError, InputError
from serving.bundle import ModelBundle
from serving.codecs.forecast import ForecastCodec
from serving.codecs.forecast_rows import read_times


def read_series_file(bundle: ModelBundle, path: Path, series_id: str | None = None) -> Inputs:
    """The series of a .ts file, or of a table with a row for each step.

    Args:
        bundle: The model.
        path: Of the file.
        series_id: The column that names a row's series; `None`: one called series or id, else all rows are one.

    Raises:
        ConfigError: No such file, or a column is not in it.
        DataError: The file is damaged.
    """
    if path.suffix.lower() == ENDING:
        return _ts_file(path)
    frame = read(path)
    channels = list(bundle.codec.describe()["channels"])
    if absent := [name for name in channels if name not in frame.names]:
        raise ConfigError(f"{path} lacks channels that the model reads: {some(absent)}. It has: {some(frame.names)}.")
    free = [name for name in frame.names if name not in channels]
    asked = column_named(frame.names, series_id, "id") if series_id else None
    series = asked or next((name for name in free if name.lower() in SERIES_NAMES), None)
    time = next((name for name in free if name != series and name.lower() in TIME_NAMES), None)
    values = np.stack([to_numbers(frame.column(name)) for name in channels], axis=1)
    names, groups = _groups(frame, series, _sortable(frame, time))
    raws = [values[rows] for rows in groups]
    notes = (*told(frame), *_understood(path, series, time, "sorted by {0}"))
    return Inputs(names=names, batches=lambda: iter([raws]), table=pa.table({"series": names}), notes=notes)


def read_histories(bundle: ModelBundle, path: Path, series_id: str | None = None) -> Inputs:
    """The past of each series in a table's file. Rows at its end without the target are its future.

    Args:
        bundle: The model.
        path: Of the file.
        series_id: The column that names a row's series; `None`: the one that tells equal times apart, if any.

    Raises:
        ConfigError: No such file, or a column is not in it.
        DataError: The file is no table of series.
    """
    codec = bundle.codec
    assert isinstance(codec, ForecastCodec)
    frame = _long(codec, read(path))
    named = column_named(frame.names, series_id, "id") if series_id else None
    if absent := [name for name in (codec.time, codec.target) if name is not None and name not in frame.names]:
        raise ConfigError(f"{path} lacks columns that the model reads: {some(absent)}. It has: {some(frame.names)}.")
    asked = RunConfig(
        data=str(path), kind="forecast", task="forecasting", time=codec.time, target=codec.target, series_id=named
    )
    series = choose_columns(frame, asked).series
    there = [name for name in frame.names if name in codec.columns]
    table, empty = plain(frame.table.select(there)), np.isnan(to_numbers(frame.column(codec.target)))
    names, groups = _groups(frame, series, np.arange(frame.num_rows))
    raws = [_history(codec, table, empty, rows) for rows in groups]
    notes = (*told(frame), *_understood(path, series, codec.time, "in the order of {0}"))
    own = pa.table({"series": names}) if series else None
    return Inputs(names=names, batches=lambda: iter([raws]), table=own, notes=notes)


def _long(codec: ForecastCodec, frame: Frame) -> Frame:
    """The table with a row for each step of a series, also where the series stand side by side, as in training."""
    if codec.target != VALUE or SERIES not in codec.extra or {VALUE, SERIES} & set(frame.names):
        return frame
    free = [name for name in frame.names if name not in codec.columns]
    targets = [name for name in free if np.isfinite(to_numbers(frame.column(name))).any()]
    return melted(frame, targets) if targets else frame


def _ts_file(path: Path) -> Inputs:
    header = read_header(path)
    lines, raws, labels = [], [], []
    for line, values, label in read_series(path, header):
        lines.append(line)
        raws.append(values)
        labels.append(label)
    columns: dict[str, Any] = {"line": lines}
    if any(labels):
        columns["label"] = labels
    names = [f"line {line}" for line in lines]
    return Inputs(names=names, batches=lambda: iter([raws]), table=pa.table(columns))


def _history(codec: ForecastCodec, table: pa.Table, empty: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    """A raw input of the codec."""
    cells = table.take(pa.array(rows)).to_pylist()
    if codec.time is not None:
        try:
            times, _ = read_times(cells, codec.time, codec.form, codec.step, "history")
            order = np.argsort(times, kind="stable")
            cells, rows = [cells[i] for i in order], rows[order]
        except InputError:
            pass  # the codec says the same, and it is this series' own error
    end = len(rows)
    while end and empty[rows[end - 1]]:
        end -= 1
    if len(rows) - end < codec.horizon and not codec.known:
        end = len(rows)  # values that are not there yet: what is forecast comes after them
    future = cells[end : end + codec.horizon] if codec.known else None
    return {"history": cells[max(0, end - codec.max_rows) : end], "future": future}


def _groups(frame: Frame, series: str | None, order: np.ndarray) -> tuple[list[str], list[np.ndarray]]:
    """The name of each series, and its rows by `order`; rows without a name are one that is called so."""
    if series is None:
        return ["all rows"], [np.argsort(order, kind="stable")]
    codes, names = to_codes(frame.column(series))
    if (codes < 0).any():
        codes, names = np.where(codes < 0, len(names), codes), [*names, f"no {series}"]
    sorted_rows = np.lexsort((order, codes))
    bounds = np.searchsorted(codes[sorted_rows], np.arange(len(names) + 1))
    return list(names), [sorted_rows[bounds[i] : bounds[i + 1]] for i in range(len(names))]


def _sortable(frame: Frame, time: str | None) -> np.ndarray:
    """`<float64 or int64>[rows]`, rising with time; the order of the file where times cannot be read."""
    if time is None:
        return np.arange(frame.num_rows)
    numbers = to_numbers(frame.column(time))
    if np.isfinite(numbers).all():
        return numbers
    times = to_times(frame.column(time))
    return np.arange(frame.num_rows) if np.isnat(times).any() else times.astype(np.int64)


def _understood(path: Path, series: str | None, time: str | None, sorted_by: str) -> Sequence[str]:
    one = f"Rows of the same {series} are one series" if series else f"All rows of {path.name} are one series"
    return (f"{one}, {sorted_by.format(time) if time else 'in the order of the file'}.",)
