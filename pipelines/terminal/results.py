"""What the commands show and print: runs, models and answers, read from the home."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from pipelines.reporting.kinds import next_commands
from pipelines.run import Outcome
from pipelines.tensorboard_logs import LOGS
from pipelines.terminal.predictions import Answers as Answers
from pipelines.terminal.predictions import predict_files as predict_files
from pipelines.terminal.predictions import show_predictions as show_predictions
from pipelines.terminal.views import (
    commands_view,
    figures_view,
    leaderboard_table,
    make_console,
    run_view,
)
from records.bundle import Average
from records.data import Finding, Severity
from records.evaluation import Evaluation
from records.registry import ModelVersion
from records.trial import Run, Trial
from store.database import open_database
from store.home import Home, open_home
from store.ledger import Ledger
from store.registry import Registry


@dataclass(frozen=True)
class Stores:
    """What a home remembers."""

    home: Home
    ledger: Ledger
    registry: Registry


@contextmanager
def read_home() -> Iterator[Stores]:
    """The stores of the home, for as long as the body runs."""
    home = open_home()
    engine = open_database(home)
    try:
        yield Stores(home, Ledger(engine), Registry(engine))
    finally:
        engine.dispose()


def run_json(run: Run) -> dict[str, Any]:
    """A run without its long parts."""
    fields = asdict(run)
    fields.pop("summary")
    return fields | {"total_seconds": run.summary.get("total_seconds")}


def model_json(model: ModelVersion) -> dict[str, Any]:
    """A registered model."""
    return {"ref": model.ref} | asdict(model)


def run_details(run: Run, trials: Sequence[Trial], logs: Path | None = None) -> dict[str, Any]:
    """A run with everything that is known of it."""
    told = {"trials": [asdict(trial) for trial in trials], "tensorboard": None if logs is None else str(logs)}
    return asdict(run) | told


def logs_of(home: Home, run_id: str) -> Path | None:
    """The folder of a run's TensorBoard logs, where there is one."""
    folder = home.run_folder(run_id) / LOGS
    return folder if folder.is_dir() else None


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """What `kerasmith run --json` prints."""
    return {
        "model": outcome.model.ref,
        "run": outcome.run.id,
        "report": str(outcome.report),
        "engine": outcome.manifest.engine,
        "average": outcome.run.summary.get("average"),
        "seconds": outcome.run.summary.get("seconds"),
        "total_seconds": outcome.run.summary.get("total_seconds"),
        "evaluation": outcome.manifest.evaluation.model_dump(mode="json"),
        "findings": [asdict(finding) for finding in outcome.prepared.findings],
        "left_out": outcome.run.summary.get("left_out"),
        "trials": [
            {"number": t.number, "space": t.space, "state": t.state.value, "score": t.score} for t in outcome.trials
        ],
        "next": [command for _, command in next_commands(outcome.model.name, outcome.manifest.input_kind)],
    }


def show_outcome(outcome: Outcome) -> None:
    """The end of `kerasmith run`: figures, leaderboard, where the report is, and what to type next."""
    console = make_console()
    console.print(leaderboard_table(outcome.trials, outcome.manifest.objective))
    console.print(figures_view(outcome.manifest))
    typer.echo(f"Model:   {outcome.model.ref}\nReport:  {outcome.report}\n")
    console.print(commands_view(next_commands(outcome.model.name, outcome.manifest.input_kind)))


def show_run(run: Run, trials: Sequence[Trial], logs: Path | None = None) -> None:
    """`kerasmith show`."""
    summary = run.summary
    evaluation = summary.get("evaluation")
    findings = [_finding(fields) for fields in summary.get("findings", [])]
    make_console().print(
        run_view(
            run,
            trials,
            evaluation=Evaluation.model_validate(evaluation) if evaluation else None,
            findings=findings,
            left_out=summary.get("left_out", ()),
            seconds=summary.get("seconds"),
            average=Average.model_validate(summary["average"]) if summary.get("average") else None,
        )
    )


def _finding(fields: dict[str, Any]) -> Finding:
    return Finding(**{**fields, "severity": Severity(fields["severity"]), "examples": tuple(fields["examples"])})
