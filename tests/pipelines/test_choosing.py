"""What is tried next: waiting trials, the floor, earlier winners, the portfolio, the algorithm; nothing twice."""

import dataclasses
import time
from collections.abc import Callable

import pytest

from pipelines.choosing import Choosing
from pipelines.governor import Governor
from pipelines.proposing.declared import dimensions_of
from pipelines.proposing.dimensions import plain
from pipelines.search import declare
from pipelines.trial import Workbench
from pipelines.warm_start import WarmStart
from records.config import RunConfig
from records.trial import Again, Proposal, Trial, TrialState, Values
from search_spaces.cnn import CNN

WARM = (
    WarmStart(space="cnn", values={"cnn/filters": 64, "cnn/norm": "none"}, origin="warm start: won run 1"),
    WarmStart(space="cnn", values={"cnn/label_smoothing": 0.0}, origin="warm start: won run 2"),
)
Make = Callable[..., Choosing]


@pytest.fixture
def choosing(bench: Workbench) -> Make:
    def make(seconds: float = 300.0, warm: tuple[WarmStart, ...] = (), **asked: object) -> Choosing:
        now = time.monotonic()
        return Choosing(
            bench=bench,
            dimensions={"cnn": dimensions_of(declare(CNN, bench))},
            config=RunConfig(data="tiny", **asked),  # type: ignore[arg-type]
            governor=Governor(started=now, deadline=now + seconds),
            warm=warm,
        )

    return make


def trial(
    number: int, space: str, values: Values, state: TrialState = TrialState.COMPLETED, score: float | None = 0.5
) -> Trial:
    return Trial(run_id="r", number=number, space=space, values=values, state=state, seed=0, score=score)


def proposed(choosing: Choosing, count: int, state: TrialState = TrialState.COMPLETED) -> list[Proposal]:
    """What is proposed one after the other, each running or ended when the next one is asked for."""
    trials: list[Trial] = []
    found: list[Proposal] = []
    for number in range(count):
        decided = choosing.decide(trials)
        assert isinstance(decided, Proposal)
        found.append(decided)
        trials.append(trial(number, decided.space, decided.values, state, 0.5 if state.finished else None))
    return found


def test_the_order_is_floor_winners_portfolio_algorithm(choosing: Make) -> None:
    found = proposed(choosing(warm=WARM), 5)
    assert [one.origin.split(":")[0] for one in found] == ["floor", "warm start", "warm start", "tpe", "tpe"]
    assert found[1].values["cnn/filters"] == 64 and found[1].values["cnn/num_blocks"] == 3
    assert len({one.seed for one in found}) == 5


def test_the_portfolio_follows_the_floor_where_nothing_was_won_before(choosing: Make) -> None:
    for made in (choosing(), choosing(warm=WARM, warm_start=False)):
        second = proposed(made, 3)[1]
        assert second.origin.startswith("portfolio: ") and second.values["cnn/filters"] == 32


@pytest.mark.parametrize("algorithm", ["random", "grid", "cmaes"])
def test_the_others_begin_with_nothing_but_the_floor(choosing: Make, algorithm: str) -> None:
    found = proposed(choosing(warm=WARM, algorithm=algorithm), 4)
    assert [one.origin for one in found] == ["floor", algorithm, algorithm, algorithm]


@pytest.mark.parametrize("algorithm", ["tpe", "random", "grid", "cmaes"])
def test_workers_that_ask_at_once_never_get_the_same(choosing: Make, algorithm: str) -> None:
    made = choosing(warm=WARM, algorithm=algorithm)
    made.rehearse()
    found = proposed(made, 12, TrialState.RUNNING)
    assert [one.space for one in found] == ["floor"] + ["cnn"] * 11
    assert len({plain((one.space, one.values), made.dimensions) for one in found[1:]}) == 11


def test_a_waiting_trial_comes_first(choosing: Make) -> None:
    rows = [trial(0, "floor", {}), trial(1, "cnn", {}, TrialState.RUNNING, None)]
    rows += [trial(2, "cnn", {}, TrialState.WAITING, None), trial(3, "cnn", {}, TrialState.WAITING, None)]
    decided = choosing(max_trials=4).decide(rows)
    assert isinstance(decided, Again) and decided.number == 2 and decided.max_seconds > 0


def test_there_is_an_end(choosing: Make) -> None:
    rows = [trial(0, "floor", {}), trial(1, "cnn", {})]
    assert choosing(max_trials=2).decide(rows) is None
    assert choosing(seconds=3.0).decide(rows) is None
    assert isinstance(choosing(seconds=3.0).decide([]), Proposal)  # the floor must be had


def test_with_the_floor_alone_the_floor_is_all(choosing: Make) -> None:
    made = choosing()
    made.dimensions.clear()
    made.rehearse()
    assert made.decide([trial(0, "floor", {})]) is None


def test_a_user_s_grid_of_two_ends_after_two(choosing: Make) -> None:
    made = choosing(algorithm="grid")
    norm = [one for one in made.dimensions["cnn"] if one.name == "cnn/norm"]
    made.dimensions["cnn"] = norm
    rows = [
        trial(0, "floor", {}),
        *(trial(i, "cnn", {"cnn/norm": kind}) for i, kind in enumerate(["batch", "none"], 1)),
    ]
    assert isinstance(made.decide(rows[:2]), Proposal)
    assert made.decide(rows) is None


def test_features_that_are_missing_get_more_time_than_a_trial_that_finds_them_ready(
    bench: Workbench, choosing: Make
) -> None:
    def seconds(made: Choosing) -> float:
        decided = made.decide([trial(0, "floor", {})])
        assert isinstance(decided, Proposal)
        return decided.max_seconds

    def key(values: Values) -> str:
        return "never computed"

    with_encoder = dataclasses.replace(CNN, encoder=lambda values, spec: None, encoder_key=key)
    waiting = dataclasses.replace(choosing(), bench=dataclasses.replace(bench, spaces={"cnn": with_encoder}))
    assert seconds(waiting) > 1.5 * seconds(choosing())
