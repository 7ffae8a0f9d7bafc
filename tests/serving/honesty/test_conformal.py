"""Sets and intervals: as the papers define them, and large enough on examples that nothing was chosen by."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from records.errors import BundleError, InputError
from serving.honesty.conformal import (
    MOST_SCORES,
    class_scores,
    examples_for,
    future_interval,
    future_scores,
    inside,
    least_width_of,
    load_scores,
    number_interval,
    number_scores,
    save_scores,
    sort_scores,
)

COVERAGES = (0.5, 0.8, 0.9, 0.95, 0.99)


def plain_quantile(scores: np.ndarray, coverage: str) -> float:
    """The ceil((n+1)(1-alpha))-th smallest, counted with whole numbers."""
    thousandths = round(1000 * float(coverage))
    rank = -(-(len(scores) + 1) * thousandths // 1000)
    return sorted(scores)[rank - 1] if rank <= len(scores) else math.inf


@given(st.integers(1, 400), st.integers(500, 999), st.integers(0, 99))
def test_the_quantile_is_the_one_of_the_paper(count: int, thousandths: int, seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=count)
    coverage = thousandths / 1000
    expected = plain_quantile(scores, f"{coverage}")
    if math.isinf(expected):
        with pytest.raises(InputError, match="cannot promise a coverage"):
            sort_scores(scores).quantile(coverage)
        assert examples_for(coverage) > count
    else:
        assert sort_scores(scores).quantile(coverage) == expected
        assert examples_for(coverage) <= count


@pytest.mark.parametrize("count", [MOST_SCORES, MOST_SCORES + 1, 2500, 123_457])
def test_thinned_scores_give_the_same_quantiles(count: int, tmp_path: Path) -> None:
    scores = np.random.default_rng(0).permutation(count).astype(np.float64)
    kept = sort_scores(scores)
    save_scores(tmp_path, kept)
    read = load_scores(tmp_path)
    assert read is not None and len(read.values) <= 2000 and read.num_examples == count
    assert (tmp_path / "conformal.npz").stat().st_size < 40_000
    for thousandths in range(500, 1000):
        assert read.quantile(thousandths / 1000) == -(-(count + 1) * thousandths // 1000) - 1
    assert -(-(count + 1) * 90123 // 100_000) - 1 <= read.quantile(0.90123) <= 0.9015 * (count + 1)


def test_too_few_examples_are_an_error_that_says_how_many_it_takes() -> None:
    few = sort_scores(np.arange(23.0))
    with pytest.raises(
        InputError, match=r"coverage of 0.99: that takes 99 examples .* and it has 23. Ask for at most 0.958"
    ):
        few.quantile(0.99)
    assert few.max_coverage is not None and few.quantile(few.max_coverage) == 22.0
    assert sort_scores(np.zeros(1)).max_coverage == 0.5
    assert [examples_for(one) for one in (0.5, 0.9, 0.95, 0.99, 0.999)] == [1, 9, 19, 99, 999]


def class_data(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Five classes that are often taken for each other, and a model that is too sure of itself."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 5, count)
    logits = 2.0 * (rng.normal(size=(count, 5)) + 1.2 * np.eye(5)[targets])
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), targets


def test_sets_are_those_of_the_paper_and_hold_the_top_class() -> None:
    predictions, targets = class_data(0, 300)
    scores = sort_scores(class_scores(predictions, targets))
    new, _ = class_data(1, 200)
    for coverage in COVERAGES:
        limit = plain_quantile(np.array([1 - float(predictions[i, t]) for i, t in enumerate(targets)]), f"{coverage}")
        for row, within in zip(new, inside(new, scores, coverage), strict=True):
            expected = {k for k in range(5) if 1 - float(row[k]) <= limit} | {int(row.argmax())}
            assert set(np.flatnonzero(within)) == expected


def covered(coverage: float, num_scores: int, num_new: int, hits: int) -> bool:
    """Whether so many hits are what chance makes of the promise, 999 times in a thousand."""
    rank = math.ceil((num_scores + 1) * coverage)
    low, high = betabinom.interval(0.999, num_new, rank, num_scores + 1 - rank)
    return bool(low <= hits <= high)


@pytest.mark.parametrize("coverage", COVERAGES)
def test_the_promise_is_kept_on_new_examples(coverage: float) -> None:
    rng = np.random.default_rng(7)
    predictions, targets = class_data(2, 400)
    scores = sort_scores(class_scores(predictions, targets))
    new, truth = class_data(3, 4000)
    hits = inside(new, scores, coverage)[np.arange(4000), truth].sum()
    alone = (class_scores(new, truth) <= scores.quantile(coverage)).sum()  # without the top class where it is too rare
    assert covered(coverage, 400, 4000, alone) and hits >= alone

    values = rng.normal(size=(4400, 1)).astype(np.float32)
    numbers = (values[:, 0] + rng.standard_t(3, 4400)).astype(np.float32)
    scores = sort_scores(number_scores(values[:400], numbers[:400]))
    low, high = number_interval(values[400:], scores, coverage)
    assert covered(coverage, 400, 4000, int(((low <= numbers[400:]) & (numbers[400:] <= high)).sum()))


def future_data(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two steps of series of very different size, whose quantiles are crossed and far too narrow."""
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.uniform(-2, 4, (count, 1))
    targets = size * (5 + rng.normal(size=(count, 2)) * [1.0, 3.0])
    quantiles = size[..., None] * (5 + np.array([0.4, 0.0, -0.4]) + 0.05 * rng.normal(size=(count, 2, 3)))
    return quantiles.astype(np.float32), targets.astype(np.float32)


@pytest.mark.parametrize("coverage", COVERAGES)
def test_forecasts_keep_the_promise_at_each_step_whatever_the_size(coverage: float) -> None:
    predictions, targets = future_data(500, 0)
    least = least_width_of(predictions)
    scores = sort_scores(future_scores(predictions, targets, least), least)
    new, truth = future_data(4000, 1)
    low, high = future_interval(new, scores, coverage)
    within = (low <= truth) & (truth <= high)
    for step in range(2):
        assert covered(coverage, 500, 4000, int(within[:, step].sum()))
    middle = np.median(new, axis=-1)
    assert (low <= middle).all() and (middle <= high).all()
    small, large = (np.abs(truth[:, 0]) < 1), (np.abs(truth[:, 0]) > 1000)
    assert abs(within[small].mean() - within[large].mean()) < 0.1
    # the same by hand: Romano et al. (2019), equation 6, in units of the range
    ordered = np.sort(predictions.astype(np.float64), axis=-1)
    width = np.maximum(ordered[..., 2] - ordered[..., 0], least)
    for step in range(2):
        outside = [max(q[step][0] - y[step], y[step] - q[step][2]) for q, y in zip(ordered, targets, strict=True)]
        reach = plain_quantile(np.array(outside) / width[:, step], f"{coverage}")
        new_low, new_high = new[:, step].min(axis=-1), new[:, step].max(axis=-1)
        size = np.maximum(new_high.astype(np.float64) - new_low, least)
        np.testing.assert_allclose(low[:, step], np.minimum(new_low - reach * size, middle[:, step]), rtol=1e-5)
        np.testing.assert_allclose(high[:, step], np.maximum(new_high + reach * size, middle[:, step]), rtol=1e-5)


def test_a_range_of_no_width_still_gets_an_interval() -> None:
    flat, targets = np.zeros((20, 1, 3), np.float32), np.arange(20, dtype=np.float32)[:, None]
    least = least_width_of(flat)
    scores = sort_scores(future_scores(flat, targets, least), least)
    low, high = future_interval(flat[:1], scores, 0.5)
    assert (low[0, 0], high[0, 0]) == (-10.0, 10.0)


def test_a_damaged_file_is_an_error_of_the_bundle(tmp_path: Path) -> None:
    assert load_scores(tmp_path) is None
    path = tmp_path / "conformal.npz"
    whole = {"values": np.arange(3.0), "ranks": np.arange(1, 4), "num_examples": np.int64(3), "least_width": 0.0}
    for change in (
        {"values": np.array([1.0, np.nan, 2.0])}, {"values": np.zeros((3, 1, 1))}, {"ranks": np.arange(2)},
        {"num_examples": np.int64(4)}, {"values": np.array(["a"] * 3)}, {"values": np.array([{}] * 3, object)},
        {"values": np.zeros(0), "ranks": np.zeros(0, int)},
    ):  # fmt: skip
        np.savez(path, **whole | change)
        with pytest.raises(BundleError, match="Package the model again"):
            load_scores(tmp_path)
    for content in (b"", b"PK\x03\x04", path.read_bytes()[:-30]):
        path.write_bytes(content)
        with pytest.raises(BundleError, match="cannot be read"):
            load_scores(tmp_path)


class Known:
    """A classifier or a regressor whose answers are known: it says its inputs."""

    def __init__(self, classes: int = 0) -> None:
        self.classes_ = np.arange(classes)
        self.n_features_in_ = classes or 1
        self._estimator_type = "classifier" if classes else "regressor"

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> object:
        from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

        mixin = ClassifierMixin if len(self.classes_) else RegressorMixin
        return type("Tagged", (mixin, BaseEstimator), {})().__sklearn_tags__()

    def fit(self, inputs: np.ndarray, targets: np.ndarray) -> "Known":
        return self

    def predict_proba(self, inputs: np.ndarray) -> np.ndarray:
        return inputs

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return inputs.argmax(axis=1) if len(self.classes_) else inputs[:, 0]


@pytest.mark.slow
def test_mapie_makes_the_same_sets_and_intervals() -> None:
    classification = pytest.importorskip("mapie.classification")
    regression = pytest.importorskip("mapie.regression")
    predictions, targets = class_data(0, 400)
    exact = predictions.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    new = class_data(1, 300)[0].astype(np.float64)
    new /= new.sum(axis=1, keepdims=True)
    theirs = classification.SplitConformalClassifier(Known(5), list(COVERAGES), conformity_score="lac", prefit=True)
    _, sets = theirs.conformalize(exact, targets).predict_set(new)
    scores = sort_scores(class_scores(exact, targets))
    rng = np.random.default_rng(5)
    values, numbers = rng.normal(size=(400, 1)), rng.normal(size=400)
    intervals = regression.SplitConformalRegressor(Known(), list(COVERAGES), prefit=True).conformalize(values, numbers)
    _, bounds = intervals.predict_interval(new[:, :1])
    for i, coverage in enumerate(COVERAGES):
        ours = inside(new, scores, coverage)
        top = np.eye(5, dtype=bool)[new.argmax(axis=1)]
        np.testing.assert_array_equal(ours, sets[:, :, i] | top)
        low, high = number_interval(new[:, :1], sort_scores(number_scores(values, numbers)), coverage)
        np.testing.assert_allclose(low, bounds[:, 0, i], atol=1e-9)
        np.testing.assert_allclose(high, bounds[:, 1, i], atol=1e-9)
