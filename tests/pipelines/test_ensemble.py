"""Greedy selection: as a plain reference has it, never worse than the best trial, and only where it is worth it."""

from itertools import count

import numpy as np
import pytest

from pipelines.ensemble import LEAST_WEIGHT, MOST_OF_BUDGET, Member, candidates, combine, reserve_seconds, select
from pipelines.governor import Governor
from pipelines.metrics import Truth, example_losses, score
from records.task import Direction, Task, get_task
from records.trial import Trial, TrialResult, TrialState


def make_classes(rng: np.random.Generator, rows: int = 90, models: int = 6) -> tuple[Truth, list[np.ndarray]]:
    targets = rng.integers(0, 3, rows)
    common = rng.normal(size=(rows, 3))
    said = []
    for quality in np.linspace(2.0, 1.0, models):
        logits = quality * np.eye(3)[targets] + 0.7 * common + rng.normal(size=(rows, 3))
        said.append((np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32))
    return Truth(targets=targets), said


def make_numbers(rng: np.random.Generator, rows: int = 80, models: int = 5) -> tuple[Truth, list[np.ndarray]]:
    targets = (100 + 20 * rng.normal(size=rows)).astype(np.float32)
    noise = rng.normal(size=(models, rows, 1)) * np.linspace(5, 8, models)[:, None, None]
    return Truth(targets=targets), [(targets[:, None] + one).astype(np.float32) for one in noise]


def make_futures(rng: np.random.Generator, rows: int = 40, models: int = 4) -> tuple[Truth, list[np.ndarray]]:
    targets = rng.normal(size=(rows, 5)).astype(np.float32)
    said = []
    for _ in range(models):
        median = targets + rng.normal(size=targets.shape)
        said.append(np.stack([median - 1.3, median, median + 1.3], axis=-1).astype(np.float32))
    naive = np.full(rows, 1.5)
    return Truth(targets=targets, naive_errors=naive, quantiles=(0.1, 0.5, 0.9), clusters=np.arange(rows) // 4), said


MAKERS = {"classification": make_classes, "regression": make_numbers, "forecasting": make_futures}
CASES = [
    (name, metric, seed)
    for name, metric in (
        ("classification", "accuracy"),
        ("classification", "roc_auc"),
        ("regression", "rmse"),
        ("forecasting", "mase"),
    )
    for seed in range(6)
]


def made(name: str, metric: str, seed: int) -> tuple[Task, Truth, list[np.ndarray]]:
    """Predictions of several models, the best one first."""
    task = get_task(name, metric)
    truth, said = MAKERS[name](np.random.default_rng(seed))
    sign = -1.0 if task.direction is Direction.MAX else 1.0
    said.sort(key=lambda one: (sign * score(task, truth, one)[metric], example_losses(task, truth, one).mean()))
    return task, truth, said


def as_members(said: list[np.ndarray]) -> list[Member]:
    return [Member(rows=np.arange(len(one)), predictions=one) for one in said]


def reference(task: Task, truth: Truth, said: list[np.ndarray], most: int) -> list[float]:
    """The same search, written down plainly: every bag as a list of names, every mean computed anew."""
    sign = 1.0 if task.direction is Direction.MAX else -1.0

    def judged(weights: dict[int, float]) -> tuple[float, np.ndarray]:
        mean = sum(weight * said[i].astype(np.float64) for i, weight in weights.items()).astype(np.float32)  # type: ignore[union-attr]
        return sign * score(task, truth, mean)[task.objective], example_losses(task, truth, mean)

    def noise(gains: np.ndarray) -> float:
        if truth.clusters is None:
            return float(gains.std(ddof=1) / len(gains) ** 0.5)
        groups = [gains[truth.clusters == one].sum() for one in np.unique(truth.clusters)]
        size = len(groups)
        centred = [g - gains.mean() * (truth.clusters == one).sum() for g, one in zip(groups, range(size), strict=True)]
        return float(np.std(centred, ddof=1) * size**0.5 / len(gains))

    kept: dict[int, float] = {0: 1.0}
    for way in ("loss", "objective"):
        bag = [0]
        for _ in range(19):
            choices = [i for i in range(len(said)) if i in bag or len(set(bag)) < most]
            bags = [np.stack([said[j] for j in [*bag, i]]).astype(np.float64) for i in choices]
            means = [one.mean(axis=0).astype(np.float32) for one in bags]
            losses = [-example_losses(task, truth, one).mean() for one in means]
            values = [sign * score(task, truth, one)[task.objective] for one in means]
            ranks = list(zip(losses, values, strict=True) if way == "loss" else zip(values, losses, strict=True))
            bag.append(choices[ranks.index(max(ranks))])
            shares = {i: bag.count(i) / len(bag) for i in sorted(set(bag))}
            shares = {i: share for i, share in shares.items() if share >= LEAST_WEIGHT}
            shares = {i: share / sum(shares.values()) for i, share in shares.items()}
            (old, old_losses), (new, new_losses) = judged(kept), judged(shares)
            gains = old_losses - new_losses
            margin = 0.5 * noise(gains) if len(shares) > len(kept) else 0.0
            if new >= old and gains.mean() > margin:
                kept = shares
    return [kept.get(i, 0.0) for i in range(len(said))]


@pytest.mark.parametrize(("name", "metric", "seed"), CASES)
@pytest.mark.parametrize("most", [2, 3])
def test_it_selects_what_a_plain_search_selects(name: str, metric: str, seed: int, most: int) -> None:
    task, truth, said = made(name, metric, seed)
    weights = select(as_members(said), truth, task, most)
    assert weights == pytest.approx(reference(task, truth, said, most))
    assert weights == select(as_members(said), truth, task, most), "the same again"


@pytest.mark.parametrize(("name", "metric", "seed"), CASES)
def test_it_is_never_worse_than_the_best_on_these_examples(name: str, metric: str, seed: int) -> None:
    task, truth, said = made(name, metric, seed)
    weights = select(as_members(said), truth, task, 3)
    assert sum(weights) == pytest.approx(1.0)
    taken = [weight for weight in weights if weight]
    assert len(taken) <= 3 and min(taken) >= LEAST_WEIGHT
    mean = combine(said, weights)
    alone, together = (score(task, truth, one)[metric] for one in (said[0], mean))
    assert together == alone or task.direction.better(together, alone)
    if len(taken) > 1:
        assert example_losses(task, truth, mean).mean() < example_losses(task, truth, said[0]).mean()


def test_independent_models_of_equal_quality_are_averaged() -> None:
    for seed in range(5):
        task, truth, said = made("regression", "rmse", seed)
        assert sum(weight > 0 for weight in select(as_members(said), truth, task, 3)) > 1


def test_copies_of_one_model_are_one_network() -> None:
    task, truth, said = made("classification", "accuracy", 0)
    assert select(as_members([said[0]] * 4), truth, task, 3) == [1.0, 0.0, 0.0, 0.0]


def test_a_gain_that_is_within_the_noise_is_not_worth_a_second_network() -> None:
    rng = np.random.default_rng(2)
    task, truth, said = made("regression", "rmse", 0)
    selected = 0
    for _ in range(40):
        nearly = [said[0] + rng.normal(scale=0.02, size=said[0].shape).astype(np.float32) for _ in range(4)]
        nearly.sort(key=lambda one: score(task, truth, one)["rmse"])
        selected += sum(weight > 0 for weight in select(as_members(nearly), truth, task, 3)) > 1
    assert selected < 20


def test_at_equal_losses_the_earlier_member_is_taken() -> None:
    truth = Truth(targets=np.zeros(30, np.float32))
    up, down = np.full((30, 1), 2.0, np.float32), np.full((30, 1), -2.0, np.float32)
    weights = select(as_members([up, down, down]), truth, get_task("regression"), 2)
    assert weights == [0.5, 0.5, 0.0]


def test_what_does_not_fit_into_the_time_is_left_out() -> None:
    task, truth, said = made("regression", "rmse", 1)
    dear = [Member(rows=np.arange(80), predictions=one, seconds=10.0 * i) for i, one in enumerate(said)]
    free = select(dear, truth, task, 3)
    assert sum(weight > 0 for weight in free) == 3
    for most in (0.0, 10.0, 30.0):
        weights = select(dear, truth, task, 3, max_seconds=most)
        assert sum(10.0 * i for i, weight in enumerate(weights) if weight) <= most


def test_only_what_all_predicted_counts() -> None:
    task, truth, said = made("regression", "rmse", 3)
    half = Member(rows=np.arange(0, 80, 2), predictions=said[1][::2])
    all_rows = as_members(said)
    assert select([all_rows[0], half], truth, task, 2) == [1.0, 0.0], "it lacks rows of the best"
    weights = select([half, all_rows[2]], truth.of(np.arange(0, 80, 2)), task, 2)
    same = select(as_members([said[1][::2], said[2][::2]]), truth.of(np.arange(0, 80, 2)), task, 2)
    assert weights == same


NUMBERS = count()


def a_trial(space: str, score: float | None, loss: float = 0.5, parameters: int = 1000) -> Trial:
    result = TrialResult(
        score=score or 0.0,
        best_step=1,
        steps=1,
        planned_steps=1,
        steps_per_epoch=1,
        seconds=1.0,
        train_seconds=1.0,
        predict_seconds=0.0,
        num_parameters=parameters,
        peak_memory_bytes=0,
        loss=loss,
    )
    state = TrialState.FAILED if score is None else TrialState.COMPLETED
    return Trial(
        run_id="r",
        number=next(NUMBERS),
        space=space,
        values={},
        state=state,
        seed=0,
        score=score,
        result=None if score is None else result,
    )


def test_candidates_are_the_best_few_of_each_space_and_the_floor() -> None:
    trials = [a_trial("floor", 0.1)]
    trials += [a_trial(space, 0.5 + i / 100) for i in range(5) for space in ("cnn", "mlp", "gru", "conv", "bert")]
    trials += [a_trial("cnn", None)]
    chosen = candidates(trials, Direction.MAX)
    assert len(chosen) == 13 and chosen[-1].space == "floor"
    assert [trial.score for trial in chosen[:5]] == [0.54] * 5
    assert max(sum(one.space == space for one in chosen) for space in ("cnn", "mlp", "gru", "conv", "bert")) == 3
    least = candidates(trials, Direction.MIN)
    assert least[0].space == "floor"


def test_candidates_of_equal_score_go_by_their_loss() -> None:
    trials = [a_trial("cnn", 0.9, loss=0.3), a_trial("mlp", 0.9, loss=0.2)]
    assert [trial.space for trial in candidates(trials, Direction.MAX)] == ["mlp", "cnn"]


def test_a_search_keeps_time_back_for_small_networks_and_not_for_huge_ones() -> None:
    clock = Governor(started=0.0, deadline=600.0)
    trials = [a_trial("cnn", 0.9), a_trial("mlp", 0.8), a_trial("floor", 0.7)]
    assert reserve_seconds(trials, None, Direction.MAX, clock, 3) == 0.0
    assert reserve_seconds(trials, trials[0], Direction.MAX, clock, 1) == 0.0
    one, two = (reserve_seconds(trials, trials[0], Direction.MAX, clock, most) for most in (2, 3))
    assert 0 < one < two < 0.1 * 600.0
    huge = [*trials, a_trial("bert", 0.6, parameters=90_000_000)]
    assert reserve_seconds(huge, trials[0], Direction.MAX, clock, 3) == pytest.approx(MOST_OF_BUDGET * 600.0)
