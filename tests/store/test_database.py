"""One writer at a time, readers that are never disturbed, and the databases that can be named."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from records.errors import BusyError, ConfigError
from store.database import locked, look_up_version, open_database, reading
from store.home import Home
from store.migrations import MIGRATIONS
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


def test_opening_waits_for_no_writer_and_a_writer_waits_for_one(
    home: Home, engine: Engine, program: Callable[..., "subprocess.Popen[str]"]
) -> None:
    holder = program(HOLD)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    impatient = open_database(home, wait_seconds=0.3)
    assert names(impatient) == []
    told = r"was held by another process for 0\.3 seconds\. Wait until it ends, or set KERASMITH_"
    began = time.monotonic()
    with pytest.raises(BusyError, match=told), locked(impatient):
        pass
    assert 0.3 <= time.monotonic() - began < 5
    with pytest.raises(BusyError, match=told):
        open_database(home, (*MIGRATIONS, ("ALTER TABLE runs ADD COLUMN note TEXT",)), wait_seconds=0.3)
    holder.communicate("go\n", timeout=30)
    with locked(impatient) as connection:
        connection.execute(insert(models).values(**model_row(1)))
    impatient.dispose()


def test_writers_of_one_process_wait_for_each_other(engine: Engine) -> None:
    def write(first: int) -> None:
        for i in range(10):
            with locked(engine) as connection:
                connection.execute(insert(models).values(**model_row(first + i)))

    threads = [threading.Thread(target=write, args=(first,)) for first in (100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(engine)) == 30


def test_looking_up_the_version_makes_nothing(home: Home, kind: str) -> None:
    assert look_up_version(home) == look_up_version(home) == 0
    open_database(home).dispose()
    assert look_up_version(home) == len(MIGRATIONS)


def test_an_odd_path_is_a_path(tmp_path: Path) -> None:
    home = Home(tmp_path / "a?b#c%20 ü")
    home.root.mkdir()
    open_database(home).dispose()
    assert (home.root / "kerasmith.db").is_file()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "mysql+pymysql://me:secret@host/db",
        "postgresql+pg8000://me:secret@host/db",
        "postgres://me@host/db?password=secret",
    ],
)
def test_a_kind_of_database_that_cannot_be_used_is_refused(
    home: Home, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("KERASMITH_DATABASE", url)
    with pytest.raises(ConfigError, match="KERASMITH_DATABASE names no database that can be used. Expected") as caught:
        open_database(home)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql://me:secret@host/db", "postgresql+psycopg://me@host/db?password=secret"])
def test_a_missing_driver_is_named(home: Home, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setenv("KERASMITH_DATABASE", url)
    expected = r"^The driver of the database postgresql.*@host/db is not installed \(.*psycopg.*Install it: pip install"
    with pytest.raises(ConfigError, match=expected) as caught:
        open_database(home)
    assert "secret" not in str(caught.value)


def test_our_own_mistakes_keep_their_traceback(engine: Engine) -> None:
    with pytest.raises(DBAPIError, match="absent"), reading(engine) as connection:
        connection.exec_driver_sql("SELECT * FROM absent")
