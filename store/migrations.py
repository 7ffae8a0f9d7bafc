"""How the database came to be, step by step. A step that was released never changes; a new one is added below it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select, update

from records.errors import StoreError
from store.files import sync_folder
from store.home import place
from store.schema import metadata, schema_version

Migration = tuple[str, ...]
"""Statements that SQLite and PostgreSQL both know."""

_FIRST: Migration = (
    """CREATE TABLE runs (
        id TEXT NOT NULL PRIMARY KEY,
        sequence BIGINT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        state TEXT NOT NULL,
        config JSON NOT NULL,
        task TEXT NOT NULL,
        objective TEXT NOT NULL,
        started_at TEXT NOT NULL,
        ended_at TEXT,
        data_fingerprint TEXT,
        model TEXT,
        error TEXT,
        summary JSON NOT NULL,
        host TEXT NOT NULL,
        process_id BIGINT NOT NULL,
        process_started DOUBLE PRECISION
    )""",
    """CREATE TABLE trials (
        run_id TEXT NOT NULL REFERENCES runs (id),
        number INTEGER NOT NULL,
        space TEXT NOT NULL,
        hyperparameters JSON NOT NULL,
        state TEXT NOT NULL,
        seed BIGINT NOT NULL,
        score DOUBLE PRECISION,
        error TEXT,
        result JSON,
        PRIMARY KEY (run_id, number)
    )""",
    """CREATE TABLE epochs (
        run_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        score DOUBLE PRECISION NOT NULL,
        train_loss DOUBLE PRECISION,
        val_loss DOUBLE PRECISION,
        seconds DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (run_id, number, epoch),
        FOREIGN KEY (run_id, number) REFERENCES trials (run_id, number)
    )""",
    """CREATE TABLE models (
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        sequence BIGINT NOT NULL UNIQUE,
        bundle_id TEXT NOT NULL UNIQUE,
        run_id TEXT NOT NULL,
        checksum TEXT NOT NULL,
        created_at TEXT NOT NULL,
        summary JSON NOT NULL,
        PRIMARY KEY (name, version)
    )""",
)

_LEASES: Migration = (
    "ALTER TABLE runs ADD COLUMN used_seconds DOUBLE PRECISION NOT NULL DEFAULT 0",
    "ALTER TABLE runs ADD COLUMN beat BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE runs ADD COLUMN beat_at TEXT",
    "ALTER TABLE runs ADD COLUMN process_mark TEXT",
    "ALTER TABLE trials ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE trials ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE trials ADD COLUMN batch_divisor INTEGER NOT NULL DEFAULT 1",
    "UPDATE trials SET state = 'waiting' WHERE state = 'running'",
    """CREATE TABLE leases (
        run_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        worker TEXT NOT NULL,
        host TEXT NOT NULL,
        process_id BIGINT NOT NULL,
        max_seconds DOUBLE PRECISION NOT NULL,
        beat BIGINT NOT NULL DEFAULT 0,
        PRIMARY KEY (run_id, number),
        FOREIGN KEY (run_id, number) REFERENCES trials (run_id, number)
    )""",
)

MIGRATIONS: tuple[Migration, ...] = (_FIRST, _LEASES)
"""Migration n, counted from 0, takes the database from version n to n + 1."""


def migrate(connection: Connection, backups: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Brings the database to the newest version, all steps in the caller's locked transaction.

    An SQLite database that holds something is copied to `backups` first; a server's database has its own backups.

    Raises:
        StoreError: The database is newer than this program, or not one of Kerasmith's.
    """
    version = version_of(connection)
    newest = len(migrations)
    if version == newest:
        return
    url = connection.engine.url
    if version > newest:
        raise StoreError(
            f"The database {place(url)} was made by a newer Kerasmith. Expected version {newest} or older. "
            f"Received: version {version}. Install the newer Kerasmith, or set KERASMITH_HOME to another folder."
        )
    if version == 0:
        connection.exec_driver_sql("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        connection.execute(insert(schema_version).values(version=0))
    elif url.get_backend_name() == "sqlite":
        _back_up(Path(str(url.database)), backups / f"kerasmith-v{version}-{_now()}.db")
    for migration in migrations[version:]:
        for statement in migration:
            connection.exec_driver_sql(statement)
    connection.execute(update(schema_version).values(version=newest))


def version_of(connection: Connection) -> int:
    """The database's version; 0 for one with nothing of ours in it. Only reads.

    Raises:
        StoreError: It is another program's.
    """
    found = set(inspect(connection).get_table_names())
    if schema_version.name in found:
        version = connection.execute(select(schema_version.c.version)).scalar()
        if isinstance(version, int) and version > 0:
            return version
    elif not found & set(metadata.tables):
        return 0
    raise StoreError(
        f"The database {place(connection.engine.url)} is another program's. Expected an empty one or Kerasmith's own. "
        f"Received: the tables {', '.join(sorted(found))}. Set KERASMITH_DATABASE to another database."
    )


def _back_up(database: Path, target: Path) -> None:
    """Copies the committed state through a connection of its own, while the caller's transaction keeps writers out."""
    temporary = target.with_suffix(".part")
    try:
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(temporary)) as copy:
            source.backup(copy)
        temporary.replace(target)
        sync_folder(target.parent)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            temporary.unlink()
        raise StoreError(
            f"The database was left at its old version, because its backup {target} could not be written ({error}). "
            "Make room there, then run the command again."
        ) from error


def _now() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
