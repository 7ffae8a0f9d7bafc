"""Which windows of the series are used, for what, and their values: everything at once, in numpy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np

from pipelines.preparing.facts import SPLITS, TEST, TRAIN, VALIDATION
from pipelines.preparing.forecast_series import Series
from pipelines.preparing.forecast_sizes import Borders, Sizes
from records.errors import DataError
from serving.codecs.calendar import Unit, calendar_columns
from serving.codecs.times import DAY, MINUTE
from serving.codecs.windows import Windows

MAX_TRAINING = 20_000
"""Windows: neighbours say nearly the same."""
MAX_JUDGED = 10_000
"""Windows of validation, and of test."""
MAX_BYTES = 400_000_000
"""Of all encoded windows."""
LEAST_OBSERVED = 0.5
"""Of a window's past."""
CHUNK = 2048
"""Windows that are gathered at once."""


@dataclass(frozen=True, kw_only=True)
class Origins:
    """The windows that are used; an origin is the first step of a future."""

    rows: np.ndarray
    """`<int64>[windows]`: rows of the origins in `Series.values`."""
    places: np.ndarray
    """`<int64>[windows]`: steps since the beginning of the series."""
    of: np.ndarray
    """`<int64>[windows]`: the series of each."""
    codes: np.ndarray
    """`<int8>[windows]`: the split of each."""
    left_out: int
    """Origins whose future is whole, but reaches over a border, has missing values, or follows a past that has."""
    skipped: int
    """Windows that could be used and are not: there are enough neighbours."""


def find_origins(series: Series, sizes: Sizes, borders: Borders, window_bytes: int) -> Origins:
    """The windows of each split: a window belongs to the split in which its whole future lies.

    Args:
        series: On their grid.
        sizes: Of a window.
        borders: Between the splits.
        window_bytes: Of one encoded window; together they stay under `MAX_BYTES`.

    Raises:
        DataError: A split has no window.
    """
    places, of, horizon = series.places, series.of, sizes.horizon
    observed = ~np.isnan(series.values[:, 0])
    before = np.r_[0, np.cumsum(observed)]
    rows = np.flatnonzero((places >= sizes.min_rows) & (places + horizon <= series.lengths[of]))
    place, train, validation = places[rows], borders.train[of[rows]], borders.validation[of[rows]]
    past = np.minimum(place, sizes.history)
    whole = before[rows + horizon] - before[rows] == horizon
    known = before[rows] - before[rows - past] >= np.maximum(1, LEAST_OBSERVED * past)
    codes = np.full(len(rows), -1, np.int8)
    codes[place + horizon <= train] = TRAIN
    codes[(place >= train) & (place + horizon <= validation)] = VALIDATION
    codes[place >= validation] = TEST
    codes[~(whole & known)] = -1
    share = min(1.0, MAX_BYTES / (window_bytes * (MAX_TRAINING + 2 * MAX_JUDGED)))
    picked = []
    for code, most in ((TRAIN, MAX_TRAINING), (VALIDATION, MAX_JUDGED), (TEST, MAX_JUDGED)):
        found = np.flatnonzero(codes == code)
        _check_any(code, found, series, sizes, borders)
        picked.append(_thin(found, max(1, int(most * share)), sizes.season))
    chosen = np.sort(np.concatenate(picked))
    rows = rows[chosen]
    left_out = int((codes == -1).sum())
    return Origins(
        rows=rows,
        places=places[rows],
        of=of[rows],
        codes=codes[chosen],
        left_out=left_out,
        skipped=len(codes) - left_out - len(chosen),
    )


def _check_any(code: int, found: np.ndarray, series: Series, sizes: Sizes, borders: Borders) -> None:
    if len(found):
        return
    steps = {
        TRAIN: borders.train,
        VALIDATION: borders.validation - borders.train,
        TEST: series.lengths - borders.validation,
    }[code]
    raise DataError(
        f"No window is left for the {SPLITS[code]} split: it has {int(steps.max())} steps of the longest series, and a "
        f"window needs {sizes.horizon} steps in a row without a missing value, and {sizes.min_rows} before them. "
        "Give more rows, or choose a shorter --horizon."
    )


def _thin(found: np.ndarray, most: int, season: int) -> np.ndarray:
    """At most `most` of them, evenly, the newest always; every hour of the day and every day of the week stays in."""
    stride = -(-len(found) // most)
    while stride > 1 and gcd(stride, season) > 1:
        stride += 1
    return found[::-1][::stride][::-1]


def gather(series: Series, sizes: Sizes, origins: Origins, past: list[int], known: list[int],
           parts: tuple[str, ...]) -> Iterator[Windows]:  # fmt: skip
    """The values of the windows, `CHUNK` of them at a time.

    Args:
        series: On their grid.
        sizes: Of a window.
        origins: Which windows.
        past: Columns of `series.values` that are known of the past only.
        known: Columns that are known of the future too.
        parts: Of the calendar.
    """
    calendar = calendar_columns(parts, series.times()) if parts else np.zeros((len(series.values), 0), np.float32)
    steps = np.arange(-sizes.history, sizes.horizon)
    for start in range(0, len(origins.rows), CHUNK):
        rows, places = origins.rows[start : start + CHUNK], origins.places[start : start + CHUNK]
        present = places[:, None] + steps >= 0
        at = np.where(present, rows[:, None] + steps, 0)
        before, present_before = at[:, : sizes.history], present[:, : sizes.history]
        yield Windows(
            target=np.where(present_before, series.values[before, 0], np.nan),
            past=_columns(series.values, past, before, present_before),
            known=_columns(series.values, known, at, present),
            calendar=calendar[at],
            present=present_before,
        )


def _columns(values: np.ndarray, columns: list[int], at: np.ndarray, present: np.ndarray) -> np.ndarray:
    gathered = np.empty((*at.shape, len(columns)))
    for i, column in enumerate(columns):
        gathered[:, :, i] = np.where(present, values[at, column], np.nan)
    return gathered


def futures(series: Series, sizes: Sizes, origins: Origins) -> np.ndarray:
    """`<float32>[windows, horizon]`: what is to be forecast, in the target's own unit."""
    return series.values[origins.rows[:, None] + np.arange(sizes.horizon), 0].astype(np.float32)


def clusters(sizes: Sizes, origins: Origins) -> np.ndarray:
    """`<int64>[windows]`: blocks of `horizon` consecutive origins of one series, whose futures overlap."""
    blocks = origins.places // sizes.horizon
    return np.unique(origins.of * (int(blocks.max()) + 1) + blocks, return_inverse=True)[1].astype(np.int64)


def naive_errors(series: Series, sizes: Sizes, borders: Borders) -> np.ndarray:
    """Mean absolute error of the value of one season ago, in each series' training part.

    The last value stands for it where the training part is no longer than a season, and the median of the other series
    where nothing can be compared or the error is 0.

    Returns:
        `<float64>[series]`, above 0.
    """
    season = np.where(borders.train > sizes.season, sizes.season, 1)
    places, of = series.places, series.of
    rows = np.flatnonzero((places >= season[of]) & (places < borders.train[of]))
    apart = np.abs(series.values[rows, 0] - series.values[rows - season[of[rows]], 0])
    seen = ~np.isnan(apart)
    sums = np.bincount(of[rows[seen]], weights=apart[seen], minlength=len(series.lengths))
    errors = sums / np.maximum(np.bincount(of[rows[seen]], minlength=len(series.lengths)), 1)
    positive = errors[errors > 0]
    return np.where(errors > 0, errors, np.median(positive) if len(positive) else 1.0)


def window_ids(series: Series, origins: Origins) -> list[str]:
    """ "series A, from 2017-03-01 05:00": the series, and the first step that is forecast."""
    times = series.times()[origins.rows]
    if series.dates:
        monthly = series.step.unit is Unit.MONTH and not (times % DAY).any()
        unit: Any = "s" if (times % MINUTE).any() else "m" if (times % DAY).any() else "M" if monthly else "D"
        if unit == "M" and (times.astype("datetime64[us]").astype("datetime64[M]").astype("datetime64[us]")
                            != times.astype("datetime64[us]")).any():  # fmt: skip
            unit = "D"
        told = np.char.replace(np.datetime_as_string(times.astype("datetime64[us]"), unit=unit), "T", " ").tolist()
    else:
        told = [f"step {time}" for time in times.tolist()]
    if not series.names:
        return [f"from {time}" for time in told]
    return [f"series {series.names[of]}, from {time}" for of, time in zip(origins.of.tolist(), told, strict=True)]
