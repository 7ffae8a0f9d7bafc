"""A server that goes away, refuses, or loses a client in the middle: sentences, and the next call works again."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, func, insert, select

from records.errors import BusyError, StoreError
from records.trial import EpochReport, Lease, Run, Trial, TrialResult, TrialState
from store import database
from store.database import clock, locked, open_database, reading
from store.home import Home
from store.leases import Leases
from store.ledger import Ledger
from store.schema import models
from tests.postgres import Server

pytestmark = pytest.mark.database

MakeRun = Callable[..., Run]
Report = Callable[..., EpochReport]
Take = Callable[..., tuple[Trial, Lease]]

HOLD_ON = """
import sys
from store.database import locked, open_database
from store.home import open_home
with locked(open_database(open_home(), wait_seconds=float(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def url(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("KERASMITH_DATABASE", postgres_url)
    return postgres_url


@pytest.fixture
def engine(home: Home, url: str) -> Engine:
    return open_database(home, wait_seconds=20.0)


def test_a_server_that_starts_again_is_waited_for(
    engine: Engine,
    postgres: Server,
    ledger: Ledger,
    leases: Leases,
    make_run: MakeRun,
    take: Take,
    report: Report,
    result: TrialResult,
) -> None:
    ledger.start_run(make_run())
    _, lease = take()
    leases.record_epoch(lease, report(1))
    postgres.stop()
    starting = threading.Timer(1.5, postgres.start)
    starting.start()
    began = time.monotonic()
    leases.record_epoch(lease, report(2))
    assert time.monotonic() - began > 1.4
    starting.join()
    leases.complete(lease, result)
    (trial,) = ledger.trials("r1")
    assert (trial.state, trial.epochs) == (TrialState.COMPLETED, (report(1), report(2)))


def test_a_server_that_stays_away_is_a_sentence_and_the_next_call_works_again(
    home: Home, url: str, postgres: Server, make_run: MakeRun
) -> None:
    engine = open_database(home, wait_seconds=0.3)
    ledger = Ledger(engine)
    ledger.start_run(make_run())
    postgres.stop()
    try:
        told = (
            r"The database postgresql://kerasmith:\*\*\*@/test_\d+ cannot be used: connection.* No such file.* Check "
        )
        for call in (ledger.runs, lambda: ledger.beat("r1", 1.0)):
            with pytest.raises(StoreError, match=told) as caught:
                call()  # type: ignore[operator]
            assert "secret" not in str(caught.value) and "\n" not in str(caught.value)
        began = time.monotonic()
        with pytest.raises(StoreError, match=told):
            open_database(home)
        assert time.monotonic() - began < 5
    finally:
        postgres.start()
    assert ledger.beat("r1", 1.0)


def test_a_transaction_that_the_server_drops_leaves_nothing(engine: Engine, postgres: Server, ledger: Ledger) -> None:
    with pytest.raises(StoreError, match="cannot be used: terminating connection"), locked(engine) as connection:
        row = {"name": "n", "version": 1, "sequence": 1, "bundle_id": "b", "run_id": "r", "checksum": "c"}
        connection.execute(insert(models).values(**row, created_at="t", summary={}))
        number = connection.execute(select(func.pg_backend_pid())).scalar_one()
        postgres.sql(f"SELECT pg_terminate_backend({number})")
        connection.execute(select(models)).all()
    with reading(engine) as connection:
        assert connection.execute(select(models)).all() == []
    assert ledger.runs() == []


def test_a_client_that_is_killed_with_the_lock_frees_it(
    engine: Engine, program: Callable[..., "subprocess.Popen[str]"]
) -> None:
    holder = program(HOLD_ON, 60)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    began = time.monotonic()
    with locked(engine):
        assert time.monotonic() - began < 5


def test_a_client_that_sleeps_with_the_lock_loses_it_before_the_others_give_up(
    home: Home, engine: Engine, program: Callable[..., "subprocess.Popen[str]"]
) -> None:
    holder = program(HOLD_ON, 2)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGSTOP)  # as a machine does that vanishes from the network
    impatient = open_database(home, wait_seconds=2.0)
    with locked(impatient):
        pass
    impatient.dispose()
    holder.send_signal(signal.SIGCONT)
    _, errors = holder.communicate("go\n", timeout=30)
    assert holder.returncode == 1 and "StoreError" in errors


def test_what_a_server_refuses_is_a_sentence(
    home: Home, postgres: Server, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgres_url.partition("@/")[2].partition("?")[0]
    for url, told in (
        (postgres.url("absent"), r'cannot be used: .*database "absent" does not exist\. Check that its server runs'),
        (postgres.url(name, "nobody1"), r'cannot be used: .*role "nobody1" does not exist'),
        (
            "postgresql://me:secret@127.0.0.1:1/db",
            r"postgresql://me:\*\*\*@127\.0\.0\.1:1/db cannot be used: .*refused",
        ),
    ):
        monkeypatch.setenv("KERASMITH_DATABASE", url)
        with pytest.raises(StoreError, match=told) as caught:
            open_database(home)
        assert "secret" not in str(caught.value)


def test_a_user_who_may_make_no_tables_is_told_what_to_grant(
    home: Home, postgres: Server, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgres_url.partition("@/")[2].partition("?")[0]
    postgres.sql("CREATE ROLE guest LOGIN")
    try:
        postgres.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name)
        monkeypatch.setenv("KERASMITH_DATABASE", postgres.url(name, "guest"))
        with pytest.raises(StoreError, match=r"refused: permission denied .* GRANT ALL ON SCHEMA public TO guest"):
            open_database(home)
    finally:
        postgres.sql("DROP ROLE guest")


def test_a_database_that_may_only_be_read_is_a_sentence(engine: Engine, postgres: Server, ledger: Ledger) -> None:
    postgres.sql(f"ALTER DATABASE {engine.url.database} SET default_transaction_read_only = on")
    engine.dispose()
    assert ledger.runs() == []
    with pytest.raises(StoreError, match=r"may only be read \(cannot execute UPDATE .*Set KERASMITH_DATABASE to its"):
        ledger.beat("r1", 1.0)


def test_the_clock_is_the_servers(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "datetime", None)
    with reading(engine) as connection:
        assert abs(clock(connection).timestamp() - time.time()) < 60


def test_any_encoding_keeps_every_configuration(
    home: Home, postgres: Server, monkeypatch: pytest.MonkeyPatch, make_run: MakeRun
) -> None:
    postgres.sql("CREATE DATABASE old TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        monkeypatch.setenv("KERASMITH_DATABASE", postgres.url("old"))
        engine = open_database(home)
        ledger = Ledger(engine)
        ledger.start_run(make_run(config={"data": "Größe/漢字"}, error="Größe"))
        run = ledger.get_run("r1")
        assert (run.config, run.error) == ({"data": "Größe/漢字"}, "Größe")
        engine.dispose()
    finally:
        postgres.sql("DROP DATABASE old WITH (FORCE)")


def test_waiting_ends_with_a_sentence_as_on_sqlite(home: Home, engine: Engine) -> None:
    impatient = open_database(home, wait_seconds=0.3)
    told = r"held by another process for 0\.3 seconds.* KERASMITH_DATABASE to another"
    with locked(engine), pytest.raises(BusyError, match=told), locked(impatient):
        pass
    impatient.dispose()
