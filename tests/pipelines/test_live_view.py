"""The view while a search goes on: it fits, does not move about, and no terminal can make it end a run."""

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.progress import Progress as ProgressProtocol
from pipelines.reporting.facts import ReportFacts
from pipelines.terminal.live import Progress, search_line
from pipelines.terminal.search_board import SearchBoard, drawn
from records.trial import Trial, TrialState
from tests.pipelines.told_trials import leases, trial, trials

ROOT = Path(__file__).resolve().parents[2]


def shown(tried: list[Trial], width: int = 80, height: int = 24, objective: str = "accuracy") -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    console.print(drawn(SearchBoard().standing(tried, objective, leases()), height))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= width
    return lines


def test_best_counts_and_running_trials_are_there() -> None:
    lines = shown(trials())
    assert lines[0] == "best accuracy 0.900 (trial 1, frozen_backbone)"
    assert lines[1].strip() == "4 trials done, 1 of them stopped early, 2 running, 1 waiting, 1 failed"
    rows = [line.split() for line in lines[3:]]
    assert rows[0] == ["best", "1", "frozen_backbone", "0.900", "1", "31", "s"]
    assert rows[1] == ["2", "cnn", "0.800", "2", "31", "s,", "stopped", "early"]
    assert rows[3][:2] == ["running", "5"] and rows[3][3:5] == ["0.500", "5"]
    assert lines[6].rstrip().endswith("0.0 s of 1 min 20 s")
    assert rows[4][:2] == ["6", "cnn"]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("height", [4, 8, 24])
def test_it_fits_any_terminal(width: int, height: int) -> None:
    many = [*trials(), *(trial(i, "cnn", TrialState.RUNNING) for i in range(8, 30))]
    lines = shown(many, width, height)
    assert len(lines) < max(height, 5)
    if height == 24:
        assert lines[-1].strip() == "and 16 more"


def test_before_the_first_trial_and_with_a_metric_of_which_less_is_better() -> None:
    assert shown([]) == ["The first trial has not begun yet."]
    assert shown(trials(), objective="rmse")[0] == "best root mean squared error 0.600 (trial 0, floor)"


def test_columns_stay_where_they_are() -> None:
    few, later = shown(trials()[:1]), shown([*trials(), trial(9, "cnn", TrialState.COMPLETED, 54321.0)])
    titles = [next(line for line in lines if "space" in line) for lines in (few, later)]
    assert titles[0].rstrip() == titles[1].rstrip()


def test_time_of_a_running_trial_is_counted_anew_for_another_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("pipelines.terminal.search_board.time.monotonic", lambda: now[0])
    board, running = SearchBoard(), trial(1, "cnn", TrialState.RUNNING)
    began = []
    for attempt in (1, 1, 2):
        began.append(board.standing([replace(running, attempt=attempt)], "accuracy").running[0][1])
        now[0] += 7.0
    assert began == [100.0, 100.0, 114.0]


class Closed(io.StringIO):
    """A terminal that goes away."""

    gone = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.gone:
            raise OSError(5, "Input/output error")
        return super().write(text)


def test_a_terminal_that_goes_away_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda told: None)
    file = Closed()
    console = Console(file=file, force_terminal=True, width=80)
    with Progress(60.0, console=console) as progress:
        progress.step("search")
        progress.search(trials(), "accuracy", 30.0, leases())
        file.gone = True
        time.sleep(0.6)  # the refreshing thread meets it too
        progress.note("Something.")
        progress.step("refit")
        progress.search(trials(), "accuracy", 30.0)


STEPS = """
import time
from pipelines.terminal.live import Progress
from records.trial import Trial, TrialState
trials = [Trial(run_id="r", number=0, space="floor", values={}, state=TrialState.COMPLETED, seed=0, score=0.5),
          Trial(run_id="r", number=1, space="cnn", values={}, state=TrialState.RUNNING, seed=0)]
with Progress(60.0) as progress:
    progress.step("prepare")
    progress.step("search")
    progress.search(trials, "accuracy", 41.0)
    time.sleep(0.6)
"""
SEARCH = """
import time
from pipelines.terminal.live import Progress
from tests.pipelines.told_trials import leases, trials
with Progress(60.0) as progress:
    progress.step("search")
    for _ in range(6):
        progress.search(trials(), "accuracy", 41.0, leases())
        time.sleep(0.2)
"""


def on_terminal(program: str, **variables: str) -> str:
    """What a program writes to a terminal that is its standard error; it writes nothing else."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "LINES": "24", "PYTHONUTF8": "1", "TERM": "xterm", **variables}
    started = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, stderr=theirs, stdout=subprocess.PIPE
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    out, _ = started.communicate(timeout=60)
    os.close(ours)
    assert (started.returncode, out) == (0, b""), seen
    return seen.decode()


def test_finished_steps_stay_and_no_colour_is_no_colour() -> None:
    seen = on_terminal(STEPS, NO_COLOR="1")
    text = re.sub(r"\x1b\[[0-9;]*m", "", seen)
    assert "✓ prepare" in text
    assert "1 trial done, 1 running; best accuracy 0.500 (trial 0, floor)" in text
    assert re.search(r"4[01] s left of the budget", text)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", seen)  # dim and bold only


def test_on_a_terminal_it_is_drawn_over_and_then_gone() -> None:
    text = on_terminal(SEARCH)
    assert "of 1 min 20 s" in text and "stopped early" in text
    assert "\x1b[2J" not in text  # drawn over line by line: a cleared screen would flicker
    kept = text[text.rindex("✓") :]
    assert "4 trials done" in kept and "of 1 min 20 s" not in kept
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor comes back


def test_on_a_dumb_terminal_it_is_silent() -> None:
    assert on_terminal(SEARCH, TERM="dumb") == ""


def test_progress_is_silent_without_a_terminal(make_facts: Callable[..., ReportFacts]) -> None:
    console = Console(file=io.StringIO())
    with Progress(60.0, console=console) as progress:
        progress.step("search")
        progress.search(make_facts().trials, "accuracy", 30.0)
        progress.note("Something.")
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


def test_verbose_progress_says_one_line_for_each_step() -> None:
    console = Console(file=io.StringIO(), width=80)
    with pytest.raises(RuntimeError), Progress(60.0, verbose=True, console=console) as progress:
        progress.step("prepare", "photos")
        progress.amount(3, 10)
        progress.note("3 files were left out.")
        progress.step("search")
        raise RuntimeError
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split()[0] for line in lines] == ["3", "✓", "✗"]
    assert "\x1b" not in "".join(lines)


def test_progress_fulfils_what_a_run_expects() -> None:
    expected = {name for name in vars(ProgressProtocol) if not name.startswith("_")}
    assert expected <= set(dir(Progress))


def test_search_line_counts_states(make_facts: Callable[..., ReportFacts]) -> None:
    running = Trial(run_id="r", number=99, space="cnn", values={}, state=TrialState.RUNNING, seed=0)
    line = search_line([*make_facts().trials, running], "accuracy").plain
    assert line.startswith("12 trials done, 1 running, 1 failed; best accuracy 0.9")
