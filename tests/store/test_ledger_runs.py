"""Runs: begun, ended, and found again."""

import os
from collections.abc import Callable

import pytest

from records.errors import ConfigError
from records.trial import Run, RunState
from store.ledger import Ledger

MakeRun = Callable[..., Run]


def test_a_run_is_read_as_it_was_written(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    assert ledger.get_run("r1") == make_run(process_id=os.getpid())


def test_update_run_writes_what_is_given_and_adds_to_the_summary(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run(summary={"load": 1.5, "search": 2}))
    ledger.update_run("r1", data_fingerprint="fp", summary={"search": 3, "refit": None})
    ledger.update_run("r1", name="socks")
    expected = make_run(
        process_id=os.getpid(), data_fingerprint="fp", name="socks", summary={"load": 1.5, "search": 3, "refit": None}
    )
    assert ledger.get_run("r1") == expected


def test_finish_run_ends_it_once(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    ledger.finish_run("r1", RunState.COMPLETED, model="shirts:1", summary={"accuracy": 0.875})
    run = ledger.get_run("r1")
    assert (run.state, run.model, run.summary, run.error) == (RunState.COMPLETED, "shirts:1", {"accuracy": 0.875}, None)
    assert run.ended_at is not None and run.ended_at.endswith("+00:00")
    with pytest.raises(ValueError, match="Run r1 has ended already, as completed. Received: failed"):
        ledger.finish_run("r1", RunState.FAILED, error="late")
    with pytest.raises(ValueError, match="A run ends as completed, failed or interrupted. Received: running"):
        ledger.finish_run("r1", RunState.RUNNING)
    assert ledger.get_run("r1") == run


def test_a_run_may_not_begin_twice(ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    with pytest.raises(ValueError, match="There is a run 'r1' in the ledger already"):
        ledger.start_run(make_run(name="other"))
    assert [run.name for run in ledger.runs()] == ["shirts"]


def test_runs_are_listed_newest_first_whatever_the_clock_said(ledger: Ledger, make_run: MakeRun) -> None:
    for run_id, year in (("a", "2027"), ("b", "2025"), ("c", "2026")):
        ledger.start_run(make_run(run_id, started_at=f"{year}-01-01T00:00:00+00:00"))
    assert [run.id for run in ledger.runs()] == ["c", "b", "a"]
    assert [run.id for run in ledger.runs(limit=2)] == ["c", "b"]


def test_get_run_takes_the_beginning_of_an_id(ledger: Ledger, make_run: MakeRun) -> None:
    for run_id in ("3f2a", "3f2", "3f91", "4_b1", "4xb1"):
        ledger.start_run(make_run(run_id))
    assert [ledger.get_run(text).id for text in ("3f2", "3f2a", "3f9", "4_")] == ["3f2", "3f2a", "3f91", "4_b1"]
    with pytest.raises(ConfigError) as caught:
        ledger.get_run("3f")
    assert str(caught.value) == "3 runs begin with '3f'. Expected more of the id. Among them: 3f91, 3f2, 3f2a."


@pytest.mark.parametrize("run_id", ["9", "", "%", "3f2abc", "3F"])
def test_get_run_of_an_unknown_id_lists_what_there_is(ledger: Ledger, make_run: MakeRun, run_id: str) -> None:
    with pytest.raises(ConfigError, match="There is no run '.*'. None was made yet."):
        ledger.get_run(run_id)
    for known in ("3f2a", "4b11"):
        ledger.start_run(make_run(known))
    with pytest.raises(ConfigError, match="There is no run '.*'. Newest: 4b11, 3f2a."):
        ledger.get_run(run_id)


@pytest.mark.parametrize("data", ["Größe/漢字", "photos/\udcff", "zero\0byte"])
def test_what_was_asked_for_comes_back_letter_by_letter(ledger: Ledger, make_run: MakeRun, data: str) -> None:
    ledger.start_run(make_run(config={"data": data}, summary={data: [data]}))
    run = ledger.get_run("r1")
    assert (run.config, run.summary) == ({"data": data}, {data: [data]})
