"""Several targets side by side in one table: each becomes a series of its own, and one network learns them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipelines.datasets.tables.frame import Frame
from records.config import RunConfig
from records.data import Understood
from records.errors import ConfigError

SERIES, VALUE = "series", "value"
"""Columns of the long table."""


def made_long(frame: Frame, config: RunConfig) -> tuple[Frame, RunConfig]:
    """The same table with one row for each step of each target, where `config.target` names several columns with
    commas between them; else `frame` itself.

    The columns that are no target stay beside each of them. What was asked for names the new columns.

    Raises:
        ConfigError: A target is not there or named twice, the table holds several series already, or has a column
            whose name is needed.
    """
    if config.target is None or config.target in frame.names or "," not in config.target:
        return frame, config
    targets = [name.strip() for name in config.target.split(",") if name.strip()]
    _check(frame, config, targets)
    told = Understood(
        what=f"{len(targets)} columns are forecast by one network, each as a series of its own. A request has the past "
        f"of one of them, in the column {VALUE}.",
        override="--target",
    )
    long = melted(frame, targets)
    long = replace(long, understood=(*long.understood, told))
    return long, replace(config, target=VALUE, series_id=SERIES)


def melted(frame: Frame, columns: Sequence[str]) -> Frame:
    """A row for each row and each of `columns`: its name in `SERIES`, its cell in `VALUE`, and all other columns."""
    rest = frame.table.select([name for name in frame.names if name not in columns])
    types = {frame.column(name).type for name in columns}
    parts = []
    for name in columns:
        values = frame.column(name)
        names = pa.array([name] * frame.num_rows, pa.string())
        # numbers of several types have one in common: as texts, which a csv's cells are anyway
        values = values if len(types) == 1 else values.cast(pa.string())
        parts.append(rest.append_column(SERIES, names).append_column(VALUE, values))
    return replace(
        frame,
        table=pa.concat_tables(parts),
        lines=np.tile(frame.lines, len(columns)),
        files=None if frame.files is None else np.tile(frame.files, len(columns)),
    )


def _check(frame: Frame, config: RunConfig, targets: list[str]) -> None:
    if config.series_id is not None:
        raise ConfigError(
            f"`target` names several columns and `id` the column {config.series_id!r}. Expected one of both: several "
            "columns side by side are several series already."
        )
    for name in targets:
        if name not in frame.names:
            raise ConfigError(f"`target`: there is no column {name!r}. The table has: {', '.join(frame.names)}.")
        if targets.count(name) > 1:
            raise ConfigError(f"`target` names the column {name!r} twice.")
        if name in config.known or name in config.ignore or name == config.time:
            raise ConfigError(f"The column {name!r} cannot be a target and something else. Received: {config.target}.")
    for name in (SERIES, VALUE):
        if name in frame.names and name not in targets:
            raise ConfigError(
                f"Several targets become a table with the columns {SERIES} and {VALUE}, and this one has a column "
                f"{name!r} already. Rename it."
            )
