"""Importance: what counts is named first, what does not is small, and too few trials say nothing."""

import subprocess
import sys

import numpy as np

from pipelines.importance import FEWEST, best_of_spaces, importance_of
from records.task import Direction
from records.trial import Trial, TrialState


def search(count: int, seed: int = 1, space: str = "cnn", sign: float = 1.0) -> list[Trial]:
    """Trials whose score hangs on the rate above all, then on the norm, and on nothing else."""
    rng = np.random.default_rng(seed)
    trials = []
    for i in range(count):
        rate, norm = float(10 ** rng.uniform(-4, -1)), str(rng.choice(["batch", "none"]))
        values = {
            "rate": rate,
            "norm": norm,
            "depth": int(rng.integers(1, 5)),
            "flip": bool(rng.integers(2)),
            "fixed": 3,
        }
        score = 0.8 - 0.1 * (np.log10(rate) + 2.5) ** 2 + 0.05 * (norm == "batch") + rng.normal(0, 0.005)
        trials.append(
            Trial(
                run_id="r",
                number=i + 1,
                space=space,
                values=values,
                state=TrialState.PRUNED if i % 5 == 4 else TrialState.COMPLETED,
                seed=0,
                score=sign * float(score),
            )
        )
    return trials


def test_what_counts_is_named_first() -> None:
    for direction, sign in ((Direction.MAX, 1.0), (Direction.MIN, -1.0)):
        found = importance_of(search(60, sign=sign), direction)
        assert [one.name for one in found[:2]] == ["rate", "norm"]
        assert {one.name for one in found} == {"rate", "norm", "depth", "flip"}
        assert abs(sum(one.share for one in found) - 1.0) < 1e-9
        assert found[0].share > 0.6 and all(one.share < 0.1 for one in found[2:])


def test_equal_trials_give_equal_shares() -> None:
    assert importance_of(search(20), Direction.MAX) == importance_of(search(20), Direction.MAX)


def test_spaces_with_few_trials_are_left_out() -> None:
    trials = [*search(FEWEST, space="cnn"), *search(FEWEST - 1, space="mlp")]
    assert {one.space for one in importance_of(trials, Direction.MAX)} == {"cnn"}
    assert importance_of([], Direction.MAX) == []


def test_equal_scores_and_settings_that_never_changed_say_nothing() -> None:
    same = [
        Trial(run_id="r", number=i, space="s", values=values, state=TrialState.COMPLETED, seed=0, score=0.5)
        for i, values in enumerate([{"a": float(i)} for i in range(12)])
    ]
    assert importance_of(same, Direction.MAX) == []
    still = [
        Trial(run_id="r", number=i, space="s", values={"a": 1}, state=TrialState.COMPLETED, seed=0, score=i / 12)
        for i in range(12)
    ]
    assert importance_of(still, Direction.MAX) == []


def test_a_setting_that_is_not_always_there_is_counted() -> None:
    trials = [
        Trial(
            run_id="r",
            number=i,
            space="s",
            values={"sgd": True, "momentum": i / 40, "kind": "x"} if i % 2 else {"sgd": False},
            state=TrialState.COMPLETED,
            seed=0,
            score=0.5 + (i / 40 if i % 2 else 0.2),
        )
        for i in range(40)
    ]
    assert importance_of(trials, Direction.MAX)[0].name == "momentum"


def test_the_best_of_each_space() -> None:
    trials = [*search(8, 1, "cnn"), *search(8, 2, "mlp")]
    found = best_of_spaces(trials, Direction.MAX)
    assert {one.space for one in found} == {"cnn", "mlp"}
    assert found[0].score == max(one.score or 0.0 for one in trials)
    assert (found[0].score or 0.0) > (found[1].score or 0.0)


def test_the_module_loads_no_training_library() -> None:
    program = "import sys, pipelines.importance; print(sorted({'keras', 'optuna', 'sklearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
