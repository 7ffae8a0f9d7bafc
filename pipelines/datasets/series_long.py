"""Series from a long table: a row for each step, with the series that it belongs to, when it was, and its channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.datasets.splits import split_named
from pipelines.datasets.tables.columns import to_codes, to_numbers, to_times
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.profile import is_regression
from records.config import RunConfig
from records.data import Example, Split, Understood
from records.errors import ConfigError, DataError

SERIES_NAMES = frozenset({"series", "series_id", "id", "case", "case_id", "unique_id", "item_id"})
TIME_NAMES = frozenset({"time", "timestamp", "datetime", "date", "step", "t", "ds"})
SPLIT_NAME = "split"
NUMERIC_SHARE = 0.95
"""Of the cells that are not missing, those that are numbers in a channel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LongColumns:
    """What each column of a long table is for."""

    series: str
    time: str | None
    """`None`: the rows of a series are in their order."""
    split: str | None
    channels: tuple[str, ...]
    understood: tuple[Understood, ...]


def choose_long_columns(frame: Frame, config: RunConfig, target: str) -> LongColumns:
    """The columns that `config` names, and those that it does not.

    Raises:
        ConfigError: A column is not there, nothing says where a series begins, or there is no channel.
    """
    for flag, name in (("id", config.series_id), ("time", config.time), ("split", config.split)):
        if name is not None and name not in frame.names:
            raise ConfigError(f"`{flag}`: there is no column {name!r}. The table has: {', '.join(frame.names)}.")
    free = [name for name in frame.names if name != target and name not in config.ignore]
    series = config.series_id or next((name for name in free if name.lower() in SERIES_NAMES), None)
    if series is None:
        raise ConfigError(
            f"No column says to which series a row belongs. Name it with --id. The table has: {', '.join(free)}."
        )
    free = [name for name in free if name != series]
    time = config.time or next((name for name in free if name.lower() in TIME_NAMES), None)
    split = config.split or next((name for name in free if name.lower() == SPLIT_NAME and _splits(frame, name)), None)
    rest = [name for name in free if name not in (time, split)]
    channels = tuple(name for name in rest if _is_channel(frame, name))
    if not channels:
        raise ConfigError(f"No column holds the values of the series. Expected numbers in one of: {', '.join(rest)}.")
    told = [Understood(what=f"Rows of the same {series} are one series.", override="--id")]
    if time is None:
        told.append(Understood(what="The steps of a series are in the order of the file.", override="--time"))
    else:
        told.append(Understood(what=f"The steps of a series are sorted by {time}.", override="--time"))
    if dropped := [name for name in rest if name not in channels]:
        told.append(Understood(what=f"Columns that hold no numbers are left out: {', '.join(dropped)}."))
    return LongColumns(series=series, time=time, split=split, channels=channels, understood=tuple(told))


def _splits(frame: Frame, name: str) -> bool:
    _, values = to_codes(frame.column(name))
    return bool(values) and all(split_named(value) is not None for value in values)


def _is_channel(frame: Frame, name: str) -> bool:
    column = frame.column(name)
    given = len(column) - column.null_count
    return bool(given) and np.isfinite(_values(frame, name)).sum() >= NUMERIC_SHARE * given


def _values(frame: Frame, name: str) -> np.ndarray:
    column = frame.column(name)
    return to_numbers(column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column)


def long_examples(frame: Frame, config: RunConfig, target: str) -> Iterator[Example]:
    """An example for each series, in the order in which they first appear.

    Args:
        frame: The table.
        config: Names of columns, where they are not the usual ones.
        target: The column to predict, one value for each series.

    Raises:
        ConfigError: See `choose_long_columns`.
        DataError: A row without a series or a time, a time that comes twice, or a series with two targets or splits.
    """
    chosen = choose_long_columns(frame, config, target)
    codes, names = to_codes(frame.column(chosen.series))
    if (codes < 0).any():
        raise _error(frame, chosen.series, codes < 0, "have no series")
    times = _times(frame, chosen.time)
    labels = _one_each(frame, target, codes, names)
    numeric = is_regression(frame, target, config)
    splits = _given_splits(frame, chosen.split, codes, names)
    values = np.stack([_values(frame, name) for name in chosen.channels], axis=1)
    order = np.lexsort((times, codes))
    _check_doubled(codes[order], times[order], names, chosen)
    bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
    for code, name in enumerate(names):
        yield Example(
            raw=values[order[bounds[code] : bounds[code + 1]]],
            label=_number(labels[code], name, target) if numeric else labels[code],
            id=name,
            split=splits[code],
        )


def _times(frame: Frame, name: str | None) -> np.ndarray:
    """Something that sorts, for each row."""
    if name is None:
        return np.arange(frame.num_rows)
    numbers = to_numbers(frame.column(name))
    counted = np.isfinite(numbers).mean() > 0.5
    times = numbers if counted else to_times(frame.column(name))
    lacking = np.isnan(times) if counted else np.isnat(times)
    if lacking.any():
        raise _error(frame, name, lacking, "have no time that can be read")
    return times if counted else times.astype(np.int64)


def _one_each(frame: Frame, name: str, codes: np.ndarray, series: list[str]) -> list[str]:
    """The one value that each series has in a column."""
    given, values = to_codes(frame.column(name))
    lowest, highest = np.full(len(series), len(values)), np.full(len(series), -1)
    known = given >= 0
    np.minimum.at(lowest, codes[known], given[known])
    np.maximum.at(highest, codes[known], given[known])
    if (highest < 0).any():
        raise DataError(f"The series {series[int((highest < 0).argmax())]} has no value of {name} in any of its rows.")
    if (wrong := np.flatnonzero(lowest != highest)).size:
        first = int(wrong[0])
        raise DataError(
            f"{wrong.size} series have several values of {name}; {series[first]} has {values[lowest[first]]} and "
            f"{values[highest[first]]}. Expected one for each series."
        )
    return [values[code] for code in lowest]


def _given_splits(frame: Frame, name: str | None, codes: np.ndarray, series: list[str]) -> list[Split | None]:
    if name is not None:
        given = [split_named(value) for value in _one_each(frame, name, codes, series)]
        if None in given:
            raise ConfigError(f"`split`: not every value of {name} names a split. Expected train, validation or test.")
        return given
    if frame.files is None:
        return [None] * len(series)
    order = tuple(Split)
    first = np.zeros(len(series), np.int64)
    first[codes[::-1]] = frame.files[::-1]
    if (frame.files != first[codes]).any():
        some = series[int(codes[(frame.files != first[codes]).argmax()])]
        raise DataError(f"The series {some} has rows in two files. Expected each series in one of them.")
    return [order[int(code)] if code >= 0 else None for code in first]


def _check_doubled(codes: np.ndarray, times: np.ndarray, names: list[str], chosen: LongColumns) -> None:
    doubled = np.flatnonzero((codes[1:] == codes[:-1]) & (times[1:] == times[:-1]))
    if len(doubled):
        raise DataError(
            f"{len(doubled)} rows have the same {chosen.series} and {chosen.time} as another row; the first of them "
            f"in the series {names[int(codes[doubled[0]])]}. Expected each step once."
        )


def _number(label: str, name: str, target: str) -> float:
    try:
        return float(label)
    except ValueError as error:
        raise DataError(f"The {target} of the series {name} is no number: {label[:40]!r}.") from error


def _error(frame: Frame, column: str, rows: np.ndarray, what: str) -> DataError:
    line = int(frame.lines[int(rows.argmax())])
    return DataError(f"{int(rows.sum())} rows {what} in the column {column}; the first of them in line {line}.")
