"""What report and card say of how sure a model is."""

from collections.abc import Callable

import pytest

from pipelines.reporting.card import render_card
from pipelines.reporting.facts import ReportFacts
from pipelines.reporting.report import render_report
from pipelines.reporting.sureness import sureness_sentences
from records.bundle import Calibration
from records.evaluation import Coverage, Figure

HOTTER = Calibration(
    temperature=1.62, num_examples=370, log_loss_before=0.512, log_loss_after=0.431, error_before=0.061,
    error_after=0.022,
)  # fmt: skip
KEPT = Coverage(asked=0.9, found=Figure(value=0.912, low=0.881, high=0.936), num_scores=370, mean_size=1.31)


def told(make_facts: Callable[..., ReportFacts], calibration: Calibration | None, coverage: Coverage | None) -> str:
    facts = make_facts()
    evaluation = facts.manifest.evaluation.model_copy(update={"conformal": coverage})
    manifest = facts.manifest.model_copy(update={"calibration": calibration, "evaluation": evaluation})
    facts = make_facts(manifest=manifest)
    card, report, sentences = render_card(facts), render_report(facts), sureness_sentences(manifest)
    assert all(sentence in card and sentence in report for sentence in sentences)
    assert ("How sure it is" in report) == bool(sentences)
    return " ".join(sentences)


def test_a_temperature_and_a_kept_promise(make_facts: Callable[..., ReportFacts]) -> None:
    text = told(make_facts, HOTTER, KEPT)
    assert "A temperature of 1.62 makes its probabilities less sure: on 370 examples" in text
    assert "log-loss 0.512 became 0.431 and the calibration error 0.061 became 0.022" in text
    assert "in the test split it does in 91.2 % (95 % interval 88.1 % to 93.6 %), with 1.31 of 10 classes" in text
    assert "less than it promises" not in text


def test_probabilities_that_were_left_alone_and_a_broken_promise(make_facts: Callable[..., ReportFacts]) -> None:
    alone = HOTTER.model_copy(update={"temperature": 1.0, "log_loss_after": 0.512, "error_after": 0.061})
    broken = KEPT.model_copy(update={"found": Figure(value=0.81, low=0.77, high=0.85)})
    text = told(make_facts, alone, broken)
    assert "no temperature lowered the log-loss (0.512) by more than noise" in text
    assert "That is less than it promises" in text


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_colder_is_surer(make_facts: Callable[..., ReportFacts], temperature: float) -> None:
    text = told(make_facts, HOTTER.model_copy(update={"temperature": temperature}), None)
    assert ("surer" in text) == (temperature < 1)


def test_an_old_bundle_says_nothing(make_facts: Callable[..., ReportFacts]) -> None:
    assert told(make_facts, None, None) == ""
