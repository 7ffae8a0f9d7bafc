"""Prepares forecasting: a table of one or many series becomes windows of a past and its future."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.datasets.tables.frame import Frame
from pipelines.preparing.draft import Amount, Draft
from pipelines.preparing.facts import SPLITS
from pipelines.preparing.forecast_columns import Chosen, choose_columns
from pipelines.preparing.forecast_sample import find_sample
from pipelines.preparing.forecast_series import Series, lay_out
from pipelines.preparing.forecast_sizes import Borders, Sizes, choose_sizes, cut
from pipelines.preparing.forecast_wide import made_long
from pipelines.preparing.forecast_windows import (
    Origins,
    clusters,
    find_origins,
    futures,
    gather,
    naive_errors,
    window_ids,
)
from records.config import RunConfig
from records.data import DataSpec, Finding, Severity, Source
from records.errors import ConfigError, StoreError
from records.spec import ForecastLayout, InputKind
from serving.codecs.calendar import useful_parts
from serving.codecs.forecast import ForecastCodec
from serving.codecs.windows import Covariate
from store.files import free_bytes

SPARE_BYTES = 64 * 2**20
"""Free space that is to remain."""
SEEN_FOR_SPREAD = 2000
"""Training windows that tell the usual spread."""


def prepare_forecast(source: Source, config: RunConfig, path: Path, amount: Amount) -> Draft:
    """Reads a table, lays its series on a grid, splits them by time, and encodes their windows.

    Args:
        source: Whose `frame` is read.
        config: Columns, sizes, quantiles and split fractions; what it leaves open is found and told.
        path: Where the windows go, `<float32>[windows, history + horizon, features]`.
        amount: Called with the number of windows done, and of all.

    Raises:
        ConfigError: A column that is named is not there, or not what it should be.
        DataError: The times are irregular, or the series are too short or constant.
        StoreError: The disk has no room.
    """
    if source.frame is None or source.kind is not InputKind.FORECAST:
        raise ConfigError(f"{source.name} is not a table of series. Expected csv, json lines or parquet.")
    if config.split is not None:
        raise ConfigError("`split` cannot be used with forecasting, which always splits by time: leave it out.")
    frame: Frame = source.frame()
    frame, config = made_long(frame, config)
    chosen = choose_columns(frame, config)
    series, found = lay_out(chosen)
    sizes, told = choose_sizes(series, config)
    borders = cut(series, sizes, config)
    codec, constant = _fit(chosen, series, sizes, borders, config)
    origins = find_origins(series, sizes, borders, 4 * int(np.prod(codec.input_shape)))
    scales = np.empty((len(origins.rows), 3), np.float32)
    scales[:, 2] = naive_errors(series, sizes, borders)[origins.of]
    _encode(codec, chosen, series, sizes, origins, path, amount, scales)
    sample, sample_row = find_sample(codec, chosen, series, origins)
    return Draft(
        spec=_spec(codec, int((origins.codes == 0).sum())),
        codec=codec,
        codes=origins.codes,
        targets=futures(series, sizes, origins),
        ids=window_ids(series, origins),
        findings=(
            *_counts(series, sizes, origins, borders),
            *frame.findings,
            *chosen.findings,
            *found,
            *constant,
        ),  # fmt: skip
        content=series.content(),
        sample=sample,
        sample_row=sample_row,
        understood=(*frame.understood, *chosen.understood, *told),
        scales=scales,
        clusters=clusters(sizes, origins),
    )


def _fit(
    chosen: Chosen, series: Series, sizes: Sizes, borders: Borders, config: RunConfig
) -> tuple[ForecastCodec, list[Finding]]:
    """The codec, from the training part of each series alone."""
    training = series.values[series.places < borders.train[series.of]]
    covariates, constant = {}, []
    for i, name in enumerate(chosen.covariates, 1):
        values = training[:, i][~np.isnan(training[:, i])]
        if len(values) and values.max() > values.min() and values.std() > 0:
            covariates[name] = Covariate(
                name=name, mean=float(values.mean()), std=float(values.std()), low=float(values.min()),
                high=float(values.max()),
            )  # fmt: skip
        else:
            constant.append(name)
    target = training[:, 0][~np.isnan(training[:, 0])]
    span = max(
        int(series.step.after(int(first), np.array([length]))[0]) - int(first)
        for first, length in zip(series.first, borders.train, strict=True)
    )
    codec = ForecastCodec(
        target=chosen.target,
        time=chosen.times.column,
        form=chosen.times.form,
        step=series.step,
        history=sizes.history,
        horizon=sizes.horizon,
        season=sizes.season,
        quantiles=config.quantiles,
        typical=_usual_spread(series, sizes, borders),
        past=tuple(one for name, one in covariates.items() if name not in config.known),
        known=tuple(covariates[name] for name in config.known if name in covariates),
        calendar=useful_parts(series.step, span) if series.dates else (),
        extra=(*chosen.extra, *constant),
        low=float(target.min()) if len(target) else 0.0,
        high=float(target.max()) if len(target) else 0.0,
    )
    return codec, _constant_columns(constant)


def _constant_columns(names: list[str]) -> list[Finding]:
    if not names:
        return []
    what = f"{len(names)} columns do not change in the training part: {', '.join(names[:10])}."
    return [Finding(code="constant_columns", severity=Severity.INFO, what=what, done="They were left out.",
                    examples=tuple(names[:10]), count=len(names))]  # fmt: skip


def _usual_spread(series: Series, sizes: Sizes, borders: Borders) -> float:
    """The median standard deviation of the pasts of training windows; 1 where none varies."""
    places, of = series.places, series.of
    rows = np.flatnonzero((places >= sizes.min_rows) & (places <= borders.train[of]))
    rows = rows[:: -(-len(rows) // SEEN_FOR_SPREAD) or 1]
    steps = np.arange(-sizes.history, 0)
    present = places[rows][:, None] + steps >= 0
    target = np.where(present, series.values[np.where(present, rows[:, None] + steps, 0), 0], np.nan)
    observed = ~np.isnan(target)
    count = np.maximum(observed.sum(axis=1, keepdims=True), 1)
    level = np.where(observed, target, 0.0).sum(axis=1, keepdims=True) / count
    spread = np.sqrt((np.where(observed, target - level, 0.0) ** 2).sum(axis=1) / count[:, 0])
    spread = spread[spread > 1e-12 * np.abs(level[:, 0])]
    return float(np.median(spread)) if len(spread) else 1.0


def _encode(
    codec: ForecastCodec, chosen: Chosen, series: Series, sizes: Sizes, origins: Origins, path: Path, amount: Amount,
    scales: np.ndarray,
) -> None:  # fmt: skip
    """Writes the windows, and their levels and spreads into the first two columns of `scales`."""
    total = len(origins.rows)
    shape = (total, *codec.input_shape)
    needed, free = 4 * int(np.prod(shape)) + SPARE_BYTES, free_bytes(path.parent)
    if free < needed:
        raise StoreError(
            f"The disk is too full to prepare the windows: they take {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB "
            "are free. Free some space, choose a shorter --history, or another KERASMITH_HOME."
        )
    inputs = np.memmap(path, dtype=codec.dtype, mode="w+", shape=shape)
    column = {name: i for i, name in enumerate(chosen.covariates, 1)}
    past, known = ([column[one.name] for one in group] for group in (codec.past, codec.known))
    done = 0
    for windows in gather(series, sizes, origins, past, known, codec.calendar):
        encoded = codec.encode_windows(windows)
        inputs[done : done + len(encoded)] = encoded
        scales[done : done + len(encoded), :2] = encoded[:, 0, -2:]
        done += len(encoded)
        amount(done, total)
    inputs.flush()


def _spec(codec: ForecastCodec, num_train: int) -> DataSpec:
    return DataSpec(
        kind=InputKind.FORECAST,
        input_shape=codec.input_shape,
        dtype=codec.dtype,
        task="forecasting",
        target=codec.target,
        num_train=num_train,
        layout=ForecastLayout(
            history=codec.history,
            horizon=codec.horizon,
            season=codec.season,
            quantiles=codec.quantiles,
            past=codec.past_names,
            known=codec.known_names,
        ),
    )


def _counts(series: Series, sizes: Sizes, origins: Origins, borders: Borders) -> list[Finding]:
    """How much there is, and how it was split."""
    many = len(series.lengths)
    what = (
        f"{many} series with {len(series.values)} steps." if many > 1 else f"One series of {len(series.values)} steps."
    )
    sizes_told = ", ".join(
        f"{int((origins.codes == code).sum())} windows for {split}" for code, split in enumerate(SPLITS)
    )
    done = (
        "The last part of the time is the test, the part before it validation; a window belongs where its whole future "
        f"lies. {origins.left_out} that reach over a border or miss values were left out."
    )
    if origins.skipped:
        done += f" {origins.skipped} more were not used, evenly over all the time: neighbours say nearly the same."
    found = [
        Finding(code="counts", severity=Severity.INFO, what=what, done="", count=len(series.values)),
        Finding(code="splits", severity=Severity.INFO, what=f"{sizes_told}.", done=done),
    ]
    short = (series.lengths < sizes.min_rows + sizes.horizon).sum()
    untested = (borders.validation == series.lengths).sum() - short
    if untested:
        what = f"{untested} series are too short for three splits."
        found.append(Finding(code="short_series", severity=Severity.WARNING, what=what,
                             done="They are for training alone.", count=int(untested)))  # fmt: skip
    if short:
        what = f"{short} series are too short for a single window of {sizes.min_rows + sizes.horizon} steps."
        found.append(Finding(code="too_short_series", severity=Severity.WARNING, what=what,
                             done="They were left out.", count=int(short)))  # fmt: skip
    return found
