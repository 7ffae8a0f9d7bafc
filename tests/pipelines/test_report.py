"""The report: complete, honest, and harmless whatever the data says."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.reporting import wording
from pipelines.reporting.examples import count_classes
from pipelines.reporting.facts import Mistake, ReportFacts
from pipelines.reporting.report import render_report
from records.data import Finding, Severity, Split, Understood

NASTY = "<script>alert(1)</script>"
VOID = {"meta", "img", "br", "path", "line", "link"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and refuses a tag that is closed out of order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.ids: set[str] = set()
        self._open: list[str] = []
        self.feed(html)
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.ids |= {value for name, value in attrs if name == "id" and value}
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):  # type: ignore[union-attr]
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open and self._open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words += data


def read(facts: ReportFacts) -> tuple[str, Page]:
    html = render_report(facts)
    return html, Page(html)


def squeeze(text: str) -> str:
    return " ".join(text.replace("\xa0", " ").split())


def test_report_says_how_good_it_is_with_interval_and_baseline(make_facts: Callable[..., ReportFacts]) -> None:
    facts = make_facts()
    figure = facts.manifest.evaluation.metrics["accuracy"]
    text = squeeze(read(facts)[1].words)
    assert f"95 % interval {figure.low:.3f} to {figure.high:.3f}" in text
    assert "Better than the floor" in text
    assert "a paired difference of +0.310 (95 % interval +0.280 to +0.340)" in text


def test_report_does_not_claim_what_the_interval_does_not_show(make_facts: Callable[..., ReportFacts]) -> None:
    unclear = squeeze(read(make_facts(margin=0.01))[1].words)
    assert "Not shown to be better than the floor" in unclear
    assert "Better than the floor" not in unclear
    assert "Worse than the floor" in squeeze(read(make_facts(margin=-0.2))[1].words)
    own = squeeze(read(make_facts(space="floor", margin=0.0))[1].words)
    assert "It is the floor baseline itself" in own
    assert "Better than the floor" not in own


def test_report_says_that_there_was_no_floor(make_facts: Callable[..., ReportFacts]) -> None:
    facts = make_facts()
    evaluation = facts.manifest.evaluation
    majority = tuple(c for c in evaluation.comparisons if c.baseline == "majority")
    manifest = facts.manifest.model_copy(update={"evaluation": evaluation.model_copy(update={"comparisons": majority})})
    assert "The floor baseline gave no result in this run" in render_report(make_facts(manifest=manifest))


def test_report_explains_which_way_log_loss_is_better(make_facts: Callable[..., ReportFacts]) -> None:
    text = squeeze(read(make_facts(objective="log_loss"))[1].words)
    assert "Better than the floor" in text
    assert "+ means less, which is better" in text


def test_perfect_score_comes_with_the_bound_that_the_bootstrap_cannot_see(
    make_facts: Callable[..., ReportFacts],
) -> None:
    text = squeeze(read(make_facts(perfect=True))[1].words)
    assert "no mistake among 370 test examples" in text
    assert "error rate of up to 0.81 %" in text  # 1 - 0.05^(1/370)


def test_report_needs_nothing_else(make_facts: Callable[..., ReportFacts]) -> None:
    html, page = read(make_facts())
    assert "script" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)
    sources = [value or "" for name, value in page.attributes if name in ("src", "href", "xlink:href", "action")]
    assert all(source.startswith(("#", "data:image/png;base64,")) for source in sources)
    assert set(re.findall(r"https?://[^\"'\s)<]+", html)) <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in html
    assert "url(" not in html
    assert "default-src 'none'" in html


def test_links_lead_to_sections_that_exist(make_facts: Callable[..., ReportFacts]) -> None:
    _, page = read(make_facts())
    targets = {value[1:] for name, value in page.attributes if name == "href" and value and value.startswith("#")}
    assert targets
    assert targets <= page.ids


@pytest.mark.parametrize("nasty", [NASTY, '"><img src=x onerror=alert(1)>', "{{ 7*7 }}", "]]>--><b>", "a'); alert('"])
def test_text_from_the_data_is_harmless_wherever_it_stands(make_facts: Callable[..., ReportFacts], nasty: str) -> None:
    facts = make_facts(
        labels=("cat", nasty, "dog"),
        source_name=nasty,
        findings=(Finding(code="x", severity=Severity.WARNING, what=nasty, done=nasty, examples=(nasty,)),),
        understood=(Understood(what=nasty, override=nasty),),
        left_out=(nasty,),
        refitted=False,
        refit_note=nasty,
        seconds={nasty: 1.0},
        mistakes=(
            Mistake(pixels=np.zeros((8, 8, 1), np.uint8), true=nasty, predicted=nasty, probability=0.9, id=nasty),
        ),
        commands=((nasty, nasty),),
    )
    harmless = make_facts(labels=("cat", "bird", "dog"))
    html, page = read(facts)
    assert NASTY not in html
    assert set(page.tags) == set(read(harmless)[1].tags)
    assert {name for name, _ in page.attributes} == {name for name, _ in read(harmless)[1].attributes}
    assert squeeze(page.words).count(nasty) >= 10


def test_labels_that_turn_or_break_text_are_made_plain(make_facts: Callable[..., ReportFacts]) -> None:
    html, page = read(make_facts(labels=("cat\u202egnp", "new\nline\x1b[31m", "lone \ud800 half")))
    html.encode()
    assert "catgnp" in page.words
    assert "new line\ufffd[31m" in page.words
    assert "\u202e" not in html
    assert "\x1b" not in html


@pytest.mark.parametrize("num_classes", [2, 21, 200])
def test_any_number_of_classes_fits(make_facts: Callable[..., ReportFacts], num_classes: int) -> None:
    labels = tuple(f"class {i} {'with a long name ' * 12}🦜" for i in range(num_classes))
    html, page = read(make_facts(labels=labels, support=12))
    assert all(page.words.count(f"class {i} with") >= 2 for i in range(num_classes))  # figures, and counts
    assert len(html) < 1_000_000
    assert page.tags.count("details") >= (2 if num_classes > 30 else 0)


def test_class_without_test_examples_keeps_its_place(make_facts: Callable[..., ReportFacts]) -> None:
    facts = make_facts(labels=("a", "b", "c"))
    confusion = ((37, 0, 0), (0, 0, 0), (1, 0, 36))
    evaluation = facts.manifest.evaluation.model_copy(update={"confusion": confusion})
    manifest = facts.manifest.model_copy(update={"evaluation": evaluation})
    assert "c" in read(make_facts(labels=("a", "b", "c"), manifest=manifest))[1].words


def test_report_tells_findings_understood_and_what_was_left_out(make_facts: Callable[..., ReportFacts]) -> None:
    facts = make_facts()
    text = squeeze(read(facts)[1].words)
    for finding in facts.findings:
        assert f"{finding.what} {finding.done}" in text
    assert "To say otherwise: --source" in text
    assert facts.left_out[0] in text
    assert "kerasmith serve clothing-small" in text
    assert "NotFinite: The loss became nan at step 40." in text
    assert "not for people" not in text  # a traceback's second line


def test_classes_with_few_test_examples_are_named_as_uncertain(make_facts: Callable[..., ReportFacts]) -> None:
    assert "Fewer than 20 test examples: cat, dog." in render_report(make_facts(labels=("cat", "dog"), support=12))
    assert "Fewer than 20" not in render_report(make_facts(labels=("cat", "dog"), support=20))


def test_pictures_are_shown_whatever_their_channels(make_facts: Callable[..., ReportFacts]) -> None:
    shapes = ((8, 8), (8, 8, 1), (300, 200, 3))
    mistakes = tuple(
        Mistake(pixels=np.zeros(shape, np.uint8), true="a", predicted="b", probability=0.9, id="id") for shape in shapes
    )
    html, page = read(make_facts(mistakes=mistakes))
    assert page.tags.count("img") == 3
    assert all(value for name, value in page.attributes if name == "alt")


def test_a_run_with_one_trial_has_a_report(make_facts: Callable[..., ReportFacts]) -> None:
    facts = make_facts(
        space="floor", num_trials=1, findings=(), understood=(), left_out=(), mistakes=(), commands=(), seconds={}
    )
    text = squeeze(read(facts)[1].words)
    assert "Nothing to note" in text
    assert "This space has nothing to set." in text


def test_count_classes_counts_each_split() -> None:
    prepared = SimpleNamespace(
        targets=np.array([0, 0, 1, 2, 2, 2]),
        spec=SimpleNamespace(num_classes=4),
        indices={
            Split.TEST: np.array([5]),
            Split.TRAIN: np.array([0, 1, 2, 3]),
            Split.VALIDATION: np.array([4]),
        },
    )
    assert count_classes(prepared) == {  # type: ignore[arg-type]
        "train": (2, 1, 1, 0),
        "validation": (0, 0, 1, 0),
        "test": (0, 0, 1, 0),
    }


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.44, "0.4 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3900, "1 h 5 min")],
)
def test_durations_are_said_as_people_do(seconds: float, told: str) -> None:
    assert wording.duration(seconds) == told


@pytest.mark.parametrize(
    ("num_bytes", "told"), [(500, "500 B"), (3_449_000, "3.4 MB"), (999_700, "1.0 MB"), (2e13, "20.0 TB")]
)
def test_sizes_are_said_as_people_do(num_bytes: float, told: str) -> None:
    assert wording.size(num_bytes) == told
