"""Which column is to be predicted, and whether it is a number or a class."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from pipelines.datasets.tables.columns import Column, to_numbers, to_times
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.naming import column_named, listed
from pipelines.datasets.tables.splits import split_column
from records.config import RunConfig
from records.data import Finding, Severity, Understood
from records.errors import ConfigError, DataError

USUAL = ("target", "label", "class", "outcome")
"""What targets are called, the likeliest first."""
NUMERIC = 0.95
"""Share of the known cells that are numbers in a column of numbers."""
FEW = 20
"""Distinct numbers up to which a target of whole numbers is taken as classes."""
FEW_FRACTIONS = 10
MOST_CODES = 1000
EACH_CODE = 10
"""Rows that the rarest of many numbered classes has at least."""
MOST_CLASSES = 200
LOOKED_AT = 2000
SHOWN = 10


def find_target(frame: Frame, config: RunConfig) -> str:
    """The column to predict; see `choose_target`."""
    return choose_target(frame, config)[0]


def choose_target(frame: Frame, config: RunConfig) -> tuple[str, Understood | None]:
    """The column to predict, and what to tell where nobody named it.

    That is `config.target`, a name in any case, a number from 1, or "last"; else a column called target, label, class
    or outcome, or y where that is the first or the last; else the last that can be one.

    Raises:
        ConfigError: There is no such column, or the table has one column only.
    """
    if frame.target:
        return frame.target, None
    split = split_column(frame, config)
    names = [name for name in frame.names if name != split]
    if config.target is not None:
        last = config.target.strip().casefold() == "last" and "last" not in frame.names
        return names[-1] if last else column_named(frame.names, config.target, "target"), None
    if len(names) < 2:
        raise ConfigError(f"The table has one column only, {listed(names)}. Expected one to predict and others.")
    folded = {name.casefold(): name for name in reversed(names)}
    usual = [folded[name] for name in USUAL if name in folded]
    usual += [name for name in (names[0], names[-1]) if name.casefold() == "y"]
    if usual:
        return usual[0], Understood(what=f"The column {usual[0]} is what is to be predicted.", override="--target")
    name = next((name for name in reversed(names) if _can_be_target(frame, name, config)), names[-1])
    if name != names[-1] and config.task != "forecasting" and _has_classes(frame, names[0], config):
        name = names[0]  # a text at the end: what it is about stands in front of it
    place = (
        "the last column" if name == names[-1] else "the first column" if name == names[0] else "the last that can be"
    )
    return name, Understood(what=f"{name}, {place}, is what is to be predicted.", override="--target")


def _can_be_target(frame: Frame, name: str, config: RunConfig) -> bool:
    """Whether the first rows hold numbers or classes, rather than dates or texts."""
    column = pc.drop_null(frame.column(name).slice(0, LOOKED_AT))
    if not len(column) or (~np.isnat(to_times(column))).mean() > 0.5:
        return False
    if np.isfinite(to_numbers(column)).mean() >= NUMERIC:
        return True
    return config.task != "forecasting" and _are_few(column)


def _has_classes(frame: Frame, name: str, config: RunConfig) -> bool:
    return _can_be_target(frame, name, config) and _are_few(pc.drop_null(frame.column(name).slice(0, LOOKED_AT)))


def _are_few(column: Column) -> bool:
    return len(pc.unique(column)) <= max(2, min(MOST_CLASSES, len(column) // 2))


def is_regression(frame: Frame, target: str, config: RunConfig) -> bool:
    """Whether the target is a number rather than a class.

    `config.task` decides where it is given. Else numbers are a number where there are more than `FEW` different ones;
    or more than `FEW_FRACTIONS` of which some have a fraction; or every other row has another one. Whole numbers that
    count up from 0 or 1 without a gap, each many times, are classes with numbers for names.

    Raises:
        DataError: The target has too many different values for classes, or is to be a number and is none.
    """
    column = pc.drop_null(frame.column(target))
    numbers = to_numbers(column)
    finite = numbers[np.isfinite(numbers)]
    numeric = bool(len(column)) and len(finite) >= NUMERIC * len(column)
    if config.task in ("regression", "forecasting"):
        if not numeric:
            raise DataError(_no_number(target, column, len(column) - len(finite)))
        return True
    if numeric and config.task is None and _is_amount(finite):
        return True
    if not numeric or config.task == "classification":
        _check_classes(target, len(pc.unique(column)), len(column), config)
    return False


def _is_amount(numbers: np.ndarray) -> bool:
    values, counts = np.unique(numbers, return_counts=True)
    whole = bool((values == np.floor(values)).all())
    if len(values) <= (FEW if whole else FEW_FRACTIONS):
        return len(values) > max(2, len(numbers) // 2)
    codes = whole and values[0] in (0, 1) and values[-1] - values[0] + 1 == len(values) <= MOST_CODES
    return not (codes and counts.min() >= max(EACH_CODE, 0.2 * counts.mean()))


def _check_classes(target: str, distinct: int, rows: int, config: RunConfig) -> None:
    each = distinct > FEW and distinct > rows / 2
    if not each and (distinct <= MOST_CLASSES or config.task == "classification"):
        return
    way = "" if each else ", or say `--task classification` if these are classes"
    raise DataError(
        f"The target {target} has {distinct:,} different values in {rows:,} rows, which are no numbers. "
        f"Expected numbers or at most {MOST_CLASSES} classes: name another column with `--target`{way}."
    )


def _no_number(target: str, column: Column, bad: int) -> str:
    came = f"{bad:,} of {len(column):,} values of the target {target} are no numbers"
    return f"{came}. Expected numbers: name another column with `--target`."


def labelled(frame: Frame, target: str, config: RunConfig) -> Frame:
    """The rows whose target is known, with a finding for the others. `files.load` has done so for tables and texts.

    Raises:
        DataError: No row has a target, or all have the same one, or see `is_regression`.
    """
    column = frame.column(target)
    known = np.asarray(column.is_valid())
    if not known.any():
        raise DataError(f"No row has a value in {target}, the target. Name another column with `--target`.")
    if is_regression(frame, target, config):
        known &= np.isfinite(to_numbers(column))
    distinct = pc.unique(column.filter(known))
    if len(distinct) == 1:
        raise DataError(f"Every row has the same target: {target} is {distinct[0]}. Expected two values or more.")
    if known.all():
        return frame
    lines = frame.lines[~known]
    return frame.take(
        known,
        Finding(
            code="missing_target",
            severity=Severity.WARNING,
            what=f"{len(lines):,} of {len(known):,} rows have no value in {target}, the target.",
            done="Left out.",
            examples=tuple(f"row {line}" for line in lines[:SHOWN]),
            count=len(lines),
        ),
    )
