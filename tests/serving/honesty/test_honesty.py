"""What answers say of themselves: sets and intervals, what is left out, and inputs that are unlike the known ones."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from records.api import AnyPrediction, ForecastPrediction, NumberPrediction, Prediction, PredictResponse, written
from records.errors import BundleError, InputError
from records.task import Decision
from serving.bundle import open_bundle
from serving.decoding import DECODINGS, Answering
from serving.honesty.answers import Honesty
from serving.honesty.conformal import Scores, save_scores, sort_scores
from serving.honesty.strangers import load_strangers, open_strangers
from serving.parsing.parameters import Options
from tests.serving.kinds import KITS, make_bundle

LABELS = ("ant", "bee", "cat")
OUTPUTS = np.array([[0.7, 0.2, 0.1], [0.34, 0.33, 0.33], [0.05, 0.9, 0.05]], np.float32)
EMBEDDINGS = np.zeros((3, 4), np.float32)


def limit(value: float, count: int = 40) -> Scores:
    """Scores whose every quantile is `value`."""
    return sort_scores(np.full(count, value))


def complete(honesty: Honesty, outputs: np.ndarray, options: Options, answering: Answering) -> list[AnyPrediction]:
    honesty.check(options)
    answers = DECODINGS[honesty.task](outputs, answering, options.top_k, [])
    return honesty.complete(answers, outputs, np.zeros((len(outputs), 4), np.float32), options)


def classify(options: Options, value: float = 0.75, decision: Decision | None = None) -> list[Prediction]:
    honesty = Honesty(task="classification", labels=LABELS, scores=limit(value))
    answering = Answering(labels=LABELS) if decision is None else Answering(labels=LABELS, decision=decision)
    answers = complete(honesty, OUTPUTS, options, answering)
    assert all(isinstance(one, Prediction) for one in answers)
    return answers  # type: ignore[return-value]


def test_a_plain_answer_holds_nothing_that_was_not_asked_for() -> None:
    [first, *_] = classify(Options(top_k=1))
    assert json.loads(orjson.dumps(first, default=written)) == {
        "label": "ant",
        "probability": 0.7,
        "classes": [{"label": "ant", "probability": 0.7}],
    }


def test_a_set_lists_its_classes_by_probability_whatever_top_k_is() -> None:
    answers = classify(Options(coverage=0.9, top_k=1))
    assert [one.set for one in answers] == [["ant"], ["ant", "bee", "cat"], ["bee"]]
    assert [one.set for one in classify(Options(coverage=0.9), value=0.01)] == [["ant"], ["ant"], ["bee"]]
    assert [len(one.classes) for one in answers] == [1, 1, 1]


def test_a_set_holds_what_is_answered() -> None:
    costs = Decision(costs=((0, 1, 1), (1, 0, 1), (9, 9, 0)))
    answers = classify(Options(coverage=0.9), decision=costs)
    assert [one.label for one in answers] == ["cat", "cat", "bee"]
    assert answers[0].set == ["ant", "cat"]


def test_an_answer_below_the_limit_is_left_out() -> None:
    answers = classify(Options(abstain_below=0.7, coverage=0.9))
    assert [(one.label, one.abstained) for one in answers] == [("ant", None), (None, True), ("bee", None)]
    assert answers[1].probability == 0.34 and answers[1].set == ["ant", "bee", "cat"]
    told = json.loads(orjson.dumps(answers[1], default=written))
    assert told["label"] is None and told["abstained"] is True
    read = PredictResponse.model_validate_json(
        orjson.dumps({"model": "m:1", "predictions": answers}, default=written)
    ).predictions
    assert read == answers


def test_numbers_get_an_interval() -> None:
    honesty = Honesty(task="regression", labels=(), scores=limit(0.5))
    [answer] = complete(honesty, np.array([[2.25]], np.float32), Options(coverage=0.9), Answering())
    assert answer == NumberPrediction(value=2.25, low=1.75, high=2.75)
    with pytest.raises(InputError, match="`abstain_below` is for classes"):
        honesty.check(Options(abstain_below=0.5))


def test_forecasts_get_an_interval_for_each_step() -> None:
    scores = Scores(values=np.array([[0.5, -0.25]] * 9), ranks=np.arange(1, 10), num_examples=9, least_width=0.1)
    honesty = Honesty(task="forecasting", labels=(), scores=scores)
    outputs = np.array([[[10, 12, 14], [3, 2, 1]]], np.float32)
    [answer] = complete(honesty, outputs, Options(coverage=0.9), Answering(quantiles=(0.1, 0.5, 0.9)))
    assert isinstance(answer, ForecastPrediction)
    assert (answer.low, answer.values, answer.high) == ([8.0, 1.5], [12.0, 2.0], [16.0, 2.5])


def test_a_coverage_that_cannot_be_promised_is_refused_with_the_reason() -> None:
    few = Honesty(task="classification", labels=LABELS, scores=limit(0.5, count=23))
    few.check(Options(coverage=0.95))
    with pytest.raises(InputError, match="takes 99 examples") as caught:
        few.check(Options(coverage=0.99))
    assert caught.value.status == 422
    with pytest.raises(InputError, match="its bundle holds no scores"):
        replace(few, scores=None).check(Options(coverage=0.9))


def spheres(count: int, features: int, seed: int) -> np.ndarray:
    """Directions around three of the axes, of any length."""
    rng = np.random.default_rng(seed)
    around = np.eye(features)[rng.integers(0, 3, count)] + 0.1 * rng.normal(size=(count, features))
    return (around * rng.uniform(1, 9, (count, 1))).astype(np.float32)


@pytest.mark.parametrize("features", [3, 64, 1280])
def test_strangers_are_far_from_all_that_is_known(features: int) -> None:
    strangers = open_strangers(spheres(512, features, 0))
    assert strangers is not None
    assert strangers.find(spheres(4000, features, 1)).mean() == pytest.approx(0.01, abs=0.01)
    assert strangers.find(-spheres(100, features, 2)).all()
    assert not strangers.find(np.zeros((2, features + 1), np.float32)).any()


def test_the_flag_is_the_distance_to_the_third_neighbour() -> None:
    known, new = spheres(200, 8, 0), spheres(300, 8, 3) + np.float32(1.0)
    unit = [one / np.linalg.norm(one) for one in known.astype(np.float64)]
    alone = sorted(sorted(np.linalg.norm(a - b) for j, b in enumerate(unit) if j != i)[2] for i, a in enumerate(unit))
    farthest = alone[-2]  # the 199th of 200: ceil(201 * 0.99)
    expected = [sorted(np.linalg.norm(one / np.linalg.norm(one) - b) for b in unit)[2] > farthest for one in new]
    strangers = open_strangers(known)
    assert strangers is not None and 10 < sum(expected) < 290
    assert (strangers.find(new) == expected).mean() > 0.99


def test_embeddings_that_tell_nothing_flag_nothing() -> None:
    assert open_strangers(np.ones((300, 8), np.float32)) is None
    assert open_strangers(np.zeros((300, 8), np.float32)) is None
    assert open_strangers(spheres(99, 8, 0)) is None
    assert open_strangers(np.arange(1.0, 301.0, dtype=np.float32)[:, None]) is None  # one direction


def test_a_reference_is_read_without_trust(tmp_path: Path) -> None:
    path = tmp_path / "reference.npz"
    assert load_strangers(tmp_path) is None
    np.savez(path, embeddings=spheres(200, 8, 0), predictions=np.zeros(3))
    assert load_strangers(tmp_path) is not None
    np.savez(path, embeddings=np.full((200, 8), np.nan))
    assert load_strangers(tmp_path) is None
    np.savez(path, predictions=np.zeros(3))
    assert load_strangers(tmp_path) is None
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 10**6)}
    with zipfile.ZipFile(path, "w") as archive, archive.open("embeddings.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, header)  # four terabytes, it says
    with pytest.raises(BundleError, match="embeddings.npy is shorter than it says"):
        load_strangers(tmp_path)


def test_only_strange_inputs_are_flagged() -> None:
    honesty = Honesty(task="classification", labels=LABELS, strangers=open_strangers(spheres(200, 4, 0)))
    answers = DECODINGS["classification"](OUTPUTS, Answering(labels=LABELS), None, [])
    embeddings = np.array([[5, 0, 0, 0], [0, 0, 0, -1], [0, 2, 0, 0]], np.float32)
    honesty.complete(answers, OUTPUTS, embeddings)
    assert [one.out_of_distribution for one in answers] == [None, True, None]
    assert "out_of_distribution" not in json.loads(orjson.dumps(answers[0], default=written))


@pytest.mark.parametrize("name", KITS)
def test_a_bundle_of_every_kind_answers_with_what_is_asked(name: str, tmp_path: Path) -> None:
    folder, kit = make_bundle(name, tmp_path / name), KITS[name]()
    old = open_bundle(folder)
    before = old.predict(kit.raws)
    with pytest.raises(InputError, match="holds no scores"):
        old.predict(kit.raws, Options(coverage=0.9))
    with pytest.raises(InputError, match="holds no scores"):
        old.predict_each(kit.raws, Options(coverage=0.9))
    save_scores(folder, sort_scores(np.full((40, 3) if kit.task == "forecasting" else 40, 0.25), least_width=1.0))
    new = open_bundle(folder)
    assert new.predict(kit.raws) == before and new.reproduces_sample()
    assert set(new.honesty.explain()) == {"coverage"} | ({"abstain_below"} if kit.labels else set())
    for answer in new.predict(kit.raws, Options(coverage=0.9)):
        if isinstance(answer, Prediction):
            assert answer.set and answer.label in answer.set
        elif isinstance(answer, NumberPrediction):
            assert answer.low is not None and answer.high is not None
            assert (answer.value - answer.low, answer.high - answer.value) == pytest.approx((0.25, 0.25), rel=1e-4)
        else:
            assert answer.low is not None and answer.high is not None
            assert all(a < b < c for a, b, c in zip(answer.low, answer.values, answer.high, strict=True))
