"""Warm starts: winners on data of the same shape, checked against what the spaces know now."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.proposing.dimensions import Category, Dimensions, Number
from pipelines.warm_start import Shape, alike, recall, shape_of, warm_starts
from records.data import DataSpec, InputKind
from records.spec import TextLayout
from records.task import Direction
from records.trial import Proposal, Run, RunState, Trial, TrialResult, TrialState, Values
from store.database import open_database
from store.home import Home
from store.leases import Leases
from store.ledger import Ledger

SPEC = DataSpec(
    kind=InputKind.IMAGE, input_shape=(32, 32, 3), dtype="uint8", labels=("a", "b", "c"), label_counts=(50, 60, 70)
)
SHAPE = shape_of(SPEC)
SPACES: Dimensions = {
    "cnn": [
        Number(name="cnn/filters", low=16, high=64, default=32, step=2, sampling="log", whole=True),
        Category(name="cnn/norm", choices=("batch", "none"), default="batch"),
    ],
    "mlp": [Number(name="mlp/rate", low=1e-4, high=1e-2, default=1e-3, sampling="log")],
}


def a_run(
    number: int,
    best: tuple[str, Values],
    *,
    fingerprint: str = "other",
    state: RunState = RunState.COMPLETED,
    objective: str = "accuracy",
    shape: Shape = SHAPE,
) -> tuple[Run, list[Trial]]:
    run = Run(
        id=f"run{number}",
        name=f"data{number}",
        state=state,
        config={},
        task="classification",
        objective=objective,
        started_at="2026-11-21T10:00:00+00:00",
        data_fingerprint=fingerprint,
        summary={"shape": shape},
    )

    def trial(i: int, space: str, values: Values, score: float) -> Trial:
        return Trial(
            run_id=run.id, number=i, space=space, values=values, state=TrialState.COMPLETED, seed=0, score=score
        )

    return run, [trial(0, "floor", {}, 0.99), trial(1, "mlp", {"mlp/rate": 5e-4}, 0.2), trial(2, *best, 0.9)]


def started(*earlier: tuple[Run, list[Trial]], direction: Direction = Direction.MAX) -> list[tuple[str, Values]]:
    return [(one.space, one.values) for one in warm_starts(earlier, SHAPE, direction, "mine", SPACES)]


def test_the_shape_is_json_and_tells_datasets_apart() -> None:
    assert SHAPE["kind"] == "image" and SHAPE["input_shape"] == [32, 32, 3] and SHAPE["num_train"] == 180
    text = DataSpec(
        kind=InputKind.TEXT, input_shape=(64,), dtype="int32", layout=TextLayout(vocabulary=100, tokenizer="learnt")
    )
    assert shape_of(text)["layout"] == "text"
    assert not alike(SHAPE, shape_of(text))
    assert not alike({}, SHAPE)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"input_shape": (60, 60, 3)}, True),
        ({"input_shape": (224, 224, 3)}, False),
        ({"label_counts": (300, 200, 200)}, True),
        ({"label_counts": (3000, 200, 200)}, False),
        ({"task": "regression"}, False),
        ({"labels": tuple("abcdefgh")}, True),
        ({"labels": tuple("abcdefghijklmnop")}, False),
    ],
)
def test_sizes_may_differ_by_a_factor_of_four(change: dict[str, object], same: bool) -> None:
    other = shape_of(dataclasses.replace(SPEC, **change))  # type: ignore[arg-type]
    assert alike(SHAPE, other) is alike(other, SHAPE) is same


def test_the_winner_is_taken_and_not_the_floor() -> None:
    run = a_run(1, ("cnn", {"cnn/filters": 64, "cnn/norm": "none"}))
    found = warm_starts([run], SHAPE, Direction.MAX, None, SPACES)
    assert [(one.space, one.values) for one in found] == [("cnn", {"cnn/filters": 64, "cnn/norm": "none"})]
    assert found[0].origin == "warm start: won run run1 on data1"


def test_at_most_three_each_space_first_and_the_same_data_before_others() -> None:
    found = started(
        a_run(9, ("cnn", {"cnn/filters": 16})),
        a_run(8, ("cnn", {"cnn/filters": 32, "cnn/norm": "none"})),
        a_run(7, ("mlp", {"mlp/rate": 1e-3})),
        a_run(6, ("cnn", {"cnn/filters": 64}), fingerprint="mine"),
    )
    assert found == [("cnn", {"cnn/filters": 64}), ("mlp", {"mlp/rate": 1e-3}), ("cnn", {"cnn/filters": 16})]


def test_what_cannot_be_compared_is_passed_over() -> None:
    cnn: tuple[str, Values] = ("cnn", {"cnn/filters": 16})
    assert started(a_run(1, cnn, state=RunState.INTERRUPTED)) == []
    assert started(a_run(1, cnn, objective="log_loss")) == []
    assert started(a_run(1, cnn, objective="f1_macro")) == [cnn]
    assert started(a_run(1, cnn, shape=SHAPE | {"kind": "text"})) == []
    assert started(a_run(1, cnn, shape={})) == []


def test_equal_winners_count_once_also_where_one_names_its_defaults() -> None:
    assert len(started(a_run(1, ("cnn", {})), a_run(2, ("cnn", {"cnn/filters": 32, "cnn/norm": "batch"})))) == 1


def test_values_that_the_space_does_not_know_any_more_are_left_out() -> None:
    values = {"cnn/filters": 48, "cnn/norm": "none", "cnn/dilation": 2}
    assert started(a_run(1, ("cnn", values))) == [("cnn", {"cnn/norm": "none"})]
    assert started(a_run(1, ("gone", {"gone/x": 1}))) == [("mlp", {"mlp/rate": 5e-4})]


def result(score: float) -> TrialResult:
    return TrialResult(
        score=score,
        best_step=1,
        steps=1,
        planned_steps=1,
        steps_per_epoch=1,
        seconds=1.0,
        train_seconds=1.0,
        predict_seconds=0.1,
        num_parameters=1,
        peak_memory_bytes=1,
    )


@pytest.fixture
def remember(home: Home) -> Callable[[Run, list[Trial]], None]:
    """Writes a run with its trials into the home's ledger, as a search does."""
    engine = open_database(home)
    ledger, leases = Ledger(engine), Leases(engine)

    def write(run: Run, trials: list[Trial]) -> None:
        ledger.start_run(dataclasses.replace(run, state=RunState.RUNNING))
        for trial in trials:
            proposal = Proposal(space=trial.space, values=trial.values, seed=0, max_seconds=5.0)
            leased = leases.lease(run.id, "worker", lambda so_far, proposal=proposal: proposal)  # type: ignore[misc]
            assert leased is not None
            leases.complete(leased[1], result(trial.score or 0.0))
        if run.state is not RunState.RUNNING:
            ledger.finish_run(run.id, run.state)

    return write


def test_a_run_recalls_those_that_began_before_it(
    home: Home, remember: Callable[[Run, list[Trial]], None], tmp_path: Path
) -> None:
    remember(*a_run(1, ("cnn", {"cnn/filters": 16})))
    remember(*a_run(2, ("cnn", {"cnn/filters": 64}), fingerprint="mine"))
    remember(*a_run(3, ("cnn", {}), fingerprint="mine", state=RunState.RUNNING))
    remember(*a_run(4, ("mlp", {"mlp/rate": 1e-3})))
    ledger = Ledger(open_database(home))
    found = recall(ledger, "run3", SPEC, Direction.MAX, SPACES)
    assert [(one.values, one.origin) for one in found] == [
        ({"cnn/filters": 64}, "warm start: won run run2 on data2"),
        ({"cnn/filters": 16}, "warm start: won run run1 on data1"),
    ]
    assert recall(ledger, "run1", SPEC, Direction.MAX, SPACES) == []
    assert recall(ledger, "nowhere", SPEC, Direction.MAX, SPACES) == []
