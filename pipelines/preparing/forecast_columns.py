"""What each column of a table of series is for: the time, the target, the series' name, or a covariate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.datasets.tables.columns import Column, is_string, to_codes, to_numbers
from pipelines.datasets.tables.frame import Frame
from pipelines.preparing.forecast_times import Times, is_date, read_times
from records.config import RunConfig
from records.data import Finding, Severity, Understood
from records.errors import ConfigError, DataError
from serving.codecs.windows import LARGEST

TIME_NAMES = frozenset(
    {"time", "date", "datetime", "timestamp", "ds", "year", "month", "week", "day", "step", "period"}
)
"""Columns of numbers with such a name may say when."""
SERIES_NAMES = frozenset({"series", "series_id", "unique_id", "item_id", "id", "item", "store"})
NUMERIC_SHARE = 0.95
"""Of the cells that are not missing, those that are numbers in a column of numbers."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The columns of a table of series, read."""

    times: Times
    target: str
    series: str | None
    """The column that names the series."""
    codes: np.ndarray
    """`<int64>[rows]`: positions in `names`; -1: no name."""
    names: list[str]
    values: np.ndarray
    """`<float64>[rows, 1 + covariates]`: the target first; NaN where it is missing."""
    covariates: tuple[str, ...]
    extra: tuple[str, ...]
    """Columns that are not used."""
    findings: tuple[Finding, ...]
    understood: tuple[Understood, ...]


def choose_columns(frame: Frame, config: RunConfig) -> Chosen:
    """Reads the columns that `config` names, and finds those that it does not.

    Raises:
        ConfigError: It names a column that is not there, or that is not what it should be.
        DataError: There is nothing to forecast.
    """
    for flag, name in (("time", config.time), ("target", config.target), ("series-id", config.series_id)):
        _check_there(frame, flag, name)
    for flag, names in (("known", config.known), ("ignore", config.ignore)):
        for name in names:
            _check_there(frame, flag, name)
    if not frame.num_rows:
        raise DataError("The table has no rows. Expected one for each step of a series.")
    time, told_time = _find_time(frame, config)
    times = read_times(frame.column(time) if time else None, time, frame.num_rows)
    numbers = _numbers(frame, config, time)
    target, told_target = _find_target(frame, config, numbers)
    series, told_series = _find_series(frame, config, times, target)
    codes, series_names = to_codes(frame.column(series)) if series else (np.zeros(frame.num_rows, np.int64), [""])
    covariates = tuple(name for name in numbers if name not in (target, series) and not _counts_rows(numbers[name]))
    lost = [name for name in config.known if name not in covariates]
    if lost:
        raise ConfigError(
            f"`known` names columns that cannot be used as numbers: {', '.join(lost)}. "
            f"Columns of numbers: {', '.join(covariates) or 'there are no others'}."
        )
    extra = tuple(name for name in frame.names if name not in (time, target, *covariates))
    return Chosen(
        times=times,
        target=target,
        series=series,
        codes=codes,
        names=series_names,
        values=np.stack([numbers[target], *(numbers[name] for name in covariates)], axis=1),
        covariates=covariates,
        extra=extra,
        findings=(*times.findings, *_left_out(tuple(name for name in extra if name != series), config)),
        understood=(*told_time, *told_target, *told_series, *times.understood),
    )


def _check_there(frame: Frame, flag: str, name: str | None) -> None:
    if name is not None and name not in frame.names:
        raise ConfigError(f"`{flag}`: there is no column {name!r}. The table has: {', '.join(frame.names)}.")


def _find_time(frame: Frame, config: RunConfig) -> tuple[str | None, list[Understood]]:
    if config.time is not None:
        return config.time, []
    asked = {config.target, config.series_id, *config.known, *config.ignore}
    free = [name for name in frame.names if name not in asked]
    dates = [name for name in free if is_date(frame.column(name))]
    if len(dates) > 1:
        named = [name for name in dates if name.lower() in TIME_NAMES]
        if len(named) != 1:
            raise ConfigError(
                f"Several columns hold dates: {', '.join(dates)}. Name the one that says when with --time."
            )
        dates = named
    if not dates:
        dates = [name for name in free if name.lower() in TIME_NAMES and _rises(frame.column(name))][:1]
    if dates:
        return dates[0], [Understood(what=f"The column {dates[0]} says when.", override="--time")]
    what = "No column holds dates: the rows are taken as consecutive steps, in the order of the file."
    return None, [Understood(what=what, override="--time")]


def _rises(column: Column) -> bool:
    """Whether whole numbers rise from row to row, but where the next series begins."""
    values = to_numbers(column)
    if np.isnan(values).any() or (values % 1).any():
        return False
    return bool((np.diff(values) >= 0).mean() > 0.5) if len(values) > 1 else True


def _counts_rows(values: np.ndarray) -> bool:
    """Whether a column only numbers the rows: such numbers have never been seen when a forecast is made."""
    return len(values) > 1 and bool((np.diff(values) == 1).all())


def _numbers(frame: Frame, config: RunConfig, time: str | None) -> dict[str, np.ndarray]:
    """The columns of numbers but the time, `<float64>[rows]` each."""
    found = {}
    for name in frame.names:
        if name == time or name in config.ignore:
            continue
        column = frame.column(name)
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        values = to_numbers(column)
        values[np.abs(values) > LARGEST] = np.nan
        given = len(column) - column.null_count
        if given and np.isfinite(values).sum() >= NUMERIC_SHARE * given:
            found[name] = values
    return found


def _find_target(frame: Frame, config: RunConfig, numbers: dict[str, np.ndarray]) -> tuple[str, list[Understood]]:
    if config.target is not None:
        if config.target not in numbers:
            raise ConfigError(
                f"`target`: the column {config.target!r} does not hold numbers, and only numbers can be forecast. "
                f"Columns of numbers: {', '.join(numbers) or 'there are none'}."
            )
        return config.target, []
    free = [name for name in numbers if name != config.series_id and name not in config.known]
    if not free:
        raise DataError(
            f"There is no column of numbers to forecast. The table has: {', '.join(frame.names)}. "
            "Name one with --target."
        )
    return free[-1], [
        Understood(what=f"The column {free[-1]} is forecast: the last one of numbers.", override="--target")
    ]


def _find_series(frame: Frame, config: RunConfig, times: Times, target: str) -> tuple[str | None, list[Understood]]:
    """The column that names the series: where times repeat, the one that tells them apart."""
    if config.series_id is not None:
        return config.series_id, []
    free = [name for name in frame.names if name not in (times.column, target, *config.known, *config.ignore)]
    named = [name for name in free if name.lower() in SERIES_NAMES]
    texts = [name for name in free if name not in named and is_string(frame.column(name))]
    texts = [name for name in texts if np.isnan(to_numbers(frame.column(name))).mean() > NUMERIC_SHARE]
    repeated = times.column is not None and len(np.unique(times.values)) < len(times.values)
    for name in (*named, *(texts if repeated else ())):
        codes, names = to_codes(frame.column(name))
        if 1 < len(names) <= frame.num_rows // 2 and _tells_apart(codes, times):
            what = f"The table holds {len(names)} series; the column {name} says to which one a row belongs."
            return name, [Understood(what=what, override="--id")]
    return None, []


def _tells_apart(codes: np.ndarray, times: Times) -> bool:
    """Whether no series has a time twice, but for a few rows."""
    if times.column is None:
        return True
    pairs = np.unique(np.stack([codes, times.values]), axis=1).shape[1]
    return pairs >= 0.99 * len(codes)


def _left_out(names: tuple[str, ...], config: RunConfig) -> list[Finding]:
    names = tuple(name for name in names if name not in config.ignore)
    if not names:
        return []
    what = f"{len(names)} columns hold no numbers, or number the rows: {', '.join(names[:10])}."
    done = "They were left out: only numbers that say something can go with a forecast."
    return [Finding(code="no_numbers", severity=Severity.INFO, what=what, done=done, examples=names[:10])]
