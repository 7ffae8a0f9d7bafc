"""The report, the card and the commands say that a model is several trials, which, and what that gained."""

from collections.abc import Callable

from rich.console import Console

from pipelines.reporting.card import render_card
from pipelines.reporting.facts import ReportFacts
from pipelines.reporting.report import render_report
from pipelines.reporting.verdicts import average_sentences
from pipelines.terminal.views import figures_view, run_view
from records.bundle import Average, Part


def make_average(again: tuple[bool, bool] = (True, True)) -> Average:
    note = "There was no time for a fit on all examples."
    parts = [("transformer", 3, 0.6, {"transformer/width": 64}), ("<b>own", 1, 0.4, {})]
    return Average(
        parts=tuple(
            Part(trial=number, space=space, values=values, weight=weight, refitted=fit, note="" if fit else note)
            for (space, number, weight, values), fit in zip(parts, again, strict=True)
        ),
        score=0.97,
        single_score=0.955,
        num_examples=67,
    )


def averaged(make_facts: Callable[..., ReportFacts], average: Average | None) -> ReportFacts:
    facts = make_facts()
    manifest = facts.manifest.model_copy(update={"average": average, "space": "transformer + own"})
    return make_facts(manifest=manifest, winner=3)


def test_one_network_needs_no_word_of_it(make_facts: Callable[..., ReportFacts]) -> None:
    assert average_sentences(None, "accuracy") == []
    facts = make_facts()
    for text in (render_report(facts), render_card(facts)):
        assert "average of" not in text.replace("on average", "")
    assert render_report(facts).count("<small>the model</small>") == 1


def test_the_sentences_say_who_what_and_that_it_flatters() -> None:
    who, gain, again = average_sentences(make_average(), "accuracy")
    assert "average of 2 networks: trial 3 (transformer) counts 60 %, trial 1" in who
    assert "On 67 examples" in gain and "0.970" in gain and "0.955" in gain and "flatters" in gain
    assert again == "Then each was fitted again on training and validation examples together."


def test_parts_that_were_not_fitted_again_say_why() -> None:
    told = average_sentences(make_average((True, False)), "accuracy")[2:]
    assert told == [
        "Trial 3 was fitted again on training and validation examples together.",
        "Trial 1 keeps its weights. There was no time for a fit on all examples.",
    ]


def test_report_and_card_tell_it_and_escape_it(make_facts: Callable[..., ReportFacts]) -> None:
    facts = averaged(make_facts, make_average())
    report, card = render_report(facts), render_card(facts)
    assert "It is the average of 2 networks" in report and "It is the average of 2 networks" in card
    assert "the average of 2 of them won" in report
    assert "60 % of the model" in report and "40 % of the model" in report
    assert "<b>own" not in report and "&lt;b&gt;own" in report
    assert "This space has nothing to set." in report and "<dt>width</dt><dd>64</dd>" in report
    assert "nothing to set" in card and "<b>own" not in card


def test_commands_tell_it(make_facts: Callable[..., ReportFacts]) -> None:
    facts = averaged(make_facts, make_average())
    console = Console(width=200, record=True)
    console.print(figures_view(facts.manifest))
    assert "It is the average of 2 networks" in console.export_text()
    console.print(
        run_view(facts.run, facts.trials, evaluation=facts.manifest.evaluation, average=facts.manifest.average)
    )
    assert "It is the average of 2 networks" in console.export_text()
