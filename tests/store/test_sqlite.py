"""The file: what a damaged, full, forbidden or missing one is told as."""

import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select

from records.errors import StoreError
from records.trial import EpochReport, Proposal, Run, TrialResult, TrialState
from store.database import locked, open_database, reading
from store.home import Home, open_home
from store.leases import Leases
from store.ledger import Ledger
from store.schema import models


def model_row(version: int, **fields: object) -> dict[str, object]:
    row = {"name": "shirts", "version": version, "sequence": version, "bundle_id": f"b{version}", "run_id": "r"}
    return row | {"checksum": "c", "created_at": "t", "summary": {}} | fields


def names(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(select(models.c.bundle_id).order_by(models.c.sequence)).scalars())


def test_a_damaged_file_is_a_sentence_and_stays(home: Home) -> None:
    file = home.root / "kerasmith.db"
    file.write_bytes(b"this is no database, it is a letter to somebody" * 100)
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"kerasmith\.db is damaged \(.*\)\. Put a copy from the folder `backups`"):
        open_database(home)
    assert file.read_bytes() == before


def test_a_torn_page_is_a_sentence(home: Home, sqlite: Engine) -> None:
    with locked(sqlite) as connection:
        connection.execute(insert(models), [model_row(i, run_id="r" * 500) for i in range(1, 200)])
    sqlite.dispose()
    file = home.root / "kerasmith.db"
    data = bytearray(file.read_bytes())
    data[-60_000:] = b"\xff" * 60_000
    file.write_bytes(data)
    again = open_database(home)
    with pytest.raises(StoreError, match="is damaged"), reading(again) as connection:
        connection.execute(select(models)).all()
    again.dispose()


def test_a_full_disk_is_a_sentence_and_loses_nothing(sqlite: Engine) -> None:
    with locked(sqlite) as connection:
        connection.execute(insert(models).values(**model_row(1)))
    full = "The disk of the database .* is full. Free some space"
    with pytest.raises(StoreError, match=full), locked(sqlite) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.execute(insert(models), [model_row(i, run_id="r" * 4000) for i in range(2, 200)])
    assert names(sqlite) == ["b1"]


def test_opening_on_a_full_disk_is_a_sentence(tiny_disk: Path) -> None:
    (tiny_disk / "film").write_bytes(bytes(240_000))
    with pytest.raises(StoreError, match="The disk of the database .* is full"):
        open_database(Home(tiny_disk))


def test_a_disk_that_fills_up_in_the_middle_keeps_what_was_told_before(
    tiny_disk: Path, make_run: Callable[..., Run], report: Callable[..., EpochReport], result: TrialResult
) -> None:
    engine = open_database(Home(tiny_disk))
    leases = Leases(engine)
    Ledger(engine).start_run(make_run())
    proposal = Proposal(space="cnn", values={}, seed=0, max_seconds=1.0)
    leased = leases.lease("r1", "w", lambda trials: proposal)
    assert leased is not None
    told = 0
    with pytest.raises(StoreError, match=r"The disk of the database .* (is full|failed or is full)"):
        for told in range(1, 10_000):
            leases.record_epoch(leased[1], report(told))
    assert [epoch.epoch for epoch in Ledger(engine).trials("r1")[0].epochs] == list(range(1, told))
    assert told > 1
    subprocess.run(["mount", "-o", "remount,size=1m", str(tiny_disk)], check=True)
    leases.record_epoch(leased[1], report(told))
    leases.complete(leased[1], result)
    (trial,) = Ledger(engine).trials("r1")
    assert (trial.state, len(trial.epochs)) == (TrialState.COMPLETED, told)
    engine.dispose()


def test_a_disk_that_may_not_be_written_is_a_sentence(tiny_disk: Path) -> None:
    open_database(Home(tiny_disk)).dispose()
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(
        StoreError, match="cannot be opened for writing .* Change its permissions, or set KERASMITH_HOME"
    ):
        open_database(Home(tiny_disk))
    with pytest.raises(StoreError, match=f"The home folder {tiny_disk} cannot be written"):
        open_home(tiny_disk)


def test_a_missing_folder_is_a_sentence(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASMITH_DATABASE", f"sqlite:///{home.root}/absent/k.db")
    with pytest.raises(StoreError, match=r"absent/k\.db cannot be opened for writing"):
        open_database(home)


def test_the_file_is_in_wal_mode_and_synced_at_each_commit(home: Home, sqlite: Engine) -> None:
    with reading(sqlite) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    sqlite.dispose()
    with closing(sqlite3.connect(home.root / "kerasmith.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
