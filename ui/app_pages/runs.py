"""Runs: what was tried, what came of it, and the report. What goes on is shown while it does."""

from __future__ import annotations

import streamlit as st

from records.errors import KerasmithError
from records.trial import Run, RunState
from ui.board import show_data, show_head, show_report
from ui.stores import evaluation_of, newest_runs, signature, time_left, trials_of
from ui.trials import show_trials
from ui.words import duration, interval, metric_title, moment, number, plain

# between two looks at the ledger: while something runs, and else (no strings below names here: Streamlit shows them)
LOOK_SECONDS, IDLE_SECONDS = 2.0, 10.0
COLORS = {
    RunState.COMPLETED: "green",
    RunState.RUNNING: "blue",
    RunState.FAILED: "red",
    RunState.INTERRUPTED: "orange",
}


def main() -> None:
    """The whole page."""
    try:
        runs = newest_runs()
        if not runs:
            st.title("Runs", anchor=False)
            st.info("There are no runs yet. Make one: type this into a terminal.", icon=":material/rocket_launch:")
            st.code("kerasmith run digits --budget 2m", language="bash")
            _watch(runs, None)
            return
        listing, detail = st.columns([3, 10], gap="large")
        with listing:
            st.title("Runs", anchor=False)
            run = _choose(runs)
        with detail:
            _show(run)
        _watch(runs, run)
    except KerasmithError as error:
        st.error(plain(error))


def _choose(runs: list[Run]) -> Run:
    """The list, newest first."""
    by_id = {run.id: run for run in runs}
    chosen = st.radio(
        "Runs, newest first",
        list(by_id),
        format_func=lambda run_id: _title(by_id[run_id]),
        captions=[_caption(run) for run in runs],
        key="run",
        persist_state="session",
    )
    return by_id.get(chosen or "", runs[0])


def _title(run: Run) -> str:
    return f"**{plain(run.model or run.name)}**"


def _caption(run: Run) -> str:
    evaluation = evaluation_of(run)
    told = metric_title(run.objective)
    if evaluation is not None and run.objective in evaluation.metrics:
        figure = evaluation.metrics[run.objective]
        told += f" {number(figure.value)} ({interval(figure)})"
    left = time_left(run)
    when = moment(run.started_at) if left is None else f"{duration(left)} left"
    return f":{COLORS[run.state]}[{run.state.value}], {when}  \n{told}"


def _show(run: Run) -> None:
    trials = trials_of(run)
    show_head(run, trials)
    # tabs that the server knows stay open while the page is shown anew, and only the open one is made
    trials_tab, data_tab, report_tab = st.tabs(["Trials", "Data", "Report"], key="tabs", on_change="rerun")
    if trials_tab.open:
        with trials_tab:
            show_trials(run, trials)
    if data_tab.open:
        with data_tab:
            show_data(run)
    if report_tab.open:
        with report_tab:
            show_report(run)


def _watch(runs: list[Run], run: Run | None) -> None:
    """Looks at the ledger again and again, and shows the page anew when there is something new in it."""
    seen = signature(runs, [] if run is None else trials_of(run))
    pause = LOOK_SECONDS if any(one.state is RunState.RUNNING for one in runs) else IDLE_SECONDS

    @st.fragment(run_every=pause)
    def look() -> None:
        try:
            new = newest_runs()
            chosen = next((one for one in new if run is not None and one.id == run.id), None)
            changed = signature(new, [] if chosen is None else trials_of(chosen)) != seen
        except KerasmithError:
            return  # the page says so at the next look by a person
        if changed:
            st.rerun()

    look()


if __name__ == "__main__":
    main()
