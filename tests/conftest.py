"""What every test gets: fixed seeds, a home of its own, and no connection beyond this machine."""

import ipaddress
import os
import random
import socket
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from store.home import Home, open_home

pytest_plugins = ("tests.tiny", "tests.postgres")

# the same examples every time; --hypothesis-profile=default looks for new ones
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_report_header() -> str:
    names = ("keras", "tensorflow", "keras-tuner", "optuna", "bentoml", "onnxruntime", "numpy")
    return "versions: " + ", ".join(f"{n} {metadata.version(n)}" for n in names)


@pytest.fixture(autouse=True)
def _fixed_seeds() -> None:
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERASMITH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KERASMITH_DATABASE", raising=False)
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "True")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home")


@pytest.fixture(autouse=True)
def _no_outgoing_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])  # type: ignore[index]
            if host != "localhost" and not ipaddress.ip_address(host.split("%")[0]).is_loopback:
                raise AssertionError(f"A test tried to reach {address!r}. Tests talk to this machine only.")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
    yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real datasets and weights, where a checkout has them beside it; never needed by the main job."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("KERASMITH_SHARED_DATA", default))
    if not (folder / "MANIFEST.md").is_file():
        pytest.skip(f"real datasets are not here: set KERASMITH_SHARED_DATA (looked in {folder})")
    return folder
