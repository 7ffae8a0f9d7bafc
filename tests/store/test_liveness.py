"""Who lives: of this machine by its processes, of another by what it says; never by a clock that may be set."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from sqlalchemy import Engine

from records.errors import BusyError
from records.trial import Lease, Run, RunState, Trial, TrialResult
from store import database, liveness
from store.leases import Leases
from store.ledger import Ledger
from tests.store.owners import Own, beat, change

MakeRun = Callable[..., Run]
Take = Callable[..., tuple[Trial, Lease]]


@pytest.fixture
def clock_jumps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[timedelta], None]]:
    """Sets the wall clock, as this process sees it, and the start of the system, which Linux derives from it."""

    def jump(by: timedelta) -> None:
        class Later(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
                return datetime.now(UTC) + by

        now, boot = time.time, psutil.boot_time()
        monkeypatch.setattr(database, "datetime", Later)
        monkeypatch.setattr(time, "time", lambda: now() + by.total_seconds())
        monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: boot + by.total_seconds())

    yield jump


def test_a_process_number_that_was_given_again_is_another_process(
    engine: Engine, ledger: Ledger, make_run: MakeRun
) -> None:
    ledger.start_run(make_run())
    mark = str(liveness.owner(os.getpid())["process_mark"])
    place, _, ticks = mark.rpartition("/")
    change(engine, "r1", process_mark=f"{place}/{int(ticks) - 1}")
    assert ledger.mark_dead_runs() == ["r1"]


def test_a_row_of_the_first_release_is_judged_by_its_clock(engine: Engine, ledger: Ledger, make_run: MakeRun) -> None:
    ledger.start_run(make_run())
    started = psutil.Process().create_time()
    change(engine, "r1", process_mark=None, process_started=started + 2)
    assert ledger.dead_runs() == []
    change(engine, "r1", process_started=started - 3600)
    assert ledger.dead_runs() == ["r1"]


def test_after_a_start_of_the_system_its_runs_are_dead(
    engine: Engine, ledger: Ledger, make_run: MakeRun, kind: str
) -> None:
    ledger.start_run(make_run())
    change(engine, "r1", process_mark="another-start/pid:[1]/77")
    # on a server it may be another machine's of the same name: that is told by its silence alone
    assert ledger.dead_runs() == (["r1"] if kind == "sqlite" else [])
    change(engine, "r1", beat_at=(datetime.now(UTC) - timedelta(minutes=6)).isoformat())
    assert ledger.dead_runs() == ["r1"]


@pytest.mark.parametrize(("minutes", "dead"), [(4, []), (6, ["r1"]), (-600, [])])
def test_a_run_of_another_machine_is_dead_after_five_minutes_of_silence(
    engine: Engine, ledger: Ledger, make_run: MakeRun, minutes: int, dead: list[str]
) -> None:
    ledger.start_run(make_run())
    told = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    change(engine, "r1", host="elsewhere", process_mark="its-start/pid:[1]/77", beat_at=told)
    assert ledger.mark_dead_runs() == dead


@pytest.mark.parametrize("by", [timedelta(days=400), timedelta(hours=-3)])
def test_setting_the_clock_makes_nobody_dead(
    ledger: Ledger,
    leases: Leases,
    take: Take,
    make_run: MakeRun,
    own: Own,
    result: TrialResult,
    clock_jumps: Callable[[timedelta], None],
    by: timedelta,
) -> None:
    ledger.start_run(make_run("mine"))
    _, lease = take("mine")
    other = own("other")
    clock_jumps(by)
    assert ledger.mark_dead_runs() == []
    with pytest.raises(BusyError):
        ledger.take_up("other")
    assert ledger.beat("mine", 5.0) and beat(other)
    assert leases.beat("mine", "w1")
    leases.complete(lease, result)
    ledger.finish_run("mine", RunState.COMPLETED, model="shirts:1")
    assert [run.id for run in ledger.runs()] == ["other", "mine"]
