"""One run in detail: how it stands, its trials, its data, its report."""

from __future__ import annotations

import base64
from pathlib import Path

import streamlit as st

from records.evaluation import Comparison, Evaluation
from records.trial import Run, RunState, Trial
from ui.markup import bullets, facts, tag
from ui.stores import budget_of, evaluation_of, findings_of, ranked, report_of, time_left
from ui.trials import done, others
from ui.words import (
    cell,
    duration,
    interval,
    less_is_better,
    listed,
    metric_title,
    moment,
    number,
    plain,
    seconds_between,
    signed,
)

TONES = {
    RunState.COMPLETED: "good",
    RunState.RUNNING: "note",
    RunState.FAILED: "bad",
    RunState.INTERRUPTED: "warn",
}
REPORT_HEIGHT = 860
PAUSE_SECONDS = 60.0
"""Between what a run took and what it used, from which on it was interrupted and resumed."""
BASELINES = {
    "floor": "the floor baseline",
    "majority": "always answering the most frequent class",
    "mean": "always answering the mean",
    "seasonal_naive": "repeating the values of one season ago",
}


def show_head(run: Run, trials: list[Trial]) -> None:
    """The run's name, state and figures."""
    st.html(
        f'<p class="ks-head ks-top"><b>{cell(run.model or run.name)}</b>{tag(run.state.value, TONES[run.state])}'
        f"<span>run {cell(run.id)}, from {cell(run.config.get('data', ''))}</span></p>"
    )
    evaluation = evaluation_of(run)
    pairs = _figure(run, evaluation, trials)
    pairs.append(("started", moment(run.started_at), _paused(run)))
    pairs.append(_clock(run))
    pairs.append(("trials", f"{done(trials)} done", others(trials)))
    facts([pair for pair in pairs if pair[1]])
    if run.error:
        st.error(plain(run.error))
    if run.state is RunState.INTERRUPTED:
        st.caption("What was tried is kept. To go on with it, type this into a terminal.")
        st.code(f"kerasmith resume {run.id}", language="bash")
    if evaluation is not None and evaluation.comparisons:
        bullets([_compared(one) for one in evaluation.comparisons])


def _figure(run: Run, evaluation: Evaluation | None, trials: list[Trial]) -> list[tuple[str, str, str]]:
    title = metric_title(run.objective)
    if evaluation is not None and run.objective in evaluation.metrics:
        figure = evaluation.metrics[run.objective]
        note = f"95 % interval {interval(figure)}"
        less = less_is_better(run.objective)
        return [(f"{title} on the test split", number(figure.value), f"{note}; {less}" if less else note)]
    best = ranked(trials, run.objective)
    if not best:
        return [(title, "not yet", "")]
    return [(f"{title} on the validation split", number(best[0].score or 0.0), f"best so far, trial {best[0].number}")]


def _clock(run: Run) -> tuple[str, str, str]:
    """What it used of its budget, over all its processes; of one that goes on, what is left."""
    budget, left = budget_of(run), time_left(run)
    of = "" if budget is None else f"of {duration(budget)}"
    if left is not None:
        return "time left", duration(left), of
    used = run.used_seconds or seconds_between(run.started_at, run.ended_at)
    return "time used", "" if used is None else duration(used), of


def _paused(run: Run) -> str:
    """Says so where the run rested between two processes."""
    wall = seconds_between(run.started_at, run.ended_at)
    if wall is None or not run.used_seconds or wall - run.used_seconds < PAUSE_SECONDS:
        return ""
    return f"resumed after a pause of {duration(wall - run.used_seconds)}"


def _compared(one: Comparison) -> tuple[str, str]:
    name = BASELINES.get(one.baseline, one.baseline)
    word, tone = ("better", "good") if one.better else ("not shown to be better", "warn")
    if one.difference.high < 0:
        word, tone = "worse", "bad"
    low, high = signed(one.difference.low), signed(one.difference.high)
    what = (
        f"{tag(word, tone)} than {cell(name)}, whose {cell(metric_title(one.metric))} is {number(one.baseline_value)}"
    )
    return what, f"The paired difference lies between {low} and {high} (95 % interval; + is better)."


def show_data(run: Run) -> None:
    """What was found in the data, what was left out, and where the time went."""
    st.subheader("What was found in the data", anchor=False)
    findings = findings_of(run)
    if findings:
        bullets([_finding(one) for one in findings])
    else:
        st.caption("Nothing to note." if run.state is RunState.COMPLETED else "The run has not said yet.")
    left_out = [str(sentence) for sentence in run.summary.get("left_out") or []]
    if left_out:
        st.subheader("What was left out", anchor=False)
        bullets([(cell(sentence), "") for sentence in left_out])
    seconds = run.summary.get("seconds")
    if isinstance(seconds, dict) and seconds:
        st.subheader("Where the time went", anchor=False)
        facts([(str(step), duration(float(taken)), "") for step, taken in seconds.items()])


def _finding(one: dict[str, object]) -> tuple[str, str]:
    warning = one.get("severity") == "warning"
    mark = tag("warning" if warning else "info", "warn" if warning else "note")
    examples = one.get("examples")
    names = [str(name) for name in examples] if isinstance(examples, (list, tuple)) else []
    note = f"For instance {cell(listed(names, 3))}" if names else ""
    return f"{mark}{cell(one.get('what', ''))} {cell(one.get('done', ''))}", note


def show_report(run: Run) -> None:
    """The report of the run's model, and its file."""
    found = report_of(run)
    if not isinstance(found, Path):
        st.caption(plain(found))
        return
    data = found.read_bytes()
    st.download_button("Download the report (html)", data, f"{run.name}-report.html", "text/html", on_click="ignore")
    # As an address of its own the report has an origin of its own, and its links to its sections stay inside it.
    source = f"data:text/html;charset=utf-8;base64,{base64.b64encode(data).decode()}"
    st.iframe(source, height=REPORT_HEIGHT, alt=f"Report of {run.model}")
