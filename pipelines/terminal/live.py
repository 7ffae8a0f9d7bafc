"""Where a run stands, told while it goes on: on standard error, and only where somebody sits before a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipelines.reporting import wording
from pipelines.reporting.states import counted
from pipelines.terminal.search_board import SearchBoard, Standing, best_words, drawn
from records.trial import Lease, Trial

REFRESHES_PER_SECOND = 4


class Progress:
    """Shows the steps of a run; a context manager. Fulfils `pipelines.progress.Progress`.

    On a terminal there is a live line, below it a small table while it searches, and each finished step stays as a
    line. Elsewhere it is silent, or with `verbose` says one plain line for each step and sentence. A terminal that is
    gone ends the showing, never the run.
    """

    def __init__(
        self,
        budget_seconds: float | None = None,
        verbose: bool = False,
        console: Console | None = None,
    ) -> None:
        self._console = console or Console(file=_own_stderr(), highlight=False)
        self._is_live = self._console.file.isatty() and not self._console.is_dumb_terminal
        self._verbose = verbose
        self._deadline = None if budget_seconds is None else time.monotonic() + budget_seconds
        self._step = self._detail = ""
        self._began = time.monotonic()
        self._search: Text | None = None
        self._board = SearchBoard()
        self._standing: Standing | None = None
        unicode = self._console.encoding.startswith("utf")
        self._done, self._broken = ("✓", "✗") if unicode else ("+", "x")
        self._spinner = Spinner("dots" if unicode else "line", style="cyan")
        self._live = Live(
            console=self._console,
            get_renderable=self._render,
            refresh_per_second=REFRESHES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Progress:
        if self._is_live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_step(failed=kind is not None)
        if self._live.is_started:
            with suppress(OSError, ValueError):
                self._live.stop()

    def step(self, name: str, detail: str = "") -> None:
        """Ends the step before, if any, and begins the next."""
        self._end_step(failed=False)
        self._standing = self._search = None
        self._step, self._detail, self._began = name, detail, time.monotonic()

    def amount(self, done: int, total: int | None = None) -> None:
        """So many examples of the step at hand are done."""
        self._detail = wording.count(done) + (f" of {wording.count(total)}" if total else "")

    def search(
        self, trials: Sequence[Trial], objective: str, seconds_left: float, leases: Sequence[Lease] = ()
    ) -> None:
        """How the search stands."""
        if self._is_live or self._verbose:
            self._deadline = time.monotonic() + seconds_left
            self._search = search_line(trials, objective)
        if self._is_live:
            self._standing = self._board.standing(trials, objective, leases)

    def note(self, text: str) -> None:
        """A sentence that stays on the screen."""
        if self._is_live or self._verbose:
            self._print(Padding(Text(wording.clean(text)), (0, 0, 0, 2)))

    def _end_step(self, failed: bool) -> None:
        if not self._step or not (self._is_live or self._verbose):
            return
        mark, style = (self._broken, "red") if failed else (self._done, "green")
        taken = wording.duration(time.monotonic() - self._began)
        line = Text.assemble(f"{wording.clean(self._step)}  ", (taken, "dim"))
        if self._search is not None and not failed:
            line.append("  ").append_text(self._search)
        hanging = Table.grid(padding=(0, 1))
        hanging.add_row(Text(mark, style), line)
        self._step, self._standing = "", None
        self._print(hanging)

    def _print(self, renderable: Table | Padding) -> None:
        try:
            if self._live.is_started:
                self._live.refresh()  # or else what was drawn last is drawn again below the line
            self._console.print(renderable)
            self._console.file.flush()
        except (OSError, ValueError):  # the terminal was closed
            self._is_live = self._verbose = False

    def _render(self) -> Group:
        """Called by the refreshing thread: reads, and writes nothing."""
        if not self._step:
            return Group()
        now = time.monotonic()
        detail = f" {wording.clean(self._detail)}" if self._detail else ""
        line = Text.assemble((wording.clean(self._step), "bold"), f"{detail}  {wording.duration(now - self._began)}")
        if self._deadline is not None:
            line.append(f", {wording.duration(max(0.0, self._deadline - now))} left of the budget", "dim")
        self._spinner.text = line
        standing = self._standing
        if standing is None:
            return Group(self._spinner)
        return Group(self._spinner, Padding(drawn(standing, self._console.height), (0, 0, 0, 2)))


def _own_stderr() -> TextIO:
    """A copy of the standard error, which stays the terminal when libraries' chatter is sent elsewhere."""
    try:
        return os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding=sys.stderr.encoding, errors="replace")
    except (OSError, ValueError):  # not a real stream, as in a notebook
        return sys.stderr


def search_line(trials: Sequence[Trial], objective: str) -> Text:
    """12 trials done, 2 of them stopped early, 1 running, 2 failed; best accuracy 0.947 (trial 9, cnn)."""
    line, best = Text(counted(trials)), best_words(trials, objective)
    return line.append("; ").append_text(best) if best else line
