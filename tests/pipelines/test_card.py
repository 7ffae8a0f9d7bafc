"""The model card: Markdown that tells the same, and that text from the data cannot break."""

import re
from collections.abc import Callable

import pytest

from pipelines.reporting.card import render_card
from pipelines.reporting.facts import ReportFacts
from records.data import Finding, Severity


def test_card_has_what_a_reader_of_a_model_looks_for(make_facts: Callable[..., ReportFacts]) -> None:
    facts = make_facts()
    card = render_card(facts)
    headings = re.findall(r"^## (.+)$", card, re.MULTILINE)
    assert headings == [
        "Intended use",
        "Serve and call it",
        "Data",
        "Evaluation",
        "How it was made",
        "Limitations",
        "Versions",
    ]
    figure = facts.manifest.evaluation.metrics["accuracy"]
    assert f"**accuracy {figure.value:.3f}** (95 % interval {figure.low:.3f} to {figure.high:.3f})" in card
    assert "Better than the floor." in card
    assert "kerasmith serve clothing-small" in card
    assert "- learning rate: 0.00123" in card
    assert facts.left_out[0] in card
    assert "14 images look the same as an image of the test split. They were left out of training." in card


def test_every_table_of_the_card_is_whole(make_facts: Callable[..., ReportFacts]) -> None:
    card = render_card(make_facts(labels=("a|b", "c", "d\ne")))
    tables = re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


@pytest.mark.parametrize("nasty", ["<script>alert(1)</script>", "[click](javascript:alert(1))", "a|b", "`x`", "**b**"])
def test_text_from_the_data_stays_text(make_facts: Callable[..., ReportFacts], nasty: str) -> None:
    finding = Finding(code="x", severity=Severity.INFO, what=nasty, done=nasty)
    card = render_card(make_facts(labels=("cat", nasty, "dog"), source_name=nasty, findings=(finding,)))
    assert nasty not in card
    assert "<" not in card.replace("&lt;", "")


def test_python_in_the_card_is_python(make_facts: Callable[..., ReportFacts]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", render_card(make_facts()), re.DOTALL)
    compile(program, "card", "exec")


def test_many_classes_are_told_in_short(make_facts: Callable[..., ReportFacts]) -> None:
    card = render_card(make_facts(labels=tuple(f"species {i}" for i in range(200)), support=12))
    assert "and 160 more" in card
    assert "The 15 classes with the lowest F1, of 200:" in card
    assert len(card) < 15_000


def test_card_does_not_claim_what_the_interval_does_not_show(make_facts: Callable[..., ReportFacts]) -> None:
    assert "Not shown to be better than the floor." in render_card(make_facts(margin=0.01))
