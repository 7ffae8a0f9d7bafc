"""Memory of the page.

The page's process, asked by Chromium: `started` when it answers, `try` after a question of each kind of input,
`both` after a run with its leaderboard, curves and a report of a megabyte was opened too, and `ten_tabs` with ten such
tabs open at once. Resident memory, shared libraries included. Server and home are the tests' stand-ins.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from benchmarks.cells import Cell, run

FILES = ("ui/**/*.py", "pipelines/terminal/page_*.py", "serving/client.py", "benchmarks/page_memory.py")
REPORT_BYTES = 1_000_000
TABS = 10


def measured() -> dict[str, Any]:
    """Opens both pages, again and again."""
    from playwright.sync_api import sync_playwright

    from pipelines.terminal.page_server import running_page
    from records.spec import InputKind
    from serving.address import listenable
    from store.home import open_home
    from tests.ui.stand_in import serving
    from tests.ui.stand_in_home import fill

    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kerasmith-benchmark-")))
        home = open_home(root / "home")
        fill(home)
        for report in home.bentoml.rglob("report.html"):
            report.write_text(report.read_text("utf-8").ljust(REPORT_BYTES), encoding="utf-8")
        servers = [stack.enter_context(serving(kind)) for kind in InputKind]
        page = stack.enter_context(running_page(home, listenable("127.0.0.1", 0), servers[0].url))
        process = psutil.Process(page.process.pid)
        figures = {"started_mb": megabytes(process)}
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        stack.callback(browser.close)
        for name, tabs in (("both", 1), ("ten_tabs", TABS - 1)):
            for _ in range(tabs):
                tab = browser.new_page(viewport={"width": 1200, "height": 900})
                tab.goto(page.url)
                for server in servers:
                    ask(tab, server.url, f"{server.kind}s:2")
                if name == "both":
                    figures["try_mb"] = megabytes(process)
                look_at_run(tab)
            figures[f"{name}_mb"] = megabytes(process)
        return figures


def ask(tab: Any, url: str, model: str) -> None:
    """Asks one server on the page `Try`."""
    field = tab.get_by_label("Server")
    field.fill(url)
    field.press("Enter")
    tab.get_by_text(model).first.wait_for()
    tab.get_by_role("button", name="Ask the model").click()
    tab.get_by_text("answered in").wait_for()


def look_at_run(tab: Any) -> None:
    """Opens a run and its report on the page `Runs`."""
    tab.get_by_role("link", name="Runs").click()
    tab.get_by_text("petals:1").first.click()
    tab.get_by_role("tab", name="Report").click()
    tab.frame_locator("iframe[title='Report of petals:1']").get_by_role("heading", name="The end").wait_for()


def megabytes(process: psutil.Process) -> int:
    """Resident."""
    return round(process.memory_info().rss / 1e6)


CELLS = (Cell(bench="page_memory", name="both-pages", measure=measured, files=FILES, packages=("streamlit", "altair")),)

if __name__ == "__main__":
    run(CELLS)
