"""`--until`: what counts as reached, and what is refused."""

from dataclasses import replace

import pytest

from pipelines.goal import Goal, check_goal, parse_goal
from records.errors import ConfigError
from records.task import get_task
from records.trial import EpochReport, Trial, TrialResult, TrialState

RESULT = TrialResult(
    score=0.9,
    best_step=1,
    steps=1,
    planned_steps=1,
    steps_per_epoch=1,
    seconds=1.0,
    train_seconds=1.0,
    predict_seconds=0.1,
    num_parameters=1,
    peak_memory_bytes=1,
    metrics={"accuracy": 0.9, "log_loss": 0.3},
)
DONE = Trial(run_id="r", number=1, space="cnn", values={}, state=TrialState.COMPLETED, seed=0, score=0.9, result=RESULT)


def epoch(score: float) -> EpochReport:
    return EpochReport(epoch=1, score=score, train_loss=0.1, val_loss=0.1, seconds=1.0)


@pytest.mark.parametrize(
    ("text", "reached"),
    [("accuracy=0.9", True), ("accuracy = 0.91", False), ("log_loss=0.3", True), ("log_loss=0.29", False)],
)
def test_a_finished_trial_reaches_any_metric_in_its_own_direction(text: str, reached: bool) -> None:
    goal = parse_goal(text)
    assert goal is not None
    assert goal.reached([DONE], "accuracy") is reached


def test_a_training_trial_is_known_by_its_objective_only() -> None:
    running = replace(DONE, state=TrialState.RUNNING, result=None, score=None, epochs=(epoch(0.95),))
    assert Goal(metric="accuracy", value=0.94).reached([running], "accuracy")
    assert not Goal(metric="accuracy", value=0.94).reached([running], "log_loss")


def test_a_failed_trial_reaches_nothing() -> None:
    failed = replace(DONE, state=TrialState.FAILED, result=None, score=None, epochs=(epoch(0.99),))
    assert not Goal(metric="accuracy", value=0.94).reached([failed], "accuracy")


@pytest.mark.parametrize("text", ["accuracy", "accuracy=", "accuracy=high", "accuracy=nan", "beauty=1", "=0.5", ""])
def test_what_is_no_goal_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="accuracy=0.97"):
        parse_goal(text)


def test_a_metric_of_another_task_is_refused() -> None:
    with pytest.raises(ConfigError, match="rmse, which classification is not judged by"):
        check_goal(parse_goal("rmse=0.1"), get_task("classification"))
