"""What a database refuses, as sentences for the person who can mend it. Our own mistakes keep their traceback."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from records.errors import BusyError, KerasmithError, StoreError
from store.home import place

WAIT = "kerasmith_wait_seconds"
"""The engine's execution option that says how long another process's transaction is waited for."""

_LOCK_NOT_AVAILABLE = "55P03"
_NO_PRIVILEGE = "42501"
_DISK_FULL = "53100"
_TOO_MANY_CONNECTIONS = "53300"
_READ_ONLY = "25006"
_IDLE_TOO_LONG = "25P03"


@contextmanager
def sentences(engine: Engine) -> Iterator[None]:
    """Turns what the database refuses into StoreError or BusyError, where a person can do something about it."""
    try:
        yield
    except (DBAPIError, sqlite3.DatabaseError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        sentence = _on_sqlite(engine, cause) if engine.dialect.name == "sqlite" else _on_a_server(engine, cause)
        if sentence is None:
            raise
        raise sentence from error


def _held(engine: Engine) -> BusyError:
    wait = engine.get_execution_options()[WAIT]
    other = "KERASMITH_HOME to another folder" if engine.dialect.name == "sqlite" else "KERASMITH_DATABASE to another"
    return BusyError(
        f"The database {place(engine.url)} was held by another process for {wait:g} seconds. "
        f"Wait until it ends, or set {other}."
    )


def _on_sqlite(engine: Engine, error: BaseException | None) -> KerasmithError | None:
    name = place(engine.url)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _held(engine)
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


def _on_a_server(engine: Engine, error: BaseException | None) -> KerasmithError | None:
    """By SQLSTATE where there is one; an attempt to connect has none."""
    name, state, reason = place(engine.url), getattr(error, "sqlstate", None), _first_line(error)
    if state == _LOCK_NOT_AVAILABLE:
        return _held(engine)
    if state == _NO_PRIVILEGE:
        return StoreError(
            f"The database {name} refused: {reason}. "
            f"Let its owner run: GRANT ALL ON SCHEMA public TO {engine.url.username or 'USER'}."
        )
    if state == _DISK_FULL:
        return StoreError(f"The disk of the database {name} is full. Free some space, then run the command again.")
    if state == _TOO_MANY_CONNECTIONS:
        return StoreError(f"The database {name} has no connection left ({reason}). Raise max_connections there.")
    if state == _READ_ONLY:
        return StoreError(f"The database {name} may only be read ({reason}). Set KERASMITH_DATABASE to its primary.")
    # the driver has a class below OperationalError for nearly every way in which a server fails
    if state == _IDLE_TOO_LONG or any(kind.__name__ == "OperationalError" for kind in type(error).__mro__):
        return StoreError(
            f"The database {name} cannot be used: {reason}. Check that its server runs, and that KERASMITH_DATABASE "
            "names host, database, user and password."
        )
    return None


def _first_line(error: BaseException | None) -> str:
    return (str(error).strip().splitlines() or ["no reason was given"])[0].rstrip(".")
