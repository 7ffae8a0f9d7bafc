"""Trials in the terminal: ranked by their score, with what mattered and how the search went."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.reporting import wording
from pipelines.reporting.course import course
from pipelines.reporting.mattered import mattered, meaning
from pipelines.reporting.states import marks, origin, short_origin
from pipelines.terminal.console import item, plain, table
from records.trial import Trial, TrialState

BAR_WIDTH = 20
"""Characters of a whole bar."""
WITHOUT_SCORE = {
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting to be taken up again",
    TrialState.FAILED: "without a result",
}


def leaderboard_table(trials: Sequence[Trial], objective: str, limit: int = 10) -> Table:
    """The best trials by their validation score; the settings of the best in full. A last line tells what is left."""
    made = table("rank", "trial", "space", "score", "time", "settings", right=["rank", "trial", "score", "time"])
    ranked = wording.ranked(trials, objective)
    for rank, trial in enumerate(ranked[:limit], start=1):
        made.add_row(
            str(rank),
            str(trial.number),
            plain(trial.space, "bold" if rank == 1 else ""),
            wording.number(trial.score or 0.0),
            wording.duration(trial.result.seconds) if trial.result else "",
            _in_full(trial) if rank == 1 else _in_a_line(trial),
        )
    more = [f"{len(ranked) - limit} more"] if len(ranked) > limit else []
    for state, words in WITHOUT_SCORE.items():
        if number := sum(trial.state is state for trial in trials):
            more.append(f"{number} {words}")
    if more:
        made.add_row(*[""] * 5, Text(", ".join(more), "dim"))
    return made


def _settings(trial: Trial) -> str:
    return ", ".join(f"{name} {value}" for name, value in wording.settings(trial.values))


def _in_full(trial: Trial) -> Text:
    told = Text(_settings(trial), overflow="fold")
    for note in filter(None, (origin(trial), ", ".join(marks(trial)))):
        told.append("\n" if told.plain else "").append(note[0].upper() + note[1:], "dim")
    return told


def _in_a_line(trial: Trial) -> Text:
    parts = [*marks(trial), short_origin(trial), _settings(trial)]
    return Text("; ".join(part for part in parts if part), "dim", no_wrap=True, overflow="ellipsis")


def course_view(trials: Sequence[Trial]) -> list[RenderableType]:
    """How the search went, a line for each sentence; empty where there is nothing to say."""
    return [item("·", "cyan", sentence) for sentence in course(trials)]


def mattered_view(trials: Sequence[Trial], objective: str) -> Group | None:
    """How much each hyperparameter explains of the scores, per space; `None` where there are too few trials."""
    spaces = mattered(trials, objective)
    if not spaces:
        return None
    made = table("space", "setting", "share", "", right=["share"], keep=["setting"])
    for space in spaces:
        for place, (name, share) in enumerate(space.shares):
            title = "" if place else f"{space.name}, {wording.plural(space.num_trials, 'trial')}"
            bar = Text("█" * round(BAR_WIDTH * share), "cyan", no_wrap=True)
            made.add_row(plain(title), plain(name), wording.percent(share), bar)
    return Group(made, Text(f"\n{meaning(objective)}", "dim"))
