import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from records.bundle import ONNX_MODEL, SAMPLE_ANSWER, SAMPLE_REQUEST
from records.errors import BundleError, ConfigError
from serving.address import listenable
from serving.beside import MODEL
from serving.building.bento import REQUIREMENTS, build
from serving.bundle import verify
from serving.model_store import bento_folder, folder_of
from store.home import Home
from tests.serving.building.test_manifests import instructions
from tests.serving.test_serve import TRAP

pytestmark = pytest.mark.e2e


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bento_holds_the_model_its_code_and_what_runs_it(registered: Home) -> None:
    built = build(registered, "tiny")
    assert built.model == "tiny:1" and built.tag.startswith("tiny:1-") and built.note == ""
    assert built.folder == bento_folder(registered, *built.tag.split(":"))
    files = contents(built.folder)
    assert (
        contents(folder_of(registered, "tiny", "tiny-1")).items()
        <= {name.removeprefix(f"src/{MODEL}/"): content for name, content in files.items()}.items()
    )
    verify(built.folder / "src" / MODEL)
    assert {"src/serving/service.py", "src/records/api.py", "src/store/files.py", "bento.yaml"} <= files.keys()
    assert not any("keras" in name or "optuna" in name for name in files if name.startswith("src/search_spaces"))
    assert not any(name.endswith((".pkl", ".pickle", ".pyc")) for name in files)
    assert b"://" not in files[REQUIREMENTS] and b"tensorflow" not in files[REQUIREMENTS]
    assert 30 * 2**20 < built.memory_bytes < 2**30
    request = f"memory: {-(-built.memory_bytes // 2**20)}Mi"
    assert request in files["deploy/deployment.yaml"].decode()
    for step, rest in instructions(files["deploy/Dockerfile"].decode()):
        if step == "COPY" and not rest.startswith("--from"):
            assert all((built.folder / source).exists() for source in rest.split()[:-1]), rest

    import bentoml
    from bentoml._internal.bento import BentoStore

    found = bentoml.bentos.get("tiny:latest", _bento_store=BentoStore(registered.bentoml / "bentos"))
    assert Path(found.path) == built.folder
    before = (built.folder / "bento.yaml").stat().st_mtime_ns
    assert build(registered, "tiny") == built  # the same model and code: nothing is made
    assert (built.folder / "bento.yaml").stat().st_mtime_ns == before
    assert [path.name for path in built.folder.parent.iterdir() if path.name.startswith(".building-")] == []


def test_a_folder_that_holds_something_is_not_written_to(registered: Home, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(ConfigError, match="holds something already"):
        build(registered, "tiny", tmp_path / "out")
    assert contents(tmp_path / "out") == {"mine": b"mine"}


def test_no_bento_is_made_of_a_damaged_model(registered: Home, tmp_path: Path) -> None:
    (folder_of(registered, "tiny", "tiny-1") / ONNX_MODEL).write_bytes(b"")
    with pytest.raises(BundleError, match="not what was packaged"):
        build(registered, "tiny", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_building_asks_nobody(registered: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(TRAP)
    trap = tmp_path / "trapped"
    monkeypatch.setenv("TRAP_FILE", str(trap))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    build(registered, "tiny", tmp_path / "out")
    lines = trap.read_text().splitlines()
    assert lines.count("trapped") >= 3  # the server that is measured, its worker, and BentoML that builds
    assert {line.split()[1] for line in lines if line != "trapped"} <= {"127.0.0.1", "localhost", "a"}, lines


def test_the_command_tells_what_it_made_as_json(registered: Home, tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "pipelines", "build", "table_row", "--output", str(tmp_path / "out")]
    environment = os.environ | {"KERASMITH_HOME": str(registered.root)}
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["model"] == "table_row:1" and told["folder"] == str(tmp_path / "out")
    again = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert again.returncode == ConfigError.exit_code and "holds something already" in again.stderr


@contextmanager
def served(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True)
    try:
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    finally:
        process.kill()


def wait_for(url: str, seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if httpx.get(url + "/readyz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError("it was not ready")


@pytest.fixture
def environment_of_its_own(registered: Home, tmp_path: Path) -> tuple[Path, Path]:
    """A Bento, and Python with nothing but its requirements."""
    built = build(registered, "table_row", tmp_path / "bento")
    new = tmp_path / "new"
    made = subprocess.run([sys.executable, "-m", "venv", str(new)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"a new environment cannot be made: {made.stdout.strip()[-200:]}")
    install = [str(new / "bin/python"), "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:"]
    done = subprocess.run(
        [*install, "-r", str(built.folder / REQUIREMENTS)], capture_output=True, text=True, timeout=540
    )
    if done.returncode and any(word in done.stderr for word in ("NewConnectionError", "No matching distribution")):
        pytest.skip(f"packages cannot be fetched here: {done.stderr.strip().splitlines()[-1][:200]}")
    assert done.returncode == 0, done.stderr[-2000:]
    return built.folder, new


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_bento_is_served_from_an_environment_with_its_requirements_alone(
    environment_of_its_own: tuple[Path, Path], tmp_path: Path
) -> None:
    bento, new = environment_of_its_own
    listed = subprocess.run([str(new / "bin/python"), "-m", "pip", "list", "--format=json"], capture_output=True)
    names = {one["name"].lower() for one in json.loads(listed.stdout)}
    assert not {"tensorflow", "keras", "kerasmith", "sqlalchemy", "optuna"} & names and "bentoml" in names

    before, empty = contents(bento), tmp_path / "empty"
    shutil.rmtree(empty, ignore_errors=True)
    empty.mkdir()
    clean = {"PATH": os.environ["PATH"], "BENTOML_HOME": str(tmp_path / "bentoml"), "BENTOML_DO_NOT_TRACK": "True"}
    clean |= {"PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(tmp_path)}
    told = dict(instructions((bento / "deploy/Dockerfile").read_text()))
    in_container = [str(new / "bin/python"), *json.loads(told["CMD"])[1:]]
    ways = {
        "bentoml serve": ([str(new / "bin/bentoml"), "serve", str(bento), "--port", "PORT", "-q"], {}),
        "the container's command": (in_container, {"PYTHONPATH": str(bento / "src")}),
    }
    for command, more in ways.values():
        address = listenable("127.0.0.1", 0)
        if "PORT" in command:
            command[command.index("PORT")] = str(address.port)
        else:
            command[command.index("--port") + 1] = str(address.port)
            command[command.index("--host") + 1] = "127.0.0.1"
        with served(command, clean | more, empty):
            url = f"http://127.0.0.1:{address.port}"
            wait_for(url)
            body = (bento / "src" / MODEL / SAMPLE_REQUEST).read_bytes()
            answer = httpx.post(url + "/predict", content=body, headers={"content-type": "application/json"})
            assert answer.status_code == 200 and answer.headers["x-model"] == "table_row"
            [given] = answer.json()["predictions"]
            [expected] = json.loads((bento / "src" / MODEL / SAMPLE_ANSWER).read_text())["predictions"]
            assert given == {name: value for name, value in expected.items() if value is not None}
    assert contents(bento) == before  # it runs from a file system that is read-only
