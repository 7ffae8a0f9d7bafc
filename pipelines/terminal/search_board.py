"""How a search stands, as a small table that is drawn anew several times a second."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from pipelines.reporting import wording
from pipelines.reporting.states import EARLY, counted
from records.trial import Lease, Trial, TrialState

MOST_BEST = 3
MOST_RUNNING = 8
"""Running trials with a line of their own."""
LONGEST_SPACE = 20
"""Characters of a space's name; with them every line fits 80 columns."""
LINES_AROUND = 5
"""Of the view, besides the trials' own: the step, the best score, the counts, the titles, and one that stays free."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is shown; made whenever the ledger was read, and never changed."""

    best_words: Text
    counts: str
    best: tuple[Trial, ...]
    running: tuple[tuple[Trial, float, float | None], ...]
    """Each with the monotonic second at which it was first seen, and the seconds that it was given."""


class SearchBoard:
    """Remembers since when each trial runs: the ledger knows it at the end of an epoch only."""

    def __init__(self) -> None:
        self._began: dict[tuple[int, int], float] = {}

    def standing(self, trials: Sequence[Trial], objective: str, leases: Sequence[Lease] = ()) -> Standing:
        """How the search stands now.

        Args:
            trials: All of the run so far.
            objective: What they are scored by, a name in `METRICS`.
            leases: Of the running ones; they know how long each may take.
        """
        now, allowed = time.monotonic(), {lease.number: lease.max_seconds for lease in leases}
        running = [trial for trial in trials if trial.state is TrialState.RUNNING]
        began = {(t.number, t.attempt): self._began.get((t.number, t.attempt), now) for t in running}
        self._began = began
        return Standing(
            best_words=best_words(trials, objective),
            counts=counted(trials) if trials else "The first trial has not begun yet.",
            best=tuple(wording.ranked(trials, objective)[:MOST_BEST]),
            running=tuple((t, began[t.number, t.attempt], allowed.get(t.number)) for t in running),
        )


def best_words(trials: Sequence[Trial], objective: str) -> Text:
    """best accuracy 0.947 (trial 9, cnn); empty while there is none."""
    ranked = wording.ranked(trials, objective)
    if not ranked:
        return Text()
    best = ranked[0]
    score = (wording.number(best.score or 0.0), "bold")
    return Text.assemble(
        f"best {wording.metric_title(objective)} ", score, f" (trial {best.number}, {wording.clean(best.space)})"
    )


def drawn(standing: Standing, height: int) -> Group:
    """The view below the step's own line.

    Args:
        standing: What to show.
        height: Lines of the terminal; what does not fit is left out, so that the view never scrolls.
    """
    lines: list[Text | Table] = [standing.best_words] if standing.best else []
    lines.append(Text(standing.counts, "dim", no_wrap=True, overflow="ellipsis"))
    room = height - LINES_AROUND - 1
    shown = standing.running[: min(MOST_RUNNING, max(0, room - 1))]
    best = standing.best[: max(0, room - len(shown))]
    if not shown and not best:
        return Group(*lines)
    lines.append(_table(best, shown))
    if more := len(standing.running) - len(shown):
        lines.append(Text(f"and {more} more", "dim"))
    return Group(*lines)


def _table(best: Sequence[Trial], running: Sequence[tuple[Trial, float, float | None]]) -> Table:
    made = Table(box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    # widths are given: a table whose columns move as its numbers change is hard to read
    made.add_column("", min_width=7, no_wrap=True)
    made.add_column("trial", min_width=5, justify="right", no_wrap=True)
    made.add_column("space", width=LONGEST_SPACE, no_wrap=True, overflow="ellipsis")
    made.add_column("score", min_width=8, justify="right", no_wrap=True)
    made.add_column("epoch", min_width=5, justify="right", no_wrap=True)
    made.add_column("time", no_wrap=True, overflow="ellipsis")
    for place, trial in enumerate(best):
        made.add_row(*_row("" if place else "best", trial, _took(trial)), style="bold" if place == 0 else None)
    for place, (trial, began, allowed) in enumerate(running):
        given = "" if allowed is None else f" of {wording.duration(allowed)}"
        told = f"{wording.duration(max(0.0, time.monotonic() - began))}{given}"
        made.add_row(*_row("" if place else "running", trial, told), style="cyan")
    return made


def _row(title: str, trial: Trial, seconds: str) -> list[str]:
    score = trial.score if trial.scored else trial.epochs[-1].score if trial.epochs else None
    return [
        title,
        str(trial.number),
        wording.clean(trial.space),
        "" if score is None else wording.number(score),
        str(trial.epochs[-1].epoch) if trial.epochs else "",
        seconds,
    ]


def _took(trial: Trial) -> str:
    told = wording.duration(trial.result.seconds) if trial.result else ""
    return f"{told}, {EARLY}" if trial.state is TrialState.PRUNED else told
