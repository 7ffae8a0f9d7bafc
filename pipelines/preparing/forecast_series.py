"""From rows to series on a grid: sorted, one place for each step, missing values where there is no row."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from pipelines.preparing.facts import SHOWN
from pipelines.preparing.forecast_columns import Chosen
from pipelines.preparing.forecast_grid import Rows, place
from pipelines.preparing.forecast_times import NO_TIME, find_step
from records.data import Finding, Severity
from records.errors import DataError
from serving.codecs.calendar import Step, Unit

MOST_MISSING = 0.5
"""Of a series' steps."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """Many series one after the other, a row for each step."""

    names: list[str]
    """Empty where there is one without a name."""
    starts: np.ndarray
    """`<int64>[series]`: the row in which each begins."""
    lengths: np.ndarray
    """`<int64>[series]`."""
    first: np.ndarray
    """`<int64>[series]`: the time of each one's first step."""
    values: np.ndarray
    """`<float64>[rows, 1 + covariates]`: the target first; NaN where it is missing."""
    step: Step
    dates: bool
    """False: times are plain numbers."""

    @property
    def of(self) -> np.ndarray:
        """`<int64>[rows]`: the series of each row."""
        return np.repeat(np.arange(len(self.starts)), self.lengths)

    @property
    def places(self) -> np.ndarray:
        """`<int64>[rows]`: steps since the beginning of its series."""
        return np.arange(len(self.values)) - np.repeat(self.starts, self.lengths)

    def times(self) -> np.ndarray:
        """`<int64>[rows]`."""
        parts = [self.step.after(int(first), np.arange(n)) for first, n in zip(self.first, self.lengths, strict=True)]
        return np.concatenate(parts)

    def content(self) -> str:
        """A hash of all of it."""
        digest = hashlib.sha256(repr((self.names, self.step)).encode())
        for array in (self.lengths, self.first, np.ascontiguousarray(self.values)):
            digest.update(array.tobytes())
        return digest.hexdigest()


def lay_out(chosen: Chosen) -> tuple[Series, tuple[Finding, ...]]:
    """The series of a table on their grid.

    Raises:
        DataError: A time comes twice, times lie beside the grid, too much is missing, or nothing varies.
    """
    order, moved = _sort(chosen)
    codes, times, values = chosen.codes[order], chosen.times.values[order], chosen.values[order]
    same = codes[1:] == codes[:-1]
    if chosen.times.column is None:
        starts = np.flatnonzero(np.r_[True, ~same])
        sizes = np.diff(np.r_[starts, len(codes)])
        times = np.arange(len(codes)) - np.repeat(starts, sizes)
        step = Step(Unit.NUMBER)
    else:
        step = find_step(times, same, chosen.times.dates)
    names = chosen.names if chosen.series else []
    copies = np.r_[False, same & (np.diff(times) == 0) & _equal(values[1:], values[:-1])]
    copied = _finding("copied_rows", int(copies.sum()), "rows are exact copies of others.", "Each was kept once.")
    codes, times, values = codes[~copies], times[~copies], values[~copies]
    used, codes = np.unique(codes, return_inverse=True)
    rows = Rows(
        codes=codes,
        times=times,
        values=values,
        step=step,
        names=[names[int(code)] for code in used] if names else [],
        dates=chosen.times.dates,
        column=chosen.times.column or "",
    )
    series, gaps = _fill(rows)
    series, constant = _without(
        series, ~_varies(series), "constant_series", "never change", "there is nothing to learn"
    )
    return series, (*moved, *copied, *gaps, *constant)


def _equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)


def _sort(chosen: Chosen) -> tuple[np.ndarray, list[Finding]]:
    """Rows with a time and a name, series by series, oldest first."""
    usable = (chosen.codes >= 0) & (chosen.times.values != NO_TIME)
    rows = np.flatnonzero(usable)
    if not len(rows):
        raise DataError("No row has both a time and the name of a series. Expected one row for each step of a series.")
    nameless = int((chosen.codes < 0).sum())
    found = _finding("no_series", nameless, "rows do not say to which series they belong.", "They were left out.")
    order = np.lexsort((chosen.times.values[rows], chosen.codes[rows]))  # stable: equal times stay in their order
    by_series = rows[np.argsort(chosen.codes[rows], kind="stable")]
    moved = int((rows[order] != by_series).sum())
    found += _finding("unsorted", moved, "rows do not follow the order of time.", "They were sorted.", Severity.INFO)
    return rows[order], found


def _fill(rows: Rows) -> tuple[Series, list[Finding]]:
    """Gives each row its place, and each place without a row missing values."""
    places, lengths = place(rows)
    counts = np.bincount(rows.codes)
    sparse = counts < (1 - MOST_MISSING) * lengths
    if sparse.all():
        raise DataError(
            f"More than half of the steps between the first and the last time have no row: {counts.sum()} rows for "
            f"{lengths.sum()} steps of {rows.step.words}. Expected rows at regular times. Sum them up over longer "
            "steps, or name another column with --time."
        )
    ends = np.cumsum(np.where(sparse, 0, lengths))
    starts = ends - lengths
    keep = ~sparse[rows.codes]
    filled = np.full((int(ends[-1]), rows.values.shape[1]), np.nan)
    filled[(starts[rows.codes] + places)[keep]] = rows.values[keep]
    series = Series(
        names=[name for name, out in zip(rows.names, sparse, strict=True) if not out] if rows.names else [],
        starts=starts[~sparse],
        lengths=lengths[~sparse],
        first=rows.times[np.searchsorted(rows.codes, np.flatnonzero(~sparse))],
        values=filled,
        step=rows.step,
        dates=rows.dates,
    )
    return series, _missing(series, int(len(filled) - keep.sum()), int(sparse.sum()))


def _missing(series: Series, absent: int, sparse: int) -> list[Finding]:
    missing = int(np.isnan(series.values[:, 0]).sum()) - absent
    unjudged = "In the past of a forecast they lie between their neighbours; no forecast is judged by them."
    return [
        *_finding("gaps", absent, f"of {len(series.values)} steps have no row.", unjudged),
        *_finding("missing_target", missing, "rows have no value of the target.", unjudged),
        *_finding(
            "sparse_series", sparse, "series have rows for less than half of their steps.", "They were left out."
        ),
    ]


def _varies(series: Series) -> np.ndarray:
    """`<bool>[series]`: whether the target has two different values."""
    target = series.values[:, 0]
    high = np.maximum.reduceat(np.where(np.isnan(target), -np.inf, target), series.starts)
    low = np.minimum.reduceat(np.where(np.isnan(target), np.inf, target), series.starts)
    varies: np.ndarray = high > low
    return varies


def _without(series: Series, out: np.ndarray, code: str, what: str, why: str) -> tuple[Series, list[Finding]]:
    """The series but those in `out` `<bool>[series]`.

    Raises:
        DataError: None is left.
    """
    if not out.any():
        return series, []
    if out.all():
        raise DataError(f"The values {what}: {why}. Expected a series that varies. Is --target the right column?")
    lengths = series.lengths[~out]
    rest = replace(
        series,
        names=[name for name, gone in zip(series.names, out, strict=True) if not gone],
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
        first=series.first[~out],
        values=series.values[~out[series.of]],
    )
    names = tuple(name for name, gone in zip(series.names, out, strict=True) if gone)[:SHOWN]
    done = f"They were left out: {why}."
    return rest, [Finding(code=code, severity=Severity.WARNING, what=f"{int(out.sum())} series {what}.", done=done,
                          examples=names, count=int(out.sum()))]  # fmt: skip


def _finding(code: str, count: int, what: str, done: str, severity: Severity = Severity.WARNING) -> list[Finding]:
    return [Finding(code=code, severity=severity, what=f"{count} {what}", done=done, count=count)] if count else []
