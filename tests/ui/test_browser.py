"""The page as a person meets it: in Chromium, without a network."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipelines.terminal.page_server import running_page
from records.spec import InputKind
from serving.address import listenable
from store.database import open_database
from store.home import Home
from store.leases import Leases
from store.ledger import Ledger
from tests.ui.stand_in import REFUSAL, REFUSED, StandIn, picture, serving
from tests.ui.stand_in_home import add_trial, fill, start_run

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in BROWSERS if (path := shutil.which(name))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(BROWSERS)} is installed"),
]
MILLISECONDS = 60_000
OURS = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")


@pytest.fixture
def start_page(home: Home) -> Iterator[Any]:
    """Starts the page for a stand-in, or for a server that is not there; gives its URL."""
    with ExitStack() as stack:

        def start(stand_in: StandIn | None) -> str:
            url = "http://127.0.0.1:9" if stand_in is None else stand_in.url
            return stack.enter_context(running_page(home, listenable("127.0.0.1", 0), url)).url

        yield start


@pytest.fixture
def tab(start_page: Any) -> Iterator[Any]:
    """An empty tab that knows what it asked for and what went wrong in it; closed before the page ends."""
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1200, "height": 900})
        tab.set_default_timeout(MILLISECONDS)
        tab.asked, tab.wrong = [], []
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.on("websocket", lambda socket: tab.asked.append(socket.url))
        tab.on("console", lambda message: tab.wrong.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: tab.wrong.append(str(error)))
        yield tab
        browser.close()
    assert tab.asked and not [url for url in tab.asked if not url.startswith(OURS)]
    assert not tab.wrong


@pytest.fixture
def open_page(start_page: Any, tab: Any) -> Any:
    """Opens the page in the tab; it asks the given stand-in."""

    def start(stand_in: StandIn | None = None) -> Any:
        tab.goto(start_page(stand_in))
        return tab

    return start


def ask(tab: Any) -> None:
    tab.get_by_role("button", name="Ask the model").click()


@pytest.mark.parametrize("kind", list(InputKind))
def test_one_click_gives_an_answer(open_page: Any, kind: InputKind) -> None:
    with serving(kind) as stand_in:
        tab = open_page(stand_in)
        tab.get_by_text(f"{kind}s:2").first.wait_for()
        ask(tab)
        tab.get_by_text("answered in").wait_for()
        assert stand_in.bodies
        if kind is not InputKind.TABLE:
            tab.locator("[data-testid=stVegaLiteChart] svg, [data-testid=stVegaLiteChart] canvas").last.wait_for()
        assert tab.locator("[data-testid=stException]").count() == 0


def test_a_picture_is_uploaded_and_answered(open_page: Any, tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    file.write_bytes(picture(200))
    with serving(InputKind.IMAGE) as stand_in:
        tab = open_page(stand_in)
        tab.locator("input[type=file]").set_input_files(file)
        tab.get_by_text("large.png").first.wait_for()
        tab.get_by_role("img", name="The picture to ask about").wait_for()
        ask(tab)
        tab.get_by_text("probability 90.0 %").wait_for()
        assert file.read_bytes() in stand_in.bodies[-1]


def test_a_text_is_typed_and_refused(open_page: Any) -> None:
    with serving(InputKind.TEXT) as stand_in:
        tab = open_page(stand_in)
        tab.get_by_label("A text").fill(f"Please {REFUSED}.")
        ask(tab)
        tab.get_by_role("alert").get_by_text(REFUSAL).wait_for()


def test_without_a_server_the_page_says_so(open_page: Any) -> None:
    tab = open_page()
    tab.get_by_text("No server answers at http://127.0.0.1:9").wait_for()
    assert tab.get_by_text("Traceback").count() == 0


def test_runs_show_the_leaderboard_and_the_report(open_page: Any, home: Home) -> None:
    fill(home)
    tab = open_page()
    tab.get_by_role("link", name="Runs").click()
    tab.get_by_text("petals:1").first.click()
    tab.get_by_role("cell", name="finetuned_backbone").wait_for()
    tab.locator("[data-testid=stVegaLiteChart] svg, [data-testid=stVegaLiteChart] canvas").first.wait_for()
    tab.get_by_role("tab", name="Report").click()
    report = tab.frame_locator("iframe[title='Report of petals:1']")
    report.get_by_role("heading", name="Report of petals").wait_for()
    report.get_by_role("link", name="to the end").click()
    report.get_by_role("heading", name="The end").wait_for()
    assert report.get_by_role("heading", name="The end").evaluate("e => e.getBoundingClientRect().top < innerHeight")


def test_a_run_that_goes_on_is_shown_as_it_goes_on(open_page: Any, home: Home) -> None:
    fill(home)
    tab = open_page()
    tab.get_by_role("link", name="Runs").click()
    tab.get_by_role("cell", name="0.410").wait_for()
    tab.get_by_role("tab", name="Data").click()
    tab.get_by_text("The run has not said yet.").wait_for()
    engine = open_database(home)
    add_trial(Leases(engine), "cccc2222", "cnn", 0.83, epochs=5)
    engine.dispose()
    tab.get_by_text("best so far, trial 2").wait_for()
    assert tab.get_by_role("tab", name="Data").get_attribute("aria-selected") == "true"
    tab.get_by_role("tab", name="Trials").click()
    tab.get_by_role("cell", name="0.830").wait_for()


def test_a_new_run_leaves_the_chosen_one_chosen(open_page: Any, home: Home) -> None:
    fill(home)
    tab = open_page()
    tab.get_by_role("link", name="Runs").click()
    tab.get_by_text("petals:1").first.click()
    tab.get_by_text("run bbbb1111").wait_for()
    engine = open_database(home)
    start_run(Ledger(engine), "dddd3333", "flowers")
    engine.dispose()
    tab.get_by_text("flowers").wait_for()
    tab.wait_for_timeout(1500)
    assert tab.get_by_text("run bbbb1111").is_visible()
    assert tab.get_by_role("radio", checked=True).evaluate("e => e.closest('label').innerText").startswith("petals:1")


def test_dark_and_light_follow_the_browser(open_page: Any, tab: Any) -> None:
    tab.emulate_media(color_scheme="dark")
    with serving(InputKind.TEXT) as stand_in:
        open_page(stand_in)
        ask(tab)
        tab.get_by_text("answered in").wait_for()
        background = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
        assert tab.evaluate(background) == "rgb(18, 21, 24)"
        assert tab.locator(".ks-head b").evaluate("e => getComputedStyle(e).color") == "rgb(228, 231, 234)"
