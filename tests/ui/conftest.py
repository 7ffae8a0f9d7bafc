"""The page in this process (`streamlit.testing`), with stand-ins for a server and a home."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from records.spec import InputKind
from store.home import Home
from tests.ui.stand_in import StandIn, serving
from tests.ui.stand_in_home import fill

APP = Path(__file__).resolve().parents[2] / "ui" / "app.py"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[InputKind], StandIn]]:
    """Starts the stand-in for a model of a kind, as the server that the page asks."""
    with ExitStack() as stack:

        def start(kind: InputKind) -> StandIn:
            stand_in = stack.enter_context(serving(kind))
            monkeypatch.setenv("KERASMITH_SERVER", stand_in.url)
            return stand_in

        yield start


@pytest.fixture
def app() -> AppTest:
    """The page, not run yet."""
    return AppTest.from_file(str(APP), default_timeout=60)


@pytest.fixture
def filled(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The home of the test, with runs in it."""
    monkeypatch.setenv("KERASMITH_HOME", str(home.root))
    fill(home)
    return home
