"""`kerasmith runs compare`: side by side, and only what may be compared is said to be comparable."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from pipelines import cli
from pipelines.compare import CHOSEN_BY, UNPAIRED, compare
from pipelines.preparing.prepare import prepare
from pipelines.terminal.comparison import comparison_view
from records.config import RunConfig
from records.data import Example, InputKind, Source, Split
from records.errors import ConfigError
from records.evaluation import Evaluation, Figure
from records.trial import Proposal, Run, RunState, TrialResult
from store.database import open_database
from store.home import Home
from store.leases import Leases
from store.ledger import Ledger
from tests.pipelines.test_terminal import shown

BUDGET = 600.0


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    made = open_database(home)
    yield made
    made.dispose()


def digits() -> Source:
    random = np.random.default_rng(0)
    examples = [
        Example(raw=random.integers(0, 256, (8, 8), dtype=np.uint8), label=f"class {i % 2}", id=f"picture {i}")
        for i in range(60)
    ]
    return Source(name="made", kind=InputKind.IMAGE, fingerprint="f", examples=lambda: iter(examples))


def prepared_fingerprint(home: Home, **asked: Any) -> str:
    return prepare(digits(), RunConfig(data="pictures/", **asked), home).fingerprint


def add_run(
    engine: Engine,
    run_id: str,
    fingerprint: str | None,
    value: float | None = 0.9,
    filters: int = 32,
    objective: str = "accuracy",
    state: RunState = RunState.COMPLETED,
    **asked: Any,
) -> None:
    """A run whose best trial has these filters, and whose model has this figure on the test split."""
    ledger, leases = Ledger(engine), Leases(engine)
    config = asdict(RunConfig(**{"data": "pictures/", "budget_seconds": BUDGET, **asked}))
    begun = Run(
        id=run_id, name="made", state=RunState.RUNNING, config=config, task="classification", objective=objective,
        started_at="2026-11-21T10:01:00+00:00", data_fingerprint=fingerprint,
    )  # fmt: skip
    ledger.start_run(begun)
    for space, score in (("floor", 0.5), ("cnn", 0.8)):
        values = {} if space == "floor" else {"cnn/filters": filters, "cnn/blocks": 3}
        proposal = Proposal(space=space, values=values, seed=0, max_seconds=9.0)
        leased = leases.lease(run_id, "worker", lambda trials, proposal=proposal: proposal)
        assert leased is not None
        leases.complete(leased[1], result(score))
    ledger.beat(run_id, 580.0)
    if state is not RunState.RUNNING:
        summary: dict[str, Any] = {"seconds": {"search": 400.0, "package": 9.0}}
        if value is not None:
            figure = Figure(value=value, low=value - 0.02, high=value + 0.02)
            evaluation = Evaluation(num_examples=9, objective=objective, metrics={objective: figure}, comparisons=())
            summary["evaluation"] = evaluation.model_dump(mode="json")
        ledger.finish_run(run_id, state, model=f"made:{run_id}" if value is not None else None, summary=summary)


def result(score: float) -> TrialResult:
    return TrialResult(
        score=score, best_step=1, steps=1, planned_steps=1, steps_per_epoch=1, seconds=3.0, train_seconds=2.0,
        predict_seconds=0.001, num_parameters=10, peak_memory_bytes=1, pruned=score > 0.7,
    )  # fmt: skip


def test_runs_on_the_same_data_are_shown_side_by_side(home: Home, engine: Engine) -> None:
    add_run(engine, "aaaa", "f" * 64, 0.91, filters=32, seed=1)
    add_run(engine, "bbbb", "f" * 64, 0.95, filters=64, seed=2)
    compared = compare(["aa", "bbbb"], home, Ledger(engine))
    assert compared.same_examples == {Split.VALIDATION: True, Split.TEST: True}
    assert compared.warnings == () and compared.notes[-2:] == (UNPAIRED, CHOSEN_BY)
    assert compared.asked == {"seed": (1, 2)}
    assert [side.differing for side in compared.sides] == [{"cnn/filters": 32}, {"cnn/filters": 64}]
    text = shown(comparison_view(compared))
    for row in (
        "time used                   9 min 40 s of 10 min 0 s    9 min 40 s of 10 min 0 s",
        "asked for: seed             1                           2",
        "accuracy on test            0.910 (0.890 to 0.930)      0.950 (0.930 to 0.970)",
        "hyperparameters that",
        "filters 32                  filters 64",
        "model                       made:aaaa                   made:bbbb",
        "search                      6 min 40 s                  6 min 40 s",
    ):
        assert " ".join(row.split()) in " ".join(text.split())
    assert "2 trials done, 1 of them stopped early" in " ".join(text.split())


def test_other_splits_make_figures_incomparable(home: Home, engine: Engine) -> None:
    for seed in (0, 1):
        add_run(engine, f"run{seed}", prepared_fingerprint(home, seed=seed), seed=seed)
    compared = compare(["run0", "run1"], home, Ledger(engine))
    assert compared.same_examples == {Split.VALIDATION: False, Split.TEST: False}
    assert compared.warnings == (
        "Their validation examples differ: validation scores cannot be compared.",
        "Their test examples differ: test figures cannot be compared.",
    )
    assert CHOSEN_BY not in compared.notes


def test_the_same_examples_prepared_otherwise_are_the_same_examples(home: Home, engine: Engine) -> None:
    fingerprints = [prepared_fingerprint(home, image_size=size) for size in (6, 8)]
    assert fingerprints[0] != fingerprints[1]
    for run_id, fingerprint, size in zip(("small", "large"), fingerprints, (6, 8), strict=True):
        add_run(engine, run_id, fingerprint, image_size=size)
    compared = compare(["small", "large"], home, Ledger(engine))
    assert compared.same_examples == {Split.VALIDATION: True, Split.TEST: True}
    assert compared.asked == {"image_size": (6, 8)}


def test_what_cannot_be_told_is_not_told(home: Home, engine: Engine) -> None:
    add_run(engine, "aaaa", "f" * 64)
    add_run(engine, "bbbb", "e" * 64)  # whose prepared data was deleted
    compared = compare(["aaaa", "bbbb"], home, Ledger(engine))
    assert compared.same_examples == {Split.VALIDATION: None, Split.TEST: None}
    assert compared.warnings[1] == (
        "It cannot be told whether their test examples are the same: compare test figures with care."
    )
    add_run(engine, "cccc", "d" * 64, data="others/")
    assert compare(["aaaa", "cccc"], home, Ledger(engine)).same_examples[Split.TEST] is False


def test_other_metrics_running_and_failed_runs_are_said(home: Home, engine: Engine) -> None:
    add_run(engine, "aaaa", "f" * 64)
    add_run(engine, "bbbb", "f" * 64, objective="log_loss", state=RunState.RUNNING)
    add_run(engine, "cccc", None, None, state=RunState.FAILED)
    compared = compare(["aaaa", "bbbb", "cccc"], home, Ledger(engine))
    assert compared.warnings[0].startswith("They were searched for accuracy and log-loss")
    assert "Run bbbb is still at work: what is told of it is how it stands now." in compared.notes
    assert "Run cccc failed before it made a model." in compared.notes
    text = " ".join(shown(comparison_view(compared), 130).split())
    assert "9 min 40 s of 10 min 0 s so far" in text


def test_a_run_without_a_trial_has_nothing_but_its_request(home: Home, engine: Engine) -> None:
    empty = Run(
        id="empty", name="made", state=RunState.RUNNING, config={}, task="", objective="", started_at="yesterday"
    )
    for run in (empty, replace(empty, id="other")):
        Ledger(engine).start_run(run)
    compared = compare(["empty", "other"], home, Ledger(engine))
    assert "none" in shown(comparison_view(compared))


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (["aaaa"], "Expected two runs or more"),
        (["aaaa", "aa"], "Run aaaa was named twice"),
        (["aaaa", "zz"], "There is no run 'zz'. Newest: aaaa."),
    ],
)
def test_mistakes_are_sentences(home: Home, engine: Engine, ids: list[str], words: str) -> None:
    add_run(engine, "aaaa", "f" * 64)
    with pytest.raises(ConfigError, match=words):
        compare(ids, home, Ledger(engine))


@pytest.fixture
def kerasmith(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["kerasmith", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return int(stop.value.code or 0), capsys.readouterr().out

    return call


def test_the_command_lists_and_compares(engine: Engine, kerasmith: Callable[..., tuple[int, str]]) -> None:
    add_run(engine, "aaaa", "f" * 64)
    add_run(engine, "bbbb", "f" * 64, 0.95)
    assert [run["id"] for run in json.loads(kerasmith("runs", "--limit", "1", "--json")[1])] == ["bbbb"]
    assert "aaaa" in kerasmith("runs")[1]
    code, out = kerasmith("runs", "compare", "aaaa", "bbbb", "--json")
    told = json.loads(out)
    assert code == 0 and told["same_examples"] == {"validation": True, "test": True}
    assert [run["test"]["accuracy"]["value"] for run in told["runs"]] == [0.9, 0.95]
    assert told["runs"][0]["trials"] == {"waiting": 0, "running": 0, "completed": 1, "pruned": 1, "failed": 0}
    assert told["runs"][0]["best"]["values"] == {"cnn/filters": 32, "cnn/blocks": 3}
    code, out = kerasmith("runs", "compare", "aaaa", "bbbb")
    assert code == 0 and "made:bbbb" in out
    code, out = kerasmith("runs", "compare", "aaaa", "zz", "--json")
    assert (code, json.loads(out)["kind"]) == (2, "ConfigError")
