"""Splits that a table itself names: by its files, or in a column."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from pipelines.datasets.splits import split_named
from pipelines.datasets.tables.columns import is_string, to_codes
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.naming import column_named, listed
from records.config import RunConfig
from records.data import Split
from records.errors import DataError

CODES = {split: code for code, split in enumerate(Split)}
"""Positions in train, validation, test, as everywhere."""
NOT_GIVEN = -1
USUAL = "split"


def split_column(frame: Frame, config: RunConfig) -> str | None:
    """The column that names each row's split: `config.split`, else one called split whose values all name splits.

    Raises:
        ConfigError: There is no column `config.split`.
        DataError: It has values that name no split.
    """
    if config.split is not None:
        name = column_named(frame.names, config.split, "split")
        others = [value for value in _values(frame, name) if split_named(value) is None]
        if others:
            raise DataError(
                f"The column {name} has values that name no split: {listed(others)}. "
                "Expected train, validation and test alone."
            )
        return name
    for name in frame.names:
        if name.casefold() == USUAL and is_string(frame.column(name)):
            values = _values(frame, name)
            if values and all(split_named(value) is not None for value in values):
                return name
    return None


def given_splits(frame: Frame, config: RunConfig) -> np.ndarray | None:
    """`<int8>[rows]`: the split that a column or else the row's file names, its position in train, validation, test;
    -1: none. `None`: nothing names splits. Errors as in `split_column`."""
    name = split_column(frame, config)
    if name is None:
        return frame.files
    codes, values = to_codes(frame.column(name))
    named = [split_named(value) for value in values]
    table = np.array([*(NOT_GIVEN if split is None else CODES[split] for split in named), NOT_GIVEN], dtype=np.int8)
    return np.asarray(table[codes])


def _values(frame: Frame, name: str) -> list[str]:
    return [str(value) for value in pc.drop_null(pc.unique(frame.column(name))).to_pylist()]
