"""Columns that give the target away, or that nobody knows yet when an answer is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipelines.datasets.tables.alone import Answer, explains
from pipelines.datasets.tables.columns import to_codes, to_numbers, to_times
from pipelines.datasets.tables.frame import Frame
from pipelines.datasets.tables.naming import column_named, listed
from pipelines.datasets.tables.profile import Profile, Role
from pipelines.datasets.tables.target import is_regression
from records.config import RunConfig
from records.data import Finding, Severity
from records.errors import DataError

MOST_ROWS = 100_000
"""Rows that are looked at."""
IN_FUTURE = 0.01
"""Share of a column's days after today from which it tells of the future."""
LATER, EARLIER = 0.5, 0.05
"""Shares of the rows in which a day lies after or before the row's own, where it is known only later."""
OWN_TIME = frozenset({"date", "time", "datetime", "timestamp", "created", "created_at", "when"})
ONE_BY_ONE = 10
"""Columns left out for one reason, up to which each has a finding of its own."""
SHOWN = 10
DONE = {
    Role.IDENTIFIER: "Left out, as a new row has another.",
    Role.CONSTANT: "Left out.",
    Role.EMPTY: "Left out.",
    Role.IGNORED: "Left out, as asked.",
    Role.LEAK: "Left out: it is likely to be known only with the target.",
    Role.FUTURE: "Left out, as it cannot be known yet when an answer is asked.",
}
MANY = {
    Role.IDENTIFIER: "columns tell rows apart",
    Role.CONSTANT: "columns have the same value in every row",
    Role.EMPTY: "columns have no value in any row",
    Role.IGNORED: "columns are to be ignored",
    Role.LEAK: "columns each give the target away alone",
    Role.FUTURE: "columns tell of the future",
}


def find_leaks(
    frame: Frame, profiles: tuple[Profile, ...], target: str, config: RunConfig, today: np.datetime64 | None = None
) -> tuple[tuple[Profile, ...], list[Finding]]:
    """The profiles with the roles LEAK and FUTURE set, and a finding for EVERY column that is left out, whatever for
    (identifiers, constants, empty and ignored ones too), and for cells that are taken as missing.

    Columns of `config.keep` are never left out; nor are leaks where nothing else is left to learn from, which is told.

    Args:
        frame: The rows whose target is known.
        profiles: As `profile` gives them.
        target: The column to predict.
        config: What was asked.
        today: Days after it are in the future; `None`: the clock's.

    Raises:
        DataError: No column is left to learn from.
        ConfigError: `keep` names an unknown column.
    """
    keep = {column_named(frame.names, name, "keep") for name in config.keep}
    rows = None
    if frame.num_rows > MOST_ROWS:
        rows = pa.array(np.sort(np.random.default_rng(0).choice(frame.num_rows, MOST_ROWS, replace=False)))

    def cells(name: str) -> pa.ChunkedArray:
        column = frame.column(name)
        return column if rows is None else column.take(rows)

    free = [one for one in profiles if one.used and one.name not in keep]
    dates = {one.name: to_times(cells(one.name)) for one in free if one.role is Role.DATE}
    ahead = _of_future(dates, _own_time(dates, cells, frame, config), today or np.datetime64("now"))
    answer = _answer(cells(target), is_regression(frame, target, config))
    changed = {}
    for one in free:
        if why := ahead.get(one.name):
            changed[one.name] = replace(one, role=Role.FUTURE, why=why)
        elif one.role is not Role.TEXT:
            found = explains(answer, *_values(one, cells(one.name)))
            if found is not None:
                changed[one.name] = replace(one, role=Role.LEAK, why=_gives_away(one.name, target, found, answer))
    judged = tuple(changed.get(one.name, one) for one in profiles)
    used_all_the_same: list[Finding] = []
    if not any(one.used for one in judged):
        used_all_the_same = [
            _finding(one.role, Severity.WARNING, one.why, "Used all the same: nothing else is left.", (one.name,))
            for one in judged
            if one.role is Role.LEAK
        ]
        judged = tuple(old if new.role is Role.LEAK else new for old, new in zip(profiles, judged, strict=True))
    if not any(one.used for one in judged):
        raise DataError(_nothing_left(judged, target))
    return judged, [*_left_out(judged), *used_all_the_same, *_not_numbers(frame, judged)]


def _answer(column: pa.ChunkedArray, number: bool) -> Answer:
    return Answer(numbers=to_numbers(column)) if number else Answer(codes=to_codes(column)[0])


def _values(one: Profile, column: pa.ChunkedArray) -> tuple[np.ndarray, bool]:
    """`<float64>[rows]`, NaN where missing, and whether their order means something."""
    if one.role is Role.NUMBER:
        return to_numbers(column), True
    if one.role is Role.DATE:
        times = to_times(column)
        return np.where(np.isnat(times), np.nan, times.astype(np.int64).astype(np.float64)), True
    codes = to_codes(column)[0].astype(np.float64)
    return np.where(codes < 0, np.nan, codes), False


def _own_time(dates: dict[str, np.ndarray], cells: object, frame: Frame, config: RunConfig) -> str | None:
    """The column that says when a row was written: as asked, else the only one of several that is called so."""
    if config.time is not None:
        name = column_named(frame.names, config.time, "time")
        return name if name in dates else None
    called = [name for name in dates if name.casefold() in OWN_TIME]
    return called[0] if len(called) == 1 and len(dates) > 1 else None


def _of_future(dates: dict[str, np.ndarray], own: str | None, today: np.datetime64) -> dict[str, str]:
    """Why columns of days tell of the future, by name."""
    found = {}
    for name, times in dates.items():
        known = times[~np.isnat(times)]
        if name == own or not len(known):
            continue
        if (known > today).mean() > IN_FUTURE:
            found[name] = f"{(known > today).mean():.0%} of the days in {name} lie after today."
        elif own is not None:
            both = ~np.isnat(times) & ~np.isnat(dates[own])
            later, earlier = (times > dates[own])[both], (times < dates[own])[both]
            if both.any() and later.mean() > LATER and earlier.mean() < EARLIER:
                found[name] = f"{later.mean():.0%} of the days in {name} lie after {own}, when the row was written."
    return found


def _gives_away(name: str, target: str, found: float, answer: Answer) -> str:
    if answer.codes is not None:
        return f"{name} alone gives {target} right in {found:.1%} of the rows."
    return f"{name} alone explains {found:.2%} of the variance of {target}."


def _left_out(judged: tuple[Profile, ...]) -> list[Finding]:
    findings = []
    for role in DONE:
        these = [one for one in judged if one.role is role]
        severity = Severity.WARNING if role in (Role.LEAK, Role.FUTURE) else Severity.INFO
        way = "" if role in (Role.CONSTANT, Role.EMPTY, Role.IGNORED) else " Use it with `--keep {}`."
        if len(these) > ONE_BY_ONE:
            names = tuple(one.name for one in these)
            what = f"{len(these):,} {MANY[role]}: {listed(names)}."
            findings.append(_finding(role, severity, what, DONE[role] + way.format("NAME"), names))
            continue
        for one in these:
            findings.append(_finding(role, severity, one.why, DONE[role] + way.format(one.name), (one.name,)))
    return findings


def _finding(role: Role, severity: Severity, what: str, done: str, names: tuple[str, ...]) -> Finding:
    code = f"{role}_column"
    return Finding(code=code, severity=severity, what=what, done=done, examples=names[:SHOWN], count=len(names))


def _not_numbers(frame: Frame, judged: tuple[Profile, ...]) -> list[Finding]:
    """For the columns of numbers with cells that are none."""
    findings = []
    for one in judged:
        if one.role is not Role.NUMBER or not 0 < one.numeric_share < 1:
            continue
        good = frame.num_rows - one.missing
        bad = round(good / one.numeric_share) - good
        what = f"{bad:,} cells of {one.name} are no numbers." if bad > 1 else f"1 cell of {one.name} is no number."
        findings.append(
            Finding(
                code="not_numbers",
                severity=Severity.WARNING,
                what=what,
                done="Taken as missing.",
                examples=(one.name,),
                count=bad,
            )
        )
    return findings


def _nothing_left(judged: tuple[Profile, ...], target: str) -> str:
    reasons = " ".join(one.why for one in judged[:3])
    if not judged:
        return f"The table has no column but the target {target}. Expected others to predict it from."
    return f"No column is left to predict {target} from. {reasons} Use one with `--keep NAME`, or another `--target`."
