"""The doctor's look at the database and at the bundles that it names."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine

from pipelines.doctor.examine import Check, guarded
from pipelines.reporting.wording import plural
from records.errors import BundleError, KerasmithError
from records.registry import ModelVersion
from records.trial import RunState
from serving.bundle import verify
from serving.model_store import folder_of
from store.database import look_up_version, open_database
from store.home import Home, place
from store.ledger import Ledger
from store.migrations import MIGRATIONS
from store.registry import Registry

QUICK_CHECK_SECONDS = 3.0
VERIFY_SECONDS = 4.0
"""For reading bundles, the newest first: a home may hold more than a disk reads in a few seconds."""
MOST_NAMED = 5


def store_checks(home: Home) -> list[Check]:
    """The database; and where it can be read, the runs and the models."""
    database = guarded("database", lambda: database_check(home))
    if database.ok is not True or not _exists(home):
        return [database]
    try:
        engine = open_database(home)
    except Exception as error:
        return [Check(name="database", ok=False, what=str(error))]
    try:
        return [
            database,
            guarded("runs", lambda: runs_check(engine)),
            guarded("model store", lambda: garbage_check(home, engine)),
            guarded("models", lambda: models_check(home, Registry(engine).versions())),
        ]
    finally:
        engine.dispose()


def database_check(home: Home) -> Check:
    """Which one it is, its version, and SQLite's own quick check. Nothing is made or upgraded here."""
    if home.database_url.get_backend_name() != "sqlite":
        return server_check(home)
    if not _exists(home):
        return Check(name="database", ok=True, what="There is none yet: the first run makes it.")
    path = Path(str(home.database_url.database)).absolute()
    fix = f"Put a copy from {home.root / 'backups'} in its place, or set KERASMITH_HOME to another folder."
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=QUICK_CHECK_SECONDS)) as connection:
            version = _version(connection)
            whole = _quick_check(connection)
    except sqlite3.DatabaseError as error:
        return Check(name="database", ok=False, what=f"{path} cannot be read: {error}.", fix=fix)
    if whole not in ("ok", None):
        return Check(name="database", ok=False, what=f"{path} is damaged: {whole}.", fix=fix)
    told = "whole" if whole else f"too big to check in {QUICK_CHECK_SECONDS:.0f} s"
    return _version_check(version, f"{path}, version {version}, {told}.", "after a backup")


def server_check(home: Home) -> Check:
    """Which one KERASMITH_DATABASE names, without its password, and whether it answers."""
    began = time.perf_counter()
    try:
        version = look_up_version(home)
    except KerasmithError as error:
        return Check(name="database", ok=False, what=str(error))
    name = place(home.database_url)
    if version == 0:
        return Check(name="database", ok=True, what=f"{name} answers and is empty: the first run makes its tables.")
    seconds = time.perf_counter() - began
    what = f"{name}, version {version}, answered in {seconds * 1000:.0f} ms."
    return _version_check(version, what, "so back it up before")


def _version_check(version: int, what: str, backup: str) -> Check:
    newest = len(MIGRATIONS)
    if version > newest:
        what = f"It was made by a newer Kerasmith: version {version}, and this one knows {newest}."
        return Check(name="database", ok=False, what=what, fix="Install the newer Kerasmith.")
    if version < newest:
        what = f"Version {version}. The next command upgrades it to {newest}, {backup}."
        return Check(name="database", ok=None, what=what)
    return Check(name="database", ok=True, what=what)


def runs_check(engine: Engine) -> Check:
    """Runs that are said to go on, and whose process is gone."""
    ledger = Ledger(engine)
    running = [run for run in ledger.runs() if run.state is RunState.RUNNING]
    dead = ledger.dead_runs()
    if dead:
        what = f"{plural(len(dead), 'run')} died without a word: {_some(dead)}."
        fix = "kerasmith resume RUN goes on with one; kerasmith show RUN tells what it had."
        return Check(name="runs", ok=None, what=what, fix=fix)
    told = f"{plural(len(running), 'run')} going on." if running else "None is going on, none died unnoticed."
    return Check(name="runs", ok=True, what=told)


def garbage_check(home: Home, engine: Engine) -> Check:
    """Entries of the model store that no row of the registry names."""
    registered = Registry(engine).bundle_ids()
    entries = [path for path in (home.bentoml / "models").glob("*/*") if path.is_dir()]
    garbage = [f"{path.parent.name}:{path.name}" for path in entries if path.name not in registered]
    if garbage:
        what = f"{plural(len(garbage), 'entry', 'entries')} of an interrupted packaging: {_some(garbage)}."
        return Check(name="model store", ok=None, what=what, fix="Nothing to do: the next run removes them.")
    return Check(name="model store", ok=True, what=f"{plural(len(entries), 'bundle')}, all of them registered.")


def models_check(home: Home, models: Sequence[ModelVersion]) -> Check:
    """Whether each registered bundle is there and unchanged."""
    broken: list[str] = []
    checked = 0
    give_up = time.monotonic() + VERIFY_SECONDS
    for model in models:
        if time.monotonic() > give_up:
            break
        checked += 1
        try:
            verify(folder_of(home, model.name, model.bundle_id), model.checksum)
        except BundleError as error:
            broken.append(f"{model.ref}: {error}")
    if broken:
        what = f"{plural(len(broken), 'model')} cannot be served. {' '.join(broken[:MOST_NAMED])}"
        fix = "Restore the folder from a copy, or make the model again; other models are not touched by this."
        return Check(name="models", ok=False, what=what, fix=fix)
    if checked < len(models):
        what = f"The {checked} newest of {len(models)} are whole; there was no time for the others."
        return Check(name="models", ok=None, what=what)
    what = f"{plural(len(models), 'model')}, all of them whole." if models else "There are none yet."
    return Check(name="models", ok=True, what=what)


def _exists(home: Home) -> bool:
    url = home.database_url
    return Path(str(url.database)).exists() if url.get_backend_name() == "sqlite" else look_up_version(home) > 0


def _version(connection: sqlite3.Connection) -> int:
    """0 for a file without anything of ours."""
    known = "SELECT count(*) FROM sqlite_master WHERE name = 'schema_version'"
    if not connection.execute(known).fetchone()[0]:
        return 0
    row = connection.execute("SELECT version FROM schema_version").fetchone()
    return int(row[0]) if row else 0


def _quick_check(connection: sqlite3.Connection) -> str | None:
    """ "ok", what is wrong, or `None` when there was no time to tell."""
    give_up = time.monotonic() + QUICK_CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > give_up, 10_000)
    try:
        return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return None
        raise


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
