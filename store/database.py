"""The connection to the database, and the one way to read and then write."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.exc import OperationalError

from records.errors import ConfigError
from store.home import Home, place
from store.migrations import MIGRATIONS, Migration, migrate, version_of
from store.refusals import WAIT, sentences

WAIT_SECONDS = 60.0
"""For another process's transaction, and for a server that is started again. The longest transaction of ours takes
well under a second."""

_LOCK_NUMBER = 0x6B657261736D6974
"""Names our lock among a PostgreSQL database's advisory locks."""
_RECONNECT_SECONDS = 0.5
_SERVER = {
    "application_name": "kerasmith",
    "client_encoding": "utf8",
    "connect_timeout": "10",
    # a machine that vanishes without a word is noticed within a minute, not after the two hours of the system
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""libpq's settings, where the URL does not say otherwise."""


def open_database(
    home: Home, migrations: Sequence[Migration] = MIGRATIONS, wait_seconds: float = WAIT_SECONDS
) -> Engine:
    """Opens the database at this program's version; makes or upgrades it where needed.

    However many processes open an old or a missing database at once, one migrates it and the others wait. A database
    at the newest version is opened without waiting for anybody.

    Args:
        home: Where it is.
        migrations: Every step up to the newest version.
        wait_seconds: How long this and every later transaction waits for another process.

    Raises:
        ConfigError: KERASMITH_DATABASE names no usable kind of database.
        StoreError: It cannot be read or written, is damaged, or is newer than this program.
        BusyError: Another process held it for `wait_seconds`.
    """
    engine = _make_engine(home.database_url, wait_seconds)
    try:
        if engine.dialect.name == "sqlite":
            _use_wal(engine, wait_seconds)
        if _version(engine) != len(migrations):
            with locked(engine) as connection:
                migrate(connection, home.backups, migrations)
    except BaseException:
        engine.dispose()
        raise
    return engine


def look_up_version(home: Home) -> int:
    """The version of the database, which is neither made nor upgraded; 0: there is nothing of ours in it yet.

    Raises:
        ConfigError: KERASMITH_DATABASE names no usable kind of database.
        StoreError: It cannot be read, or is another program's.
    """
    engine = _make_engine(home.database_url, WAIT_SECONDS)
    try:
        return _version(engine)
    finally:
        engine.dispose()


@contextmanager
def locked(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other one of ours overlaps: what is read in it still holds when it writes.

    Commits at the end of the body, rolls back when the body raises. Not to be nested: the inner one would wait for
    the outer one until it gives up.

    Raises:
        StoreError: The database cannot be written or is damaged.
        BusyError: Another process held it for a minute.
    """
    with sentences(engine), _connected(engine) as connection:
        connection = connection.execution_options(kerasmith_locked=True)
        with connection.begin():
            if engine.dialect.name == "postgresql":
                _lock_server(connection, engine.get_execution_options()[WAIT])
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction whose queries all see the same moment. Waits for nobody, and nobody waits for it.

    Raises:
        StoreError: The database cannot be read or is damaged.
    """
    with sentences(engine), _connected(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


def clock(connection: Connection) -> datetime:
    """Now, in UTC; on a server by its own clock, which is one for all machines."""
    if connection.dialect.name == "postgresql":
        told: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return told.astimezone(UTC)
    return datetime.now(UTC)


def _version(engine: Engine) -> int:
    with sentences(engine), engine.begin() as connection:  # unlike `reading`: a server that is down is told of at once
        return version_of(connection)


def _make_engine(url: URL, wait_seconds: float) -> Engine:
    options = {WAIT: wait_seconds}
    if url.drivername in ("sqlite", "sqlite+pysqlite") and url.database not in (None, "", ":memory:"):
        engine = create_engine(url, json_serializer=_to_json, execution_options=options)
        event.listen(engine, "connect", _set_up_sqlite(wait_seconds))
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if url.drivername not in ("postgresql", "postgresql+psycopg"):
        raise ConfigError(
            "KERASMITH_DATABASE names no database that can be used. Expected sqlite:////folder/file.db or "
            f"postgresql://user@host/database. Received: {place(url)}."
        )
    settings: dict[str, Any] = {name: value for name, value in _SERVER.items() if name not in url.query}
    # statements that a server remembers would break behind a pooler, and when another process upgrades the tables
    settings["prepare_threshold"] = None
    try:
        return create_engine(
            url,
            json_serializer=_to_json,
            execution_options=options,
            connect_args=settings,
            pool_pre_ping=True,  # after a restart of the server the next call works again
        )
    except ImportError as error:
        raise ConfigError(
            f"The driver of the database {place(url)} is not installed ({error}). Install it: "
            "pip install 'psycopg[binary]'"
        ) from error


def _set_up_sqlite(wait_seconds: float) -> Any:
    def set_up(connection: sqlite3.Connection, _record: Any) -> None:
        # Left alone, the driver begins a transaction at the first write only: what was read before may have changed.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {int(wait_seconds * 1000)}")
        connection.execute("PRAGMA foreign_keys = ON")
        # Every commit reaches the disk before it is said to be done. NORMAL would forget the last ones when the power
        # fails: a trial that was ended, whose checkpoint was removed after that, or a model whose number somebody has
        # read. It would save a few milliseconds for each epoch of seconds. PostgreSQL's own default is the same.
        connection.execute("PRAGMA synchronous = FULL")

    return set_up


def _begin_sqlite(connection: Connection) -> None:
    is_locked = connection.get_execution_options().get("kerasmith_locked", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_locked else "BEGIN")


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    """A connection. A server that answered before and does not now is waited for: it may be starting again."""
    give_up = time.monotonic() + engine.get_execution_options()[WAIT]
    while True:
        try:
            connection = engine.connect()
            break
        except OperationalError:
            if engine.dialect.name == "sqlite" or time.monotonic() > give_up:
                raise
            time.sleep(_RECONNECT_SECONDS)
    with connection:
        yield connection


def _lock_server(connection: Connection, wait_seconds: float) -> None:
    """Waits for the lock as long as SQLite would, and lets nobody keep it who vanished in the middle."""
    limits = {"lock_timeout": wait_seconds, "idle_in_transaction_session_timeout": wait_seconds / 2}
    connection.execute(select(*(func.set_config(name, f"{int(s * 1000)}ms", True) for name, s in limits.items())))
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK_NUMBER)))


def _use_wal(engine: Engine, wait_seconds: float) -> None:
    """Lets readers read while one process writes. The file remembers it."""
    give_up = time.monotonic() + wait_seconds
    with sentences(engine), closing(engine.raw_connection()) as connection:
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


def _to_json(value: Any) -> str:
    """ASCII: so a server of any encoding keeps every text, also half a surrogate pair from the name of a file."""
    return json.dumps(_plain(value), allow_nan=False)


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null. numpy's scalars become Python's."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and callable(value.item):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
