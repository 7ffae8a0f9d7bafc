"""Runs side by side in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rich.console import Group, RenderableType
from rich.text import Text

from pipelines.compare import Compared, Side
from pipelines.reporting import wording
from pipelines.reporting.states import counted
from pipelines.terminal.console import item, local_time, plain, table, tail
from pipelines.terminal.views import STATE_STYLES
from records.trial import RunState


def comparison_view(compared: Compared) -> Group:
    """A column for each run, and below it which figures may be compared."""
    made = table("", *(side.run.id for side in compared.sides), keep=[])

    def row(title: str, told: Callable[[Side], Text | str]) -> None:
        cells = [told(side) for side in compared.sides]
        if any(str(cell) for cell in cells):
            made.add_row(Text(title, "dim"), *(cell if isinstance(cell, Text) else plain(cell) for cell in cells))

    row("state", lambda side: plain(side.run.state.value, STATE_STYLES[side.run.state]))
    row("data", lambda side: tail(side.run.config.get("data", side.run.name)))
    row("started", lambda side: local_time(side.run.started_at))
    row("time used", _time)
    for place, (name, values) in enumerate(compared.asked.items()):
        cells = [plain("" if value is None else _asked(value)) for value in values]
        made.add_row(Text(("asked for: " if place == 0 else "") + name.replace("_", " "), "dim"), *cells)
    row("trials", lambda side: counted(side.trials))
    row("best on validation", _score)
    row("hyperparameters that differ", lambda side: ", ".join(f"{n} {v}" for n, v in wording.settings(side.differing)))
    metrics = dict.fromkeys(name for side in compared.sides if side.evaluation for name in side.evaluation.metrics)
    for name in metrics:
        row(f"{wording.metric_title(name)} on test", partial(_figure, name))
    row("test examples", lambda side: wording.count(side.evaluation.num_examples) if side.evaluation else "")
    row("model", lambda side: plain(side.run.model or "", "bold"))
    for step in dict.fromkeys(step for side in compared.sides for step in side.seconds):
        row(step, partial(_step, step))
    lines: list[RenderableType] = [made, Text("")]
    lines += [item("!", "yellow", warning) for warning in compared.warnings]
    lines += [item("·", "cyan", note) for note in compared.notes]
    return Group(*lines)


def _time(side: Side) -> str:
    used = "" if side.used is None else wording.duration(side.used)
    if side.budget is None:
        return used
    told = f"{used or 'unknown'} of {wording.duration(side.budget)}"
    return f"{told} so far" if side.run.state is RunState.RUNNING else told


def _asked(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else wording.setting_value(value)


def _score(side: Side) -> Text:
    if side.best is None:
        return Text("none", "dim")
    score = (wording.number(side.best.score or 0.0), "bold")
    about = f" {wording.metric_title(side.run.objective)}, {wording.clean(side.best.space)} (trial {side.best.number})"
    return Text.assemble(score, about)


def _step(step: str, side: Side) -> str:
    return wording.duration(side.seconds[step]) if step in side.seconds else ""


def _figure(name: str, side: Side) -> Text:
    figure = None if side.evaluation is None else side.evaluation.metrics.get(name)
    if side.evaluation is None or figure is None:
        return Text("")
    bold = "bold" if name == side.evaluation.objective else ""
    return Text.assemble((wording.number(figure.value), bold), (f" ({wording.interval(figure)})", "dim"))
