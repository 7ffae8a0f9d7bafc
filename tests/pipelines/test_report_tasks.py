"""The report and the card of every task and kind of input: whole, and without a word that does not fit."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from pipelines.reporting.card import render_card
from pipelines.reporting.facts import Mistake, Pairs, ReportFacts, Window
from pipelines.reporting.report import render_report
from records.spec import InputKind
from records.task import Decision
from tests.pipelines.other_facts import Make, classes_of, decided, futures_of, numbers_of
from tests.pipelines.test_report import Page, squeeze

Made = Callable[[Make], ReportFacts]
RUNS: dict[str, Made] = {
    "texts": lambda make: classes_of(make, InputKind.TEXT),
    "series": lambda make: classes_of(make, InputKind.SERIES, ("a", "b", "c")),
    "rows": lambda make: classes_of(make, InputKind.TABLE),
    "numbers": numbers_of,
    "futures": futures_of,
}


def words(facts: ReportFacts) -> str:
    return squeeze(Page(render_report(facts)).words)


@pytest.mark.parametrize("made", RUNS.values(), ids=RUNS)
def test_nothing_of_pictures_is_said_where_there_are_none(made: Made, make_facts: Make) -> None:
    facts = made(make_facts)
    said = f"{words(facts)} {render_card(facts)}".lower()
    assert not re.findall(r"\b(?:images?|pictures?|pixels?|photos?|camera)\b", said)
    if not facts.manifest.labels:
        assert not re.findall(r"\b(?:class|classes|confusion|probabilit\w+|accuracy|label\w*)\b", said)


@pytest.mark.parametrize("made", RUNS.values(), ids=RUNS)
def test_every_report_is_whole_and_needs_nothing_else(made: Made, make_facts: Make) -> None:
    page = Page(render_report(made(make_facts)))
    assert "script" not in page.tags
    sources = [value or "" for name, value in page.attributes if name in ("src", "href")]
    assert all(source.startswith("#") for source in sources)
    assert "Better than the floor" in page.words
    assert "NaN" not in page.words.replace("NotFinite", "")


@pytest.mark.parametrize("made", RUNS.values(), ids=RUNS)
def test_every_card_has_its_program_and_its_line_for_a_shell(made: Made, make_facts: Make) -> None:
    card = render_card(made(make_facts))
    (program,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    compile(program, "card", "exec")
    assert re.search(r"^curl .*http://127\.0\.0\.1:3000/predict$", card, re.MULTILINE)
    for table in re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_threshold_and_costs_are_told(make_facts: Make) -> None:
    facts = classes_of(make_facts, InputKind.TEXT)
    moved = decided(facts, Decision(threshold=0.342))
    assert "It answers spam from a probability of 0.342 on, instead of one half" in words(moved)
    assert "It answers spam from a probability of 0.342 on" in render_card(moved)
    costly = decided(facts, Decision(costs=((0.0, 1.0), (5.0, 0.0))))
    assert "least expected cost: spam answered as ham costs 5; any other mistake costs 1." in words(costly)
    even = decided(facts, Decision(costs=((0.0, 1.0), (1.0, 0.0))))
    assert "where every mistake costs 1." in words(even)


def test_wrongly_answered_texts_are_shown_as_text(make_facts: Make) -> None:
    nasty = "<img src=x onerror=alert(1)> free\u202e"
    mistake = Mistake(true="ham", predicted="spam", probability=0.91, id="line 3", text=nasty)
    html = render_report(classes_of(make_facts, InputKind.TEXT, mistakes=(mistake,)))
    assert "<img" not in html
    assert "<img src=x onerror=alert(1)> free" in Page(html).words
    assert "ham, answered spam (probability 0.910) line 3" in squeeze(Page(html).words)


def test_wrongly_answered_series_are_drawn(make_facts: Make) -> None:
    rng = np.random.default_rng(0)
    broken = rng.normal(size=(500, 9))
    broken[100:200] = np.nan
    shown = (broken, np.full((1, 1), 3.0), np.full((4, 2), np.nan))
    mistakes = tuple(
        Mistake(true="a", predicted="b", probability=0.9, id=str(i), series=one) for i, one in enumerate(shown)
    )
    html = render_report(classes_of(make_facts, InputKind.SERIES, mistakes=mistakes))
    assert html.count('<div class="series"') == 3
    paths = re.findall(r'<path d="([^"]*)" stroke="var\(--series-\d\)" stroke-width="1.6"', html)
    assert len(paths) == 6 + 1  # six channels of the first; nothing of the last
    assert all(re.fullmatch(r"(?:[ML]\d+\.\d \d+\.\d)+", path) for path in paths)
    assert paths[0].count("M") == 2  # the gap


def test_numbers_have_their_plot_and_their_largest_errors(make_facts: Make) -> None:
    facts = numbers_of(make_facts)
    text = words(facts)
    assert "A regression model for rows of 3 columns. It gives price." in text
    assert "600 of 1,800 drawn at random" in text
    assert "Both axes are logarithmic." in text
    assert re.search(r"row 0 ?14,310 ?9,211 ?5,099", text)
    assert "Better than the mean" in text
    assert "in the unit of price; less is better" in text
    few = numbers_of(make_facts, pairs=Pairs(true=np.array([-1.0, 2.0]), predicted=np.array([0.0, 2.0])))
    assert "drawn at random" not in words(few) and "logarithmic" not in words(few)


def test_forecasts_have_their_windows_their_range_and_their_steps(make_facts: Make) -> None:
    facts = futures_of(make_facts)
    text = words(facts)
    assert "A forecasting model of OT: 24 steps ahead" in text
    assert "The worst: from 2018-05-11 04:00." in text
    assert "should lie 80 % of the true values; 74 % do (95 % interval 71 % to 77 %). The range is too narrow." in text
    assert "0.500 at the first step, 1.650 at the last" in text
    assert "540 test examples are only 14 groups" in text
    assert "resampled together, as 14 groups." in text
    assert "Predicted and true" not in text
    assert "0.500 at the first step and 1.650 at the last of 24" in render_card(facts)


def test_a_forecast_of_one_step_has_a_report(make_facts: Make) -> None:
    one = np.array([1.0])
    window = Window(
        title="The best", id="from step 9", error=0.5, past=np.array([np.nan, np.nan]), truth=one, median=one, low=one,
        high=one,
    )  # fmt: skip
    facts = futures_of(make_facts, windows=(window,))
    evaluation = facts.manifest.evaluation
    single = evaluation.model_copy(update={"per_step": evaluation.per_step[:1]})
    manifest = facts.manifest.model_copy(update={"evaluation": single, "quantiles": (0.5,)})
    text = words(futures_of(make_facts, windows=(window,)).__class__(**{**facts.__dict__, "manifest": manifest}))
    assert "How far ahead" not in text and "Can its range be believed?" not in text


def test_the_winning_floor_is_said_to_be_one(make_facts: Make) -> None:
    text = words(futures_of(make_facts, space="floor"))
    assert "It is the floor baseline itself, the values of one season before, repeated" in text
