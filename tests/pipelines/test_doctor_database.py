"""The doctor says which database is used, without its password, and whether it answers."""

import pytest

from pipelines.doctor.stores import store_checks
from store.database import look_up_version, open_database
from store.home import Home
from store.migrations import MIGRATIONS
from tests.postgres import Server

NEWEST = len(MIGRATIONS)


def test_the_file_is_named(home: Home) -> None:
    open_database(home).dispose()
    check = store_checks(home)[0]
    assert (check.ok, check.what) == (True, f"{home.root}/kerasmith.db, version {NEWEST}, whole.")


def test_a_server_that_does_not_answer_is_told_without_the_password(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASMITH_DATABASE", "postgresql://me:secret@127.0.0.1:1/kerasmith")
    (check,) = store_checks(home)
    assert check.ok is False and "secret" not in check.what + check.fix
    assert check.what.startswith("The database postgresql://me:***@127.0.0.1:1/kerasmith cannot be used: ")


@pytest.mark.database
def test_a_server_is_asked_and_not_changed(
    home: Home, postgres: Server, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASMITH_DATABASE", postgres_url)
    (check,) = store_checks(home)
    assert check.ok is True and check.what.endswith(" answers and is empty: the first run makes its tables.")
    assert look_up_version(home) == 0
    open_database(home, MIGRATIONS[:1]).dispose()
    (check,) = store_checks(home)
    assert (check.ok, check.what) == (
        None,
        f"Version 1. The next command upgrades it to {NEWEST}, so back it up before.",
    )
    assert look_up_version(home) == 1
    open_database(home).dispose()
    checks = store_checks(home)
    assert [check.name for check in checks] == ["database", "runs", "model store", "models"]
    assert checks[0].what.startswith(
        f"postgresql://kerasmith:***@/{postgres_url.split('@/')[1].split('?')[0]}, version"
    )
    assert "secret" not in checks[0].what and "answered in " in checks[0].what
