"""What the command line shows: functions from records to rich renderables. Progress is in `pipelines.terminal.live`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipelines.reporting import verdicts, wording
from pipelines.terminal.console import item, local_time, plain, table, tail, took, used
from pipelines.terminal.console import make_console as make_console
from pipelines.terminal.leaderboard import course_view, mattered_view
from pipelines.terminal.leaderboard import leaderboard_table as leaderboard_table
from pipelines.terminal.live import Progress as Progress
from pipelines.terminal.predictions import predictions_table as predictions_table
from records.bundle import Average, Manifest
from records.data import Finding, Severity, Understood
from records.evaluation import Evaluation
from records.registry import ModelVersion
from records.trial import Run, RunState, Trial

if TYPE_CHECKING:
    from pipelines.doctor.examine import Check

STATE_STYLES = {
    RunState.COMPLETED: "green",
    RunState.RUNNING: "cyan",
    RunState.FAILED: "red",
    RunState.INTERRUPTED: "yellow",
}
STANDING_STYLES = {
    verdicts.Standing.BETTER: "green",
    verdicts.Standing.UNCLEAR: "yellow",
    verdicts.Standing.SAME: "yellow",
    verdicts.Standing.WORSE: "red",
}


def runs_table(runs: Sequence[Run]) -> Table:
    """All runs, as they are given."""
    made = table("run", "data", "state", "started", "took", "model", right=["took"], keep=["run", "state", "started"])
    for run in runs:
        made.add_row(
            plain(run.id),
            plain(tail(run.config.get("data", run.name))),
            plain(run.state.value, STATE_STYLES[run.state]),
            local_time(run.started_at),
            took(run),
            plain(run.model or ""),
        )
    return made


def models_table(models: Sequence[ModelVersion]) -> Table:
    """All models, each with its figure on the test split."""
    titles = ("model", "test figure", "beats floor", "space", "answer", "size", "made")
    made = table(*titles, right=["answer", "size"], keep=["test figure", "made"])
    for model in models:
        summary = model.summary
        made.add_row(
            plain(model.ref, "bold"),
            _summary_figure(summary),
            _beats_floor(summary),
            plain(summary.get("space", "")),
            wording.milliseconds(summary["latency_ms"]) if summary.get("latency_ms") else "",
            wording.size(summary["size_bytes"]) if summary.get("size_bytes") else "",
            plain(model.created_at[:10]),
        )
    return made


def figures_view(manifest: Manifest) -> Group:
    """The headline, how it compares, how answers are decided, and every metric."""
    told = verdicts.decision_sentences(manifest.decision, manifest.labels, manifest.objective)
    if sentence := verdicts.coverage(manifest.evaluation, manifest.quantiles):
        told.append(sentence)
    told += verdicts.average_sentences(manifest.average, manifest.objective)
    if sentence := verdicts.fits_sentence(manifest.fits):
        told.append(sentence)
    return _figures(manifest.evaluation, manifest.space, manifest.input_kind, told)


def _figures(evaluation: Evaluation, space: str, kind: str = "", told: Sequence[str] = ()) -> Group:
    objective = evaluation.metrics[evaluation.objective]
    headline = Text.assemble(
        (f"{wording.metric_title(evaluation.objective)} {wording.number(objective.value)}", "bold"),
        f" on {wording.plural(evaluation.num_examples, 'test example')}, 95 % interval {wording.interval(objective)}",
        "; less is better" if wording.less_is_better(evaluation.objective) else "",
    )
    lines: list[RenderableType] = [headline]
    for verdict in verdicts.verdicts(evaluation, space, kind):
        style = STANDING_STYLES[verdict.standing]
        lines.append(Padding(Text.assemble((verdict.short, style), f". {verdict.detail}"), (0, 0, 0, 2)))
    lines += [Padding(Text(sentence), (0, 0, 0, 2)) for sentence in told]
    if note := verdicts.certainty_note(evaluation):
        lines.append(Padding(Text(note, "dim"), (0, 0, 0, 2)))
    return Group(*lines, Text(""), _other_figures(evaluation))


def _other_figures(evaluation: Evaluation) -> Table:
    made = table("also", "value", "95 % interval", right=["value", "95 % interval"])
    others = {wording.metric_title(n): f for n, f in evaluation.metrics.items() if n != evaluation.objective}
    if evaluation.calibration_error is not None:
        others["calibration error"] = evaluation.calibration_error
    if len(evaluation.per_step) > 1:
        others["mean absolute error of the first step"] = evaluation.per_step[0]
        others[f"mean absolute error of step {len(evaluation.per_step)}"] = evaluation.per_step[-1]
    for title, figure in others.items():
        made.add_row(title, wording.number(figure.value), wording.interval(figure))
    return made


def per_class_table(evaluation: Evaluation, limit: int = 30) -> Table:
    """Each class with its figures; where there are more than `limit`, the weakest."""
    made = table("class", "examples", "precision", "recall", "95 % interval", "F1", right=["examples", "precision"])
    rows = list(evaluation.per_class)
    if len(rows) > limit:
        rows = sorted(rows, key=lambda row: row.f1.value)[:limit]
    for row in rows:
        made.add_row(
            plain(row.label),
            wording.count(row.support),
            wording.number(row.precision.value),
            wording.number(row.recall.value),
            wording.interval(row.recall),
            wording.number(row.f1.value),
        )
    if more := len(evaluation.per_class) - len(rows):
        made.add_row(Text(f"{more} more with a higher F1", "dim"), *[""] * 5)
    return made


def findings_view(findings: Sequence[Finding], understood: Sequence[Understood] = ()) -> Group:
    """What was seen in the data and done about it, and what could have been meant otherwise."""
    lines: list[RenderableType] = []
    for one in understood:
        override = f" To say otherwise: {one.override}." if one.override else ""
        lines.append(item("·", "cyan", f"{one.what}{override}"))
    for finding in findings:
        mark, style = ("!", "yellow") if finding.severity is Severity.WARNING else ("·", "cyan")
        lines.append(item(mark, style, f"{finding.what} {finding.done}"))
        if finding.examples:
            lines.append(item("", "", f"For instance {', '.join(finding.examples[:3])}", "dim"))
    return Group(*(lines or [Text("Nothing to note.", "dim")]))


def run_view(
    run: Run,
    trials: Sequence[Trial],
    *,
    evaluation: Evaluation | None = None,
    findings: Sequence[Finding] = (),
    understood: Sequence[Understood] = (),
    left_out: Sequence[str] = (),
    seconds: Mapping[str, float] | None = None,
    logs: Path | None = None,
    average: Average | None = None,
) -> Group:
    """Everything about one run. `logs` is the folder of its TensorBoard logs, where there is one."""
    parts: list[RenderableType] = [_run_head(run)]
    ranked = wording.ranked(trials, run.objective)
    if evaluation is not None:
        space = ranked[0].space if ranked and average is None else ""
        told = verdicts.average_sentences(average, run.objective)
        parts += [_title("On the test split"), _figures(evaluation, space, told=told)]
        if evaluation.per_class:
            parts += [_title("Each class"), per_class_table(evaluation, limit=15)]
    if trials:
        parts += [_title(f"Trials, by {wording.metric_title(run.objective)} on the validation split")]
        parts += [leaderboard_table(trials, run.objective)]
        if sentences := course_view(trials):
            parts += [_title("How the search went"), *sentences]
        if (what := mattered_view(trials, run.objective)) is not None:
            parts += [_title("What mattered"), what]
    if findings or understood:
        parts += [_title("The data"), findings_view(findings, understood)]
    if left_out:
        parts += [_title("Left out"), *(item("·", "cyan", sentence) for sentence in left_out)]
    if logs:
        parts += [_title("Curves"), Text(f"tensorboard --logdir {logs}", overflow="fold")]
    if seconds:
        steps = ", ".join(f"{wording.clean(step)} {wording.duration(taken)}" for step, taken in seconds.items())
        parts += [_title("Where the time went"), Text(steps)]
    return Group(*parts)


def checks_table(checks: Sequence[Check]) -> Table:
    """The doctor's findings; what to do stands below what was found."""
    made = table("", "check", "what was found", keep=[""])
    marks = {True: Text("ok", "green"), False: Text("bad", "bold red"), None: Text("note", "yellow")}
    for check in checks:
        what = plain(check.what)
        if check.fix:
            what.append("\n").append_text(plain(check.fix, "bold"))
        made.add_row(marks[check.ok], plain(check.name), what)
    return made


def commands_view(commands: Sequence[tuple[str, str]]) -> Group:
    """What to type next; nothing of a command is ever left out, so that it can be copied."""
    lines: list[RenderableType] = []
    for what, command in commands:
        lines += [plain(what), Padding(Text(wording.clean(command), "bold", overflow="fold"), (0, 0, 0, 2))]
    return Group(*lines)


def _run_head(run: Run) -> Group:
    head = Text.assemble((wording.clean(run.id), "bold"), "  ", plain(run.state.value, STATE_STYLES[run.state]))
    told = [f"data {run.config.get('data', run.name)}", f"started {local_time(run.started_at)}", used(run)]
    if run.model:
        told.append(f"model {run.model}")
    lines = [head, plain(", ".join(one for one in told if one))]
    if run.error:
        lines.append(plain(run.error.splitlines()[0], "red"))
    if run.state is RunState.INTERRUPTED:
        lines.append(Text.assemble("Go on with it: ", (f"kerasmith resume {wording.clean(run.id)}", "bold")))
    return Group(*lines)


def _title(text: str) -> Text:
    return Text(f"\n{text}", "bold underline")


def _beats_floor(summary: Mapping[str, Any]) -> Text:
    if "better_than" not in summary:
        return Text("")
    return Text("yes", "green") if "floor" in summary["better_than"] else Text("no", "yellow")


def _summary_figure(summary: Mapping[str, Any]) -> Text:
    figure = summary.get("figure")
    if not isinstance(figure, Mapping):
        return Text("")
    title = wording.metric_title(str(summary.get("objective", "")))
    span = f"{wording.number(figure['low'])} to {wording.number(figure['high'])}"
    return Text.assemble(f"{title} {wording.number(figure['value'])}\n", (span, "dim"))
