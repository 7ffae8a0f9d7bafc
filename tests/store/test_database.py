"""One writer at a time, readers that are never disturbed, and refusals that are sentences."""

import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from records.errors import BusyError, ConfigError, StoreError
from store import database
from store.database import locked, open_database, reading
from store.home import Home, open_home
from store.schema import epochs, models

HOLD = """
import sys
from store.database import locked, open_database
from store.home import open_home
with locked(open_database(open_home())):
    print("held", flush=True)
    sys.stdin.readline()
"""


def model_row(version: int, **fields: object) -> dict[str, object]:
    row = {"name": "shirts", "version": version, "sequence": version, "bundle_id": f"b{version}", "run_id": "r"}
    return row | {"checksum": "c", "created_at": "t", "summary": {}} | fields


def names(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(select(models.c.bundle_id).order_by(models.c.sequence)).scalars())


def test_the_body_of_locked_counts_whole_or_not_at_all(engine: Engine) -> None:
    with locked(engine) as connection:
        connection.execute(insert(models).values(**model_row(1)))
    with pytest.raises(RuntimeError), locked(engine) as connection:
        connection.execute(insert(models).values(**model_row(2)))
        raise RuntimeError
    assert names(engine) == ["b1"]


def test_a_reader_sees_one_moment_while_another_writes(engine: Engine) -> None:
    with reading(engine) as reader:
        assert reader.execute(select(models)).all() == []
        with locked(engine) as connection:
            connection.execute(insert(models).values(**model_row(1)))
        assert reader.execute(select(models)).all() == []
    assert names(engine) == ["b1"]


def test_rows_that_belong_to_nothing_are_refused(engine: Engine) -> None:
    orphan = {"run_id": "r", "number": 0, "epoch": 1, "score": 0.5, "seconds": 1.0}
    with pytest.raises(IntegrityError), locked(engine) as connection:
        connection.execute(insert(epochs).values(**orphan))


def test_json_never_holds_what_json_does_not_know(engine: Engine) -> None:
    summary = {"loss": float("inf"), "scores": (np.float32(0.5), float("nan")), "count": np.int64(3), "name": "Größe"}
    with locked(engine) as connection:
        connection.execute(insert(models).values(**model_row(1, summary=summary)))
    with reading(engine) as connection:
        stored = connection.execute(select(models.c.summary)).scalar_one()
    assert stored == {"loss": None, "scores": [0.5, None], "count": 3, "name": "Größe"}


def test_an_odd_path_is_a_path(tmp_path: Path) -> None:
    home = Home(tmp_path / "a?b#c%20 ü")
    home.root.mkdir()
    open_database(home).dispose()
    assert (home.root / "kerasmith.db").is_file()


def test_a_writer_that_holds_on_is_told_after_the_wait(
    home: Home, program: Callable[..., "subprocess.Popen[str]"], monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = program(HOLD)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.2)
    with pytest.raises(BusyError, match=r"kerasmith\.db was held by another process for 0 seconds\. Wait until it"):
        open_database(home)
    holder.communicate("go\n", timeout=30)
    open_database(home).dispose()


def test_a_damaged_file_is_a_sentence_and_stays(home: Home) -> None:
    file = home.root / "kerasmith.db"
    file.write_bytes(b"this is no database, it is a letter to somebody" * 100)
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"kerasmith\.db is damaged \(.*\)\. Put a copy from the folder `backups`"):
        open_database(home)
    assert file.read_bytes() == before


def test_a_torn_page_is_a_sentence(home: Home, engine: Engine) -> None:
    with locked(engine) as connection:
        connection.execute(insert(models), [model_row(i, run_id="r" * 500) for i in range(1, 200)])
    engine.dispose()
    file = home.root / "kerasmith.db"
    data = bytearray(file.read_bytes())
    data[-60_000:] = b"\xff" * 60_000
    file.write_bytes(data)
    again = open_database(home)
    with pytest.raises(StoreError, match="is damaged"), reading(again) as connection:
        connection.execute(select(models)).all()
    again.dispose()


def test_a_full_disk_is_a_sentence_and_loses_nothing(engine: Engine) -> None:
    with locked(engine) as connection:
        connection.execute(insert(models).values(**model_row(1)))
    full = "The disk of the database .* is full. Free some space"
    with pytest.raises(StoreError, match=full), locked(engine) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        connection.execute(insert(models), [model_row(i, run_id="r" * 4000) for i in range(2, 200)])
    assert names(engine) == ["b1"]


def test_opening_on_a_full_disk_is_a_sentence(tiny_disk: Path) -> None:
    (tiny_disk / "film").write_bytes(bytes(240_000))
    with pytest.raises(StoreError, match="The disk of the database .* is full"):
        open_database(Home(tiny_disk))


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


@pytest.mark.parametrize("url", ["sqlite://", "mysql+pymysql://me:secret@host/db"])
def test_a_kind_of_database_that_cannot_be_used_is_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("KERASMITH_DATABASE", url)
    with pytest.raises(ConfigError, match="KERASMITH_DATABASE names no database that can be used. Expected") as caught:
        open_database(home)
    assert "secret" not in str(caught.value)


def test_a_missing_driver_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASMITH_DATABASE", "postgresql+pg8000://me:secret@localhost/db")
    expected = re.escape("The driver of the database postgresql+pg8000://me:***@localhost/db is not installed (No mod")
    with pytest.raises(ConfigError, match=expected):
        open_database(home)


def test_our_own_mistakes_keep_their_traceback(engine: Engine) -> None:
    with pytest.raises(Exception, match="no such table") as caught, reading(engine) as connection:
        connection.exec_driver_sql("SELECT * FROM absent")
    assert not isinstance(caught.value, StoreError)


def test_the_file_is_in_wal_mode_and_synced_at_each_commit(home: Home, engine: Engine) -> None:
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()
    with closing(sqlite3.connect(home.root / "kerasmith.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
