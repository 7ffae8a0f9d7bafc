"""How probabilities become an answer: by costs, or by a threshold that is more than luck."""

import numpy as np
import pytest

from pipelines.decisions import choose_decision, decision_for, parse_costs
from pipelines.metrics import Truth, score
from records.candidate import Candidate
from records.config import RunConfig
from records.errors import ConfigError
from records.task import MOST_LIKELY, get_task
from records.trial import Trial, TrialState


def validation(num_examples: int = 2000, share: float = 0.08, tilt: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Targets and probabilities; with a tilt they are not calibrated."""
    rng = np.random.default_rng(5)
    logits = rng.normal(size=num_examples) * 1.5 + np.log(share / (1 - share))
    targets = (rng.random(num_examples) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    probability = 1 / (1 + np.exp(-logits - tilt))
    return targets, np.stack([1 - probability, probability], axis=1).astype(np.float32)


@pytest.mark.parametrize("objective", ["balanced_accuracy", "f1_macro", "roc_auc"])
def test_threshold_finds_the_rare_class(objective: str) -> None:
    targets, probabilities = validation()
    task = get_task("classification", objective)
    decision = choose_decision(task, targets, probabilities)
    assert decision.threshold is not None and 0.05 < decision.threshold < 0.45
    judged = "f1_macro" if objective == "roc_auc" else objective
    with_it, without = (
        score(task, Truth(targets=targets, decision=one), probabilities)[judged] for one in (decision, MOST_LIKELY)
    )
    assert with_it > without


def test_threshold_mends_probabilities_that_are_too_high() -> None:
    decision = choose_decision(get_task("classification"), *validation(share=0.4, tilt=1.0))
    assert decision.threshold == pytest.approx(1 / (1 + np.exp(-1.0)), abs=0.1)


def test_calibrated_probabilities_keep_one_half_for_accuracy() -> None:
    assert choose_decision(get_task("classification"), *validation(share=0.4)) == MOST_LIKELY


@pytest.mark.parametrize(
    ("objective", "share", "num_examples"), [("log_loss", 0.08, 2000), ("balanced_accuracy", 0.01, 400)]
)
def test_no_threshold_where_it_means_nothing(objective: str, share: float, num_examples: int) -> None:
    answers = validation(num_examples, share)
    assert choose_decision(get_task("classification", objective), *answers) == MOST_LIKELY


def test_no_threshold_where_all_probabilities_are_equal_or_there_are_more_classes() -> None:
    targets = np.arange(90) % 3
    even = np.full((90, 3), 1 / 3, np.float32)
    task = get_task("classification", "f1_macro")
    assert choose_decision(task, targets, even) == MOST_LIKELY
    assert choose_decision(task, np.minimum(targets, 1), np.full((90, 2), 0.5, np.float32)) == MOST_LIKELY


def test_a_number_is_decided_by_nothing() -> None:
    assert choose_decision(get_task("regression"), np.zeros(3), np.zeros((3, 1))) == MOST_LIKELY


def test_costs_are_a_matrix_of_true_by_answered() -> None:
    assert parse_costs(("spam>ham=5",), ("ham", "spam")) == ((0.0, 1.0), (5.0, 0.0))
    assert parse_costs((), ("ham", "spam")) is None
    decision = choose_decision(get_task("classification"), *validation(), parse_costs(("b>a=5",), ("a", "b")))
    assert decision.costs == ((0.0, 1.0), (5.0, 0.0)) and decision.threshold is None


def test_labels_may_hold_the_signs_themselves() -> None:
    labels = ("a>b", "c", "a", "b>c=1")
    costs = parse_costs(("a>b>c=2", "c > a=0", "a>b>c=1=3"), labels)
    assert costs is not None
    assert costs[0][1] == 2.0
    assert costs[1][2] == 0.0
    assert costs[2][3] == 3.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("spam>ham",), "must end in = and a number that is not negative"),
        (("spam>ham=-1",), "not negative"),
        (("spam>ham=nan",), "not negative"),
        (("spam>ham=many",), "not negative"),
        (("spam>eggs=2",), "must name two classes.*Known: ham, spam. Received: 'spam>eggs=2'"),
        (("spam=2",), "must name two classes"),
        (("spam>spam=2",), "the two classes must differ"),
        (("spam>ham=2", "spam>ham=3"), "given twice"),
    ],
)
def test_costs_that_mean_nothing_are_refused(given: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_costs(given, ("ham", "spam"))


def test_costs_of_numbers_are_refused() -> None:
    with pytest.raises(ConfigError, match="the target is a number"):
        parse_costs(("spam>ham=5",), ())


def test_decision_is_made_on_what_the_winner_said_of_the_validation_split() -> None:
    targets, probabilities = validation()
    trial = Trial(run_id="r", number=0, space="floor", values={}, state=TrialState.COMPLETED, seed=0)
    candidate = Candidate(
        model=None,
        trial=trial,
        refitted=False,
        seconds=0.0,
        validation_predictions=probabilities,
        validation_targets=targets,
    )
    task = get_task("classification", "f1_macro")
    config = RunConfig(data="digits", costs=("b>a=3",))
    assert decision_for(config, task, ("a", "b"), candidate).costs == ((0.0, 1.0), (3.0, 0.0))
    assert decision_for(RunConfig(data="digits"), task, ("a", "b"), candidate).threshold is not None
