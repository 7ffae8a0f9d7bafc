"""Old databases come forward whole, after a backup, or stay as they were."""

import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.exc import OperationalError, ProgrammingError

from records.errors import StoreError
from store.database import look_up_version, open_database, reading
from store.home import Home
from store.migrations import MIGRATIONS
from store.schema import metadata
from tests.postgres import Server
from tests.store.old_databases import load

NEXT = ("ALTER TABLE runs ADD COLUMN note TEXT", "UPDATE runs SET note = 'migrated ' || name")
NEWEST = len(MIGRATIONS)


UPGRADE_SLOWLY = """
import sys, time
from store import database, migrations
from store.home import open_home
real = migrations._back_up
def announce(database, target):
    real(database, target)
    print("backed up", flush=True)
migrations._back_up = announce
slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000000) SELECT max(i) FROM n"
steps = ("ALTER TABLE runs ADD COLUMN note TEXT", "UPDATE runs SET note = 'half'", slow)
database.open_database(open_home(), (*migrations.MIGRATIONS, steps))
"""

OPEN_AT_ONCE = """
import sys
from store.database import open_database
from store.home import open_home
from store.migrations import MIGRATIONS
print("ready", flush=True)
sys.stdin.readline()
steps = ("ALTER TABLE runs ADD COLUMN note TEXT", "UPDATE runs SET note = 'migrated ' || name")
open_database(open_home(), (*MIGRATIONS, steps) if sys.argv[1] == "upgrade" else MIGRATIONS).dispose()
"""


@pytest.fixture
def first_release(home: Home) -> Path:
    """The database file of the first release, with a run and a model in it."""
    return Path(load(home, 1))


def query(file: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(statement).fetchall()


def shape(engine: Engine) -> dict[str, object]:
    """Columns, keys and constraints of every table, as the database tells them."""
    inspector = inspect(engine)
    return {
        table: {
            "columns": [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)],
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted(c["column_names"] for c in inspector.get_unique_constraints(table)),
            "foreign": [
                (key["constrained_columns"], key["referred_table"], key["referred_columns"])
                for key in inspector.get_foreign_keys(table)
            ],
        }
        for table in inspector.get_table_names()
    }


def test_the_migrations_make_the_tables_that_the_program_uses(sqlite: Engine) -> None:
    declared = create_engine("sqlite://")
    metadata.create_all(declared)
    assert shape(sqlite) == shape(declared)


@pytest.mark.database
def test_on_a_server_too(home: Home, postgres: Server, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASMITH_DATABASE", postgres_url)
    engine = open_database(home)
    empty = postgres.make_database()
    declared = create_engine(postgres.url(empty))
    metadata.create_all(declared)
    assert shape(engine) == shape(declared)
    engine.dispose(), declared.dispose()
    postgres.sql(f"DROP DATABASE {empty}")


@pytest.mark.usefixtures("first_release")
def test_an_upgrade_keeps_the_rows_and_backs_the_old_file_up(home: Home) -> None:
    engine = open_database(home, (*MIGRATIONS, NEXT))
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT id, note FROM runs").all() == [("3f2a", "migrated shirts")]
    engine.dispose()
    (backup,) = home.backups.iterdir()
    assert backup.name.startswith("kerasmith-v1-") and backup.suffix == ".db"
    assert query(backup, "SELECT version FROM schema_version") == [(1,)]
    assert query(backup, "SELECT count(*) FROM epochs") == [(2,)]
    open_database(home, (*MIGRATIONS, NEXT)).dispose()
    assert list(home.backups.iterdir()) == [backup]


def test_a_backup_holds_what_was_committed_a_moment_ago(home: Home, first_release: Path) -> None:
    with closing(sqlite3.connect(first_release)) as connection:  # its rows are still in the write-ahead log
        connection.execute("UPDATE runs SET name = 'late'")
        connection.commit()
        open_database(home, (*MIGRATIONS, NEXT)).dispose()
    (backup,) = home.backups.iterdir()
    assert query(backup, "SELECT name FROM runs") == [("late",)]


def test_a_new_database_needs_no_backup(home: Home) -> None:
    open_database(home).dispose()
    assert list(home.backups.iterdir()) == []


def test_a_failed_upgrade_leaves_the_database_as_it_was(home: Home, first_release: Path) -> None:
    before = query(first_release, "SELECT sql FROM sqlite_master")
    with pytest.raises(OperationalError, match="syntax error"):
        open_database(home, (*MIGRATIONS, (*NEXT, "NO SUCH STATEMENT")))
    assert query(first_release, "SELECT sql FROM sqlite_master") == before
    assert query(first_release, "SELECT version FROM schema_version") == [(1,)]


def test_without_room_for_a_backup_nothing_is_upgraded(
    first_release: Path, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(first_release)) as connection:
        connection.execute("UPDATE runs SET error = ?", ("x" * 300_000,))
        connection.commit()
    monkeypatch.setenv("KERASMITH_DATABASE", f"sqlite:///{first_release}")
    home = Home(tiny_disk)
    with pytest.raises(StoreError, match=r"left at its old version, because its backup .*v1.* could not be written \("):
        open_database(home, (*MIGRATIONS, NEXT))
    assert query(first_release, "SELECT version FROM schema_version") == [(1,)]
    assert list(home.backups.iterdir()) == []


@pytest.mark.usefixtures("first_release")
def test_a_newer_database_is_refused_and_not_touched(home: Home) -> None:
    open_database(home, (*MIGRATIONS, NEXT)).dispose()
    expected = (
        rf"The database {home.root}/kerasmith.db was made by a newer Kerasmith. Expected version {NEWEST} or older. "
        rf"Received: version {NEWEST + 1}. Install the newer"
    )
    with pytest.raises(StoreError, match=expected):
        open_database(home)
    assert len(list(home.backups.iterdir())) == 1


def test_another_programs_database_is_refused(home: Home) -> None:
    with closing(sqlite3.connect(home.root / "kerasmith.db")) as connection:
        connection.executescript("CREATE TABLE runs (distance REAL); CREATE TABLE shoes (size REAL);")
    with pytest.raises(StoreError, match="is another program's.* Received: the tables runs, shoes. Set KERASMITH_DATA"):
        open_database(home)


def test_a_killed_upgrade_leaves_the_old_database(
    home: Home, first_release: Path, program: Callable[..., "subprocess.Popen[str]"]
) -> None:
    victim = program(UPGRADE_SLOWLY)
    assert victim.stdout is not None and victim.stdout.readline() == "backed up\n"
    victim.send_signal(signal.SIGKILL)
    victim.wait(timeout=30)
    assert query(first_release, "SELECT version FROM schema_version") == [(1,)]
    engine = open_database(home, (*MIGRATIONS, NEXT))
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT note FROM runs").all() == [("migrated shirts",)]
    engine.dispose()


@pytest.mark.parametrize("state", ["new", "upgrade"])
def test_processes_that_open_at_once_all_work(
    home: Home, kind: str, state: str, program: Callable[..., "subprocess.Popen[str]"]
) -> None:
    if state == "upgrade":
        load(home, 1)
    processes = [program(OPEN_AT_ONCE, state) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in processes] == [("", 0)] * 4
    assert look_up_version(home) == (NEWEST + 1 if state == "upgrade" else NEWEST)
    assert len(list(home.backups.iterdir())) == (state == "upgrade" and kind == "sqlite")


@pytest.mark.database
def test_a_failed_upgrade_leaves_a_server_as_it_was(
    home: Home, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASMITH_DATABASE", postgres_url)
    load(home, 1)
    with pytest.raises(ProgrammingError, match="syntax error"):
        open_database(home, (*MIGRATIONS, (*NEXT, "NO SUCH STATEMENT")))
    assert look_up_version(home) == 1
    open_database(home).dispose()
