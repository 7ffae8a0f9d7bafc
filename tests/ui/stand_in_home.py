"""A home with runs as a search leaves them, without a search."""

from __future__ import annotations

import math
import os
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from records.data import Finding, Severity
from records.evaluation import Comparison, Evaluation, Figure
from records.trial import EpochReport, Lease, Proposal, Run, RunState, Trial, TrialResult
from serving.model_store import put
from store.database import open_database
from store.home import Home
from store.leases import Leases
from store.ledger import Ledger
from store.registry import Registry

REPORT = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>petals</title></head><body><h1>Report of petals</h1><a href="#end">to the end</a>
<p style="height:3000px">A long page.</p><h2 id="end">The end</h2></body></html>"""
WORKER = "a worker"
NASTY = "![x](http://192.0.2.1/pixel.png) <img src=http://192.0.2.1/p.png> **bold** $x$ :smile:"
"""A text that must be shown as it is, and fetch nothing."""
SPACES = ("floor", "cnn", "frozen_backbone", "cnn", "finetuned_backbone")
BEST = 4
PRUNED = 3
"""Went on from a checkpoint, with half the batch, and was stopped early."""
WHY = "portfolio: On photographs a linear head on pretrained features is strong."


def evaluation() -> Evaluation:
    """Of the completed run."""
    difference = Figure(value=0.21, low=0.17, high=0.25)
    return Evaluation(
        num_examples=550,
        objective="accuracy",
        metrics={"accuracy": Figure(value=0.947, low=0.928, high=0.965)},
        comparisons=(
            Comparison(baseline="floor", metric="accuracy", baseline_value=0.737, difference=difference, better=True),
        ),
    )


def findings() -> list[Finding]:
    what = "3 files are not readable images."
    return [
        Finding(code="counts", severity=Severity.INFO, what="3,670 images in 5 classes.", done="All are used."),
        Finding(code="unreadable", severity=Severity.WARNING, what=what, done="Left out.", examples=("a.jpg", NASTY)),
    ]


def fill(home: Home) -> None:
    """Three runs, oldest first: failed, completed with a model and a report, running."""
    engine = open_database(home)
    ledger, leases, registry = Ledger(engine), Leases(engine), Registry(engine)
    began = datetime.now(UTC) - timedelta(hours=3)
    ledger.start_run(_run("aaaa0000", "petals", began))
    ledger.finish_run("aaaa0000", RunState.FAILED, error=f"The folder holds one class only: {NASTY}.")
    ledger.start_run(_run("bbbb1111", "petals", began + timedelta(hours=1)))
    for number, space in enumerate(SPACES):
        add_trial(leases, "bbbb1111", space, 0.7 + 0.06 * number, 1 if number == 0 else 8, pruned=number == PRUNED)
    fail_trial(leases, "bbbb1111")
    ledger.beat("bbbb1111", 485.0)
    model = registry.register("petals", _bundle(home), "bbbb1111", "0" * 64, {})
    summary = {
        "evaluation": evaluation().model_dump(mode="json"),
        "findings": [asdict(one) for one in findings()],
        "left_out": ["The backbone resnet is not installed: fine-tuning it was left out."],
        "seconds": {"prepare": 3.2, "search": 410.0, "refit": 61.0, "evaluate": 2.0, "package": 9.0},
    }
    ledger.finish_run("bbbb1111", RunState.COMPLETED, model=model.ref, summary=summary)
    start_run(ledger, "cccc2222", "letters")
    add_trial(leases, "cccc2222", "floor", 0.41, epochs=1)
    lease(leases, "cccc2222", "cnn")
    leases.release("cccc2222", WORKER, "It was ended by signal 9.", counts=True)  # now it waits
    ledger.beat("cccc2222", 40.0)
    engine.dispose()


def start_run(ledger: Ledger, run_id: str, name: str) -> None:
    """A run that began a while ago and goes on, in this process."""
    ledger.start_run(_run(run_id, name, datetime.now(UTC) - timedelta(seconds=40)))


def _run(run_id: str, name: str, began: datetime) -> Run:
    return Run(
        id=run_id,
        name=name,
        state=RunState.RUNNING,
        config={"data": f"/data/{name}", "budget_seconds": 600.0},
        task="classification",
        objective="accuracy",
        started_at=began.isoformat(timespec="seconds"),
        process_id=os.getpid(),
    )


def add_trial(leases: Leases, run_id: str, space: str, best: float, epochs: int, pruned: bool = False) -> Trial:
    """A trial that ended, and whose curve rises to `best`; a pruned one had more before it."""
    trial, held = lease(leases, run_id, space)
    if pruned:
        leases.halve_batch(held)
    seconds = 0.0
    for epoch in range(1, epochs + 1):
        seconds = 4.0 * epoch * (1 + 0.3 * trial.number)
        score = best if epoch == epochs else best * (1 - 0.5 * math.exp(-epoch / 2))
        loss = 1.5 * math.exp(-epoch / 4)
        report = EpochReport(epoch=epoch, score=score, train_loss=loss, val_loss=loss * 1.1, seconds=seconds)
        leases.record_epoch(held, report)
    result = TrialResult(
        score=best,
        best_step=10 * epochs,
        steps=10 * epochs,
        planned_steps=(20 if pruned else 10) * epochs,
        steps_per_epoch=10,
        seconds=seconds + 1,
        train_seconds=seconds,
        predict_seconds=0.001,
        num_parameters=12_345,
        peak_memory_bytes=10**9,
        metrics={"accuracy": best},
        pruned=pruned,
        resumed_at_step=20 if pruned else 0,
    )
    leases.complete(held, result)
    return trial


def fail_trial(leases: Leases, run_id: str) -> None:
    trial, _ = lease(leases, run_id, "cnn")
    leases.fail(run_id, trial.number, f"The memory did not suffice {NASTY}\nTraceback")


def lease(leases: Leases, run_id: str, space: str) -> tuple[Trial, Lease]:
    """A trial that runs."""
    values: dict[str, Any] = {"cnn/filters": 32, "optimizer/learning_rate": 0.001, "augmentation/flip": True}
    origin = {"floor": "floor", "frozen_backbone": WHY}.get(space, "tpe")
    proposal = Proposal(
        space=space, values={} if space == "floor" else values, seed=7, max_seconds=120.0, origin=origin
    )
    leased = leases.lease(run_id, WORKER, lambda trials: proposal)
    assert leased is not None
    return leased


def _bundle(home: Home) -> str:
    """A folder in BentoML's store that holds a report."""
    source = Path(home.root) / "source"
    source.mkdir()
    (source / "report.html").write_text(REPORT)
    put(home, "petals", "petals-1", source)
    return "petals-1"
