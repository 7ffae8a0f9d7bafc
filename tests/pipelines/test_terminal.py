"""What the command line shows fits 80 columns, is honest, and cannot be steered by the data."""

import dataclasses
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from pipelines.doctor.examine import Check
from pipelines.reporting.facts import ReportFacts
from pipelines.terminal import views as terminal
from pipelines.terminal.live import search_line
from records.api import ClassProbability, Prediction
from records.registry import ModelVersion
from records.spec import InputKind
from records.task import Decision
from records.trial import RunState
from tests.pipelines.other_facts import classes_of, decided, futures_of, numbers_of
from tests.pipelines.told_trials import trials


def shown(renderable: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(renderable)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines()), default=0) <= width
    return text


def test_runs_are_listed_within_80_columns(make_facts: Callable[..., ReportFacts]) -> None:
    run = make_facts().run
    long = dataclasses.replace(run, config={"data": "/a/very/long/folder/with/many/parts/and/its/pictures"})
    text = shown(terminal.runs_table([run, long]))
    assert run.id in text
    assert "completed" in text
    assert "9 min 20 s" in text
    assert "…" in text


def test_models_are_listed_with_their_interval_and_their_floor() -> None:
    summary = {
        "objective": "accuracy",
        "figure": {"value": 0.8512, "low": 0.83, "high": 0.872},
        "better_than": ["majority"],
        "space": "frozen_backbone",
        "latency_ms": 7.93,
        "size_bytes": 13_672_011,
    }
    given = {"bundle_id": "b", "run_id": "r", "checksum": "c", "created_at": "2026-11-21T10:11:12+00:00"}
    models = [
        ModelVersion(name="clothing", version=2, summary=summary, **given),  # type: ignore[arg-type]
        ModelVersion(name="bare", version=1, **given),  # type: ignore[arg-type]
    ]
    text = shown(terminal.models_table(models))
    assert "clothing:2" in text
    assert "accuracy 0.851" in text
    assert "0.830 to 0.872" in text
    assert " no " in text
    assert "bare:1" in text


def test_a_run_is_shown_whole(make_facts: Callable[..., ReportFacts]) -> None:
    facts = make_facts()
    view = terminal.run_view(
        facts.run,
        facts.trials,
        evaluation=facts.manifest.evaluation,
        findings=facts.findings,
        understood=facts.understood,
        left_out=facts.left_out,
        seconds=facts.seconds,
    )
    text = " ".join(shown(view).split())
    for expected in (
        "Better than the floor.",
        "a paired difference of +0.310",
        "1 without a result",
        "14 images look the same",
        "To say otherwise: --source.",
        "MobileNetV2 was left out",
        "search 7 min 11 s",
    ):
        assert expected in text


def test_a_failed_run_shows_why(make_facts: Callable[..., ReportFacts]) -> None:
    run = dataclasses.replace(make_facts().run, error="The disk is full.\nTraceback", model=None)
    text = shown(terminal.run_view(run, ()))
    assert "The disk is full." in text
    assert "Traceback" not in text


@pytest.mark.parametrize(("objective", "best"), [("accuracy", "0.900"), ("log_loss", "0.200")])
def test_leaderboard_ranks_by_what_is_better(make_facts: Callable[..., ReportFacts], objective: str, best: str) -> None:
    trial = make_facts().trials[0]
    trials = [dataclasses.replace(trial, number=i, score=score) for i, score in enumerate((0.9, 0.2, 0.5))]
    first = shown(terminal.leaderboard_table(trials, objective)).splitlines()[2]
    assert best in first
    assert f"best {best}" in re.sub(r"best \S+ ", "best ", search_line(trials, objective).plain)


def test_leaderboard_tells_how_many_it_leaves_out(make_facts: Callable[..., ReportFacts]) -> None:
    text = shown(terminal.leaderboard_table(make_facts(num_trials=14).trials, "accuracy", limit=3))
    assert "11 more, 1 without a result" in text


def test_leaderboard_ranks_and_marks_what_was_stopped_early() -> None:
    lines = shown(terminal.leaderboard_table(trials(), "accuracy"), 120).splitlines()
    assert lines[3].split()[:5] == ["Known", "to", "be", "good", "on"] and "Half the batch" in lines[4] + lines[5]
    second = next(line for line in lines if line.split()[:3] == ["2", "2", "cnn"])
    assert "0.800" in second and "stopped early; proposed; filters 32" in second
    assert "attempt 2, went on from step 1,200" in lines[-3].replace("; ", ", ")
    assert lines[-1].strip() == "2 running, 1 waiting to be taken up again, 1 without a result"


def test_a_run_tells_how_its_search_went_and_how_to_go_on(make_facts: Callable[..., ReportFacts]) -> None:
    run = dataclasses.replace(make_facts().run, state=RunState.INTERRUPTED, used_seconds=412.0)
    logs = Path("/home/somebody/kerasmith/runs/3f2a9c01d7e4/tensorboard")
    text = shown(terminal.run_view(run, trials(), logs=logs))
    assert "took 6 min 52 s of 10 min 0 s" in text
    assert "Go on with it: kerasmith resume 3f2a9c01d7e4" in text
    assert f"tensorboard --logdir {logs}" in text
    assert "Trial 3 began again since its worker died." in text
    done = shown(terminal.run_view(make_facts().run, make_facts().trials))
    assert "resume" not in done and "tensorboard" not in done


def test_a_run_that_goes_on_tells_what_is_left(make_facts: Callable[..., ReportFacts]) -> None:
    run = dataclasses.replace(make_facts().run, state=RunState.RUNNING, ended_at=None, used_seconds=412.0)
    assert "3 min 8 s left of 10 min 0 s" in shown(terminal.run_view(run, ()))
    assert "left" not in shown(terminal.run_view(dataclasses.replace(run, used_seconds=0.0), ()))


def test_predictions_and_data_cannot_steer_the_terminal() -> None:
    classes = [ClassProbability(label=label, probability=0.3) for label in ("[red]a", "b\x1b]0;owned\x07", "c\u202ed")]
    prediction = Prediction(label="[red]a", probability=0.3, classes=classes)
    text = shown(terminal.predictions_table(["evil\x1b[2J.png"], [prediction]))
    assert "[red]a" in text
    assert not set(text) & {"\x1b", "\x07", "\u202e"}


@pytest.mark.parametrize("width", [80, 120])
def test_figures_of_numbers_and_futures_say_what_they_are(make_facts: Callable[..., ReportFacts], width: int) -> None:
    numbers = " ".join(shown(terminal.figures_view(numbers_of(make_facts).manifest), width).split())
    assert "root mean squared error 612.4 on 1,800 test examples, 95 % interval 560.1 to 671.9; less is" in numbers
    assert "Better than the mean." in numbers
    assert "calibration" not in numbers
    futures = " ".join(shown(terminal.figures_view(futures_of(make_facts).manifest), width).split())
    assert "74 % do" in futures
    assert "mean absolute error of step 24 1.650" in futures


def test_a_run_of_numbers_has_no_classes(make_facts: Callable[..., ReportFacts]) -> None:
    facts = numbers_of(make_facts)
    run = dataclasses.replace(facts.run, objective="rmse", task="regression")
    text = shown(terminal.run_view(run, facts.trials, evaluation=facts.manifest.evaluation))
    assert "Each class" not in text
    assert "Trials, by root mean squared error on the validation split" in text


def test_the_threshold_is_told(make_facts: Callable[..., ReportFacts]) -> None:
    facts = decided(classes_of(make_facts, InputKind.TEXT), Decision(threshold=0.342))
    assert "It answers spam from a probability of 0.342 on" in shown(terminal.figures_view(facts.manifest), 200)


def test_checks_say_what_to_do() -> None:
    checks = [
        Check(name="Keras", ok=False, what="It failed.", fix="Install it."),
        Check(name="GPU", ok=None, what="None is seen."),
        Check(name="Python", ok=True, what="3.11."),
    ]
    lines = shown(terminal.checks_table(checks)).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["bad", "Install", "note", "ok"]


def test_nothing_of_a_command_is_left_out() -> None:
    command = "kerasmith predict a-model-with-a-long-name " + "picture.jpg " * 10
    text = shown(terminal.commands_view([("Ask it:", command), ("See:", "kerasmith runs")]))
    assert " ".join(command.split()) in " ".join(text.split())
    assert "\n  kerasmith runs" in text


def test_piped_output_has_no_colour(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    terminal.make_console().print(terminal.checks_table([Check(name="Keras", ok=False, what="It failed.")]))
    out = capsys.readouterr().out
    assert "bad" in out
    assert "\x1b" not in out
