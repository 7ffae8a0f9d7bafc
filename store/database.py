"""The connection to the database, and the one way to read and then write."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.exc import DatabaseError, NoSuchModuleError

from records.errors import BusyError, ConfigError, KerasmithError, StoreError
from store.home import Home, place
from store.migrations import MIGRATIONS, Migration, migrate

WAIT_SECONDS = 60.0
"""For another process's transaction. The longest of ours takes well under a second."""

_LOCK_NUMBER = 0x6B657261736D6974
"""Names our lock among a PostgreSQL database's advisory locks."""


def open_database(home: Home, migrations: Sequence[Migration] = MIGRATIONS) -> Engine:
    """Opens the database at this program's version; makes or upgrades it where needed.

    However many processes open an old or a missing database at once, one migrates it and the others wait.

    Raises:
        ConfigError: KERASMITH_DATABASE names no usable kind of database.
        StoreError: It cannot be read or written, is damaged, or is newer than this program.
        BusyError: Another process held it for a minute.
    """
    engine = _make_engine(home.database_url)
    try:
        if engine.dialect.name == "sqlite":
            _use_wal(engine)
        with locked(engine) as connection:
            migrate(connection, home.backups, migrations)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def locked(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other one of ours overlaps: what is read in it still holds when it writes.

    Commits at the end of the body, rolls back when the body raises. Not to be nested: the inner one would wait for
    the outer one until it gives up.

    Raises:
        StoreError: The database cannot be written or is damaged.
        BusyError: Another process held it for a minute.
    """
    with _sentences(engine.url), engine.connect() as connection:
        connection = connection.execution_options(kerasmith_locked=True)
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK_NUMBER)))
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction whose queries all see the same moment. Waits for nobody, and nobody waits for it.

    Raises:
        StoreError: The database cannot be read or is damaged.
    """
    with _sentences(engine.url), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def _make_engine(url: URL) -> Engine:
    kind = url.get_backend_name()
    if kind not in ("sqlite", "postgresql") or (kind == "sqlite" and url.database in (None, "", ":memory:")):
        raise ConfigError(
            f"KERASMITH_DATABASE names no database that can be used. Expected sqlite:////folder/file.db "
            f"or postgresql+driver://host/database. Received: {url}."
        )
    try:
        engine = create_engine(url, json_serializer=_to_json)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigError(f"The driver of the database {url} is not installed ({error}).") from error
    if kind == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # Left alone, the driver begins a transaction at the first write only: what was read before may have changed then.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {int(WAIT_SECONDS * 1000)}")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    is_locked = connection.get_execution_options().get("kerasmith_locked", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_locked else "BEGIN")


def _use_wal(engine: Engine) -> None:
    """Lets readers read while one process writes. The file remembers it."""
    give_up = time.monotonic() + WAIT_SECONDS
    with _sentences(engine.url), closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        while cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                cursor.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                # SQLite does not wait by itself here: another process is just opening the same new file
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(0.02)


@contextmanager
def _sentences(url: URL) -> Iterator[None]:
    """Turns what the database refuses, and a person can mend, into sentences. Our own mistakes pass as they are."""
    try:
        yield
    except DatabaseError as error:
        sentence = _sentence(url, error.orig)
        if sentence is None:
            raise
        raise sentence from error
    except sqlite3.DatabaseError as error:
        sentence = _sentence(url, error)
        if sentence is None:
            raise
        raise sentence from error


def _sentence(url: URL, error: BaseException | None) -> KerasmithError | None:
    name = place(url)
    if not isinstance(error, sqlite3.Error):
        is_connection = type(error).__name__ == "OperationalError"
        return StoreError(f"The database {name} cannot be used: {error}.") if is_connection else None
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return BusyError(
            f"The database {name} was held by another process for {WAIT_SECONDS:.0f} seconds. "
            "Wait until it ends, or set KERASMITH_HOME to another folder."
        )
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"The disk of the database {name} is full. Free some space, then run the command again.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StoreError(
            f"The database {name} cannot be opened for writing ({error}). "
            "Change its permissions, or set KERASMITH_HOME to another folder."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreError(
            f"The database {name} is damaged ({error}). Put a copy from the folder `backups` beside it in its place, "
            "or set KERASMITH_HOME to another folder."
        )
    if code == sqlite3.SQLITE_IOERR:
        return StoreError(f"The disk of the database {name} failed or is full ({error}). Check it, then try again.")
    return None


def _to_json(value: Any) -> str:
    return json.dumps(_plain(value), allow_nan=False, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null. numpy's scalars become Python's."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and callable(value.item):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
