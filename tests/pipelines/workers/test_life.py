"""A worker beats whatever happens, waits while others train, and makes room when it has grown."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipelines.workers import life
from pipelines.workers.life import Recycling, Waiting, beating
from records.errors import BusyError
from records.trial import Proposal, Run
from store.database import open_database
from store.home import Home
from store.leases import Leases

GIGABYTE = 1_000_000_000


@pytest.fixture
def leases(home: Home) -> Leases:
    return Leases(open_database(home))


def take(leases: Leases, run: Run, worker: str) -> int:
    proposal = Proposal(space="cnn", values={}, seed=0, max_seconds=9.0)
    leased = leases.lease(run.id, worker, lambda trials: proposal)
    assert leased is not None
    return leased[0].number


def test_beats_are_counted_while_the_body_runs(leases: Leases, run_record: Run) -> None:
    take(leases, run_record, "w")
    with beating(leases, run_record.id, "w", seconds=0.02):
        deadline = time.monotonic() + 10
        while leases.held(run_record.id)[0].beat < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    at_end = leases.held(run_record.id)[0].beat
    assert at_end >= 3
    time.sleep(0.2)
    assert leases.held(run_record.id)[0].beat <= at_end + 1


class Refusing(Leases):
    """A database that another process holds at first."""

    refusals = 2

    def beat(self, run_id: str, worker: str) -> bool:
        if self.refusals:
            self.refusals -= 1
            raise BusyError("held")
        return super().beat(run_id, worker)


def test_a_database_that_cannot_be_had_does_not_end_the_beating(
    home: Home, run_record: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    leases = Refusing(open_database(home))
    take(leases, run_record, "w")
    with beating(leases, run_record.id, "w", seconds=0.02):
        deadline = time.monotonic() + 10
        while leases.held(run_record.id)[0].beat < 1 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert leases.held(run_record.id)[0].beat >= 1
    assert "BusyError: held" in capsys.readouterr().err


@contextmanager
def waiting(leases: Leases, run: Run, stop: threading.Event) -> Iterator[list[bool]]:
    """Waits in a thread; the list gets the answer."""
    answers: list[bool] = []
    wait = Waiting(leases, run.id, "me", stop.is_set)
    thread = threading.Thread(target=lambda: answers.append(wait()))
    thread.start()
    try:
        yield answers
    finally:
        thread.join(10)


def test_waiting_ends_when_another_worker_did_something(
    leases: Leases, run_record: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "WAIT_SECONDS", 0.02)
    assert not Waiting(leases, run_record.id, "me", lambda: False)()  # nobody trains
    number = take(leases, run_record, "other")
    with waiting(leases, run_record, threading.Event()) as answers:
        time.sleep(0.1)
        leases.beat(run_record.id, "other")
        time.sleep(0.1)
        assert answers == []
        leases.fail(run_record.id, number, "over")
    assert answers == [True]


def test_waiting_ends_when_all_are_asked_to_stop(
    leases: Leases, run_record: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "WAIT_SECONDS", 0.02)
    take(leases, run_record, "other")
    stop = threading.Event()
    with waiting(leases, run_record, stop) as answers:
        time.sleep(0.1)
        stop.set()
    assert answers == [False]


def recycled(sizes: list[float], cap: float = 100.0, seconds_left: float = 1000.0) -> list[bool]:
    """The answers before each trial, for gigabytes used then; the first trial is never asked for its size."""
    now = [0.0]
    recycling = Recycling(int(cap * GIGABYTE), lambda: seconds_left, lambda: int(now[0] * GIGABYTE))
    answers = []
    for size in sizes:
        now[0] = size
        answers.append(recycling())
    assert recycling.due == answers[-1]
    return answers


def test_a_process_that_grew_makes_room() -> None:
    assert recycled([0.6, 1.0, 1.5, 1.9, 2.1]) == [False, False, False, False, True]  # by more than 1 GB
    assert recycled([0.6, 4.0, 5.9, 6.1]) == [False, False, False, True]  # by more than half


def test_a_process_near_its_cap_makes_room_unless_it_was_large_from_the_start() -> None:
    assert recycled([0.6, 1.0, 1.9], cap=3.0) == [False, False, True]
    assert recycled([0.6, 2.0, 2.0, 2.1], cap=3.0) == [False, False, False, False]


def test_no_new_process_for_the_last_seconds() -> None:
    assert recycled([0.6, 1.0, 9.0], seconds_left=life.WORTH_SECONDS - 1) == [False, False, False]
