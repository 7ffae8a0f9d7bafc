import base64
import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from records.trial import RunState
from store.database import open_database
from store.home import Home
from store.leases import Leases
from tests.ui.stand_in import rows_of
from tests.ui.stand_in_home import BEST, NASTY, PRUNED, REPORT, SPACES, lease
from ui.stores import newest_runs, signature, trials_of
from ui.words import cell, plain


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


@pytest.fixture
def page(app: AppTest) -> AppTest:
    app.run()
    return app.switch_page("app_pages/runs.py")


def choose(page: AppTest, name: str, tab: str = "Trials") -> AppTest:
    page.session_state["tabs"] = tab
    return page.radio[0].set_value(next(run.id for run in newest_runs() if (run.model or run.name) == name)).run()


def test_an_empty_home_names_the_first_command(page: AppTest) -> None:
    page.run()
    assert "There are no runs yet" in page.info[0].value and not page.exception
    assert page.code[0].value == "kerasmith run digits --budget 2m"


def test_runs_are_listed_newest_first(filled: Home, page: AppTest) -> None:
    page.run()
    assert page.radio[0].options == ["**letters**", r"**petals\:1**", "**petals**"]
    captions = list(page.radio[0].proto.captions)
    assert ":green[completed]" in captions[1] and "accuracy 0.947 (0.928 to 0.965)" in captions[1]
    assert captions[0].startswith(":blue[running], 9 min 20 s left") and ":red[failed]" in captions[2]


def test_a_run_shows_its_figure_its_leaderboard_and_its_curves(filled: Home, page: AppTest) -> None:
    choose(page.run(), "petals:1")
    shown = html(page)
    assert "<dd>0.947 <small>95 % interval 0.928 to 0.965</small></dd>" in shown
    assert "than the floor baseline, whose accuracy is 0.737" in shown
    first = shown.index("<tr class=best>")
    assert f"<td>1</td><td>{BEST}</td><td>{SPACES[BEST]}</td><td>0.940</td>" in shown[first : first + 200]
    assert shown.count("<tr><td>") >= len(SPACES)
    assert "filters 32, learning rate 0.001, flip yes" in shown
    (chart,) = page.get("vega_lite_chart")
    rows = rows_of(json.loads(chart.proto.spec))
    assert {row["trial"] for row in rows} == set(range(len(SPACES)))
    assert {row["trial"] for row in rows if row["won"]} == {BEST}


def test_what_happened_to_a_trial_is_told_in_its_row(filled: Home, page: AppTest) -> None:
    choose(page.run(), "petals:1")
    shown = html(page)
    assert "<dd>5 done <small>1 of them stopped early, 1 failed</small></dd>" in shown
    row = next(row for row in shown.split("<tr") if f"<td>{PRUNED}</td>" in row)
    assert "<td>2</td>" in row and "0.880, stopped early" in row  # ranked with the others
    assert "Proposed from the trials before" in row
    assert "half the batch" in row and "went on from its checkpoint at step 20" in row
    assert "Known to be good on such data: On photographs a linear head" in shown
    assert "<dt>time used</dt><dd>8 min 5 s <small>of 10 min 0 s</small></dd>" in shown


def test_a_running_run_tells_what_is_left_and_what_waits(filled: Home, page: AppTest) -> None:
    page.run()
    shown = html(page)
    assert "<dt>time left</dt><dd>9 min 20 s <small>of 10 min 0 s</small></dd>" in shown
    row = next(row for row in shown.split("<tr") if "<td>waiting</td>" in row)
    assert "Attempt 2, since a worker died" in row and "resumed" not in shown


def test_a_run_that_rested_says_so_and_one_that_stopped_can_go_on(
    filled: Home, page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(page.run(), "petals:1")
    assert "resumed after a pause of" in html(page)  # begun two hours ago, and ended now
    monkeypatch.setattr("store.ledger.lives", lambda row, shared: False)
    choose(page.run(), "letters")
    assert "kerasmith resume cccc2222" in [code.value for code in page.code]


def test_findings_and_what_was_left_out_stay_text(filled: Home, page: AppTest) -> None:
    choose(page.run(), "petals:1", "Data")
    shown = html(page)
    assert shown.index("3 files are not readable images") < shown.index("3,670 images in 5 classes")  # warnings first
    assert cell(NASTY) in shown and "<img" not in shown
    assert "The backbone resnet is not installed" in shown and "<dt>search</dt><dd>6 min 50 s" in shown
    choose(page, "petals")
    assert plain(NASTY) in page.error[0].value


def test_the_report_is_shown_and_can_be_downloaded(filled: Home, page: AppTest) -> None:
    choose(page.run(), "petals:1", "Report")
    (frame,) = page.get("iframe")
    head, data = frame.proto.src.split(",")
    assert head == "data:text/html;charset=utf-8;base64" and base64.b64decode(data).decode() == REPORT
    assert frame.proto.alt == "Report of petals:1"
    assert [button.proto.label for button in page.get("download_button")] == ["Download the report (html)"]


def test_a_report_that_is_gone_is_a_sentence(filled: Home, page: AppTest) -> None:
    for path in filled.bentoml.rglob("report.html"):
        path.unlink()
    choose(page.run(), "petals:1", "Report")
    assert any("holds no report" in caption.value for caption in page.caption) and not page.exception


def test_a_run_that_goes_on_changes_its_signature(filled: Home, page: AppTest) -> None:
    page.run()
    assert "best so far, trial 0" in html(page)
    run = newest_runs()[0]
    before = signature(newest_runs(), trials_of(run))
    assert before == signature(newest_runs(), trials_of(run))
    engine = open_database(filled)
    lease(Leases(engine), run.id, "cnn")
    engine.dispose()
    after = signature(newest_runs(), trials_of(run))
    assert after != before
    page.run()
    assert "1 running, 1 waiting" in html(page)
    assert "<td>running</td>" in html(page) and "<td>waiting</td>" in html(page)


def test_a_run_whose_process_died_is_interrupted(filled: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.ledger.lives", lambda row, shared: False)
    assert newest_runs()[0].state is RunState.INTERRUPTED


def test_a_home_that_cannot_be_used_is_a_sentence(
    page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "kerasmith.db").write_bytes(b"this is no database" * 100)
    monkeypatch.setenv("KERASMITH_HOME", str(broken))
    page.run()
    assert "is damaged" in page.error[0].value and not page.exception
