"""The pieces that everything on the terminal is made of."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from datetime import datetime

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.reporting import wording
from records.trial import Run, RunState

NARROWEST_PIPE = 100
"""Columns where no terminal says how many it has: nothing that is piped should be folded without need."""
LONGEST_DATA = 26
"""Characters of a path that a table shows."""


def make_console(stderr: bool = False) -> Console:
    """Where things are printed. No colour where NO_COLOR says so, or where nobody looks."""
    file = sys.stderr if stderr else sys.stdout
    if isinstance(file, io.TextIOWrapper):
        file.reconfigure(errors="replace")  # a label that the terminal's encoding lacks is no reason to stop
    piped = not file.isatty()
    console = Console(file=file, force_terminal=False if piped else None, highlight=False, soft_wrap=False)
    if piped and console.width < NARROWEST_PIPE and "COLUMNS" not in os.environ:
        console.width = NARROWEST_PIPE
    return console


def plain(text: object, style: str = "") -> Text:
    """Text from data: one line, without markup and without characters that steer the terminal."""
    return Text(wording.clean(text), style=style)


def table(*columns: str, right: Sequence[str] = (), keep: Sequence[str] = ()) -> Table:
    """An empty table in the house's style.

    Args:
        columns: Their titles.
        right: Those that hold numbers.
        keep: Those that are never folded.
    """
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for title in columns:
        number = title in right
        made.add_column(title, justify="right" if number else "left", overflow="fold", no_wrap=number or title in keep)
    return made


def item(mark: str, mark_style: str, text: str, style: str = "") -> Table:
    """A line with a hanging indent."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    grid.add_row(Text(mark, mark_style), plain(text, style))
    return grid


def tail(path: object) -> str:
    """The end of a long path: it tells more than the beginning."""
    text = wording.clean(path)
    return text if len(text) <= LONGEST_DATA else f"…{text[1 - LONGEST_DATA :]}"


def local_time(moment: str) -> str:
    """ISO 8601 as this machine's day and time: 21 Nov 10:01, or with the year where it is another one."""
    try:
        local = datetime.fromisoformat(moment).astimezone()
    except ValueError:
        return wording.clean(moment)
    return local.strftime("%d %b %H:%M" if local.year == datetime.now().year else "%d %b %Y")


def took(run: Run) -> str:
    """How long a run worked that has ended: over all its processes, where the ledger says so."""
    if run.ended_at is None:
        return ""
    if run.used_seconds:
        return wording.duration(run.used_seconds)
    try:
        taken = datetime.fromisoformat(run.ended_at) - datetime.fromisoformat(run.started_at)
    except (ValueError, TypeError):
        return ""
    return wording.duration(max(0.0, taken.total_seconds()))


def used(run: Run) -> str:
    """took 9 min 40 s of 10 min 0 s; of a run that goes on, what is left; empty where nothing is known."""
    budget = run.config.get("budget_seconds")
    whole = float(budget) if isinstance(budget, (int, float)) else None
    if run.state is RunState.RUNNING:
        if whole is None or not run.used_seconds:
            return ""
        return f"{wording.duration(max(0.0, whole - run.used_seconds))} left of {wording.duration(whole)}"
    taken = took(run)
    return f"took {taken}{'' if whole is None else f' of {wording.duration(whole)}'}" if taken else ""
