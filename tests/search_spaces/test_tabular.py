"""Networks for rows: what the columns become, that every configuration builds, learns, is saved and exported."""

import dataclasses
import random
import time
from pathlib import Path
from statistics import NormalDist

import keras
import keras_tuner
import numpy as np
import onnxruntime
import pytest

from records.data import DataSpec, InputKind
from records.spec import ColumnKind, Slot, TableLayout
from records.task import get_task
from search_spaces import heads
from search_spaces.space import read
from search_spaces.tabular import MLP, NUM_BINS, NUM_FREQUENCIES, embedding_size, periodic, piecewise
from search_spaces.tabular_floor import build_floor

SIZES = (5, 3, 40)
SLOTS = (
    Slot(name="age", kind=ColumnKind.NUMBER, start=0, stop=2),
    Slot(name="town", kind=ColumnKind.CATEGORY, start=2, stop=3, size=SIZES[0]),
    Slot(name="rooms", kind=ColumnKind.NUMBER, start=3, stop=4),
    Slot(name="day", kind=ColumnKind.DATE, start=4, stop=8),
    Slot(name="sex", kind=ColumnKind.CATEGORY, start=8, stop=9, size=SIZES[1]),
    Slot(name="maker", kind=ColumnKind.CATEGORY, start=9, stop=10, size=SIZES[2]),
)
WIDTH = 10
CLASSES = DataSpec(
    kind=InputKind.TABLE,
    input_shape=(WIDTH,),
    dtype="float32",
    labels=("a", "b", "c"),
    label_counts=(7, 5, 3),
    layout=TableLayout(slots=SLOTS),
)
NUMBERS = dataclasses.replace(
    CLASSES, task="regression", labels=(), label_counts=(), num_train=15, target_mean=30.0, target_std=4.0
)
SPECS = [CLASSES, NUMBERS]


def make_rows(count: int, slots: tuple[Slot, ...] = SLOTS, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, slots[-1].stop)).astype(np.float32)
    for slot in slots:
        if slot.kind is ColumnKind.CATEGORY:
            rows[:, slot.start] = rng.integers(0, slot.size, count)
    return rows


def sample(seed: int, spec: DataSpec) -> dict[str, object]:
    hp = keras_tuner.HyperParameters()
    MLP.choices(hp, spec)
    rng = random.Random(seed)
    return {parameter.name: parameter.random_sample(rng.randrange(2**31)) for parameter in hp.space}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.task)
def test_every_configuration_builds_answers_and_is_saved(spec: DataSpec, tmp_path: Path) -> None:
    task, rows = get_task(spec.task), make_rows(7)
    for seed in range(6):
        values = read(MLP, {} if seed == 0 else sample(seed, spec), spec)
        model = MLP.build(values, spec, task)
        answers = np.asarray(model(rows))
        assert answers.shape == (7, 3 if spec.labels else 1) and np.isfinite(answers).all()
        if spec.labels:
            np.testing.assert_allclose(answers.sum(axis=1), 1.0, atol=1e-5)
        MLP.recipe(values)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(np.asarray(again(rows)), answers, atol=1e-6)


@pytest.mark.parametrize("numbers", ["plain", "piecewise", "periodic"])
def test_export_answers_as_the_network_does(numbers: str, tmp_path: Path) -> None:
    values = read(MLP, {"mlp/numbers": numbers, "mlp/residual": True, "mlp/norm": "layer", "mlp/depth": 3}, CLASSES)
    model = MLP.build(values, CLASSES, get_task("classification"))
    rows = make_rows(5)
    expected = model.predict_on_batch(rows)
    view = heads.export_view(model)
    view(rows)  # what was never called is not exported
    view.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    answers, embedding = session.run(None, {session.get_inputs()[0].name: rows})
    np.testing.assert_allclose(answers, expected, atol=1e-4)
    assert embedding.shape == (5, values["width"])


@pytest.mark.parametrize("numbers", ["plain", "piecewise", "periodic"])
def test_one_step_changes_every_weight(numbers: str) -> None:
    values = read(MLP, {"mlp/numbers": numbers, "mlp/norm": "batch"}, CLASSES)
    model = MLP.build(values, CLASSES, get_task("classification"))
    view, from_logits = heads.training_view(model)
    view.compile(keras.optimizers.Adam(1e-2), heads.HEADS["classification"].loss(CLASSES, from_logits))
    before = [np.asarray(weight) for weight in model.trainable_weights]
    view.train_on_batch(make_rows(9), np.eye(3, dtype=np.float32)[np.arange(9) % 3])
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert not np.array_equal(np.asarray(weight), old), weight.path


def test_embedding_sizes_follow_the_rule_of_thumb() -> None:
    assert [embedding_size(n) for n in (1, 2, 10, 100, 10_000)] == [2, 2, 6, 21, 50]
    assert embedding_size(1, 0.5) == 1 and embedding_size(100, 2.0) == 42
    model = MLP.build(read(MLP, {}, CLASSES), CLASSES, get_task("classification"))
    tables = {layer.name: layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)}
    assert {name: table.input_dim for name, table in tables.items()} == {
        f"embedding_{embedding_size(3)}": 5,
        f"embedding_{embedding_size(1)}": 3,
        f"embedding_{embedding_size(38)}": 40,
    }


def test_each_category_has_an_embedding_of_its_own_and_codes_beyond_the_last_are_clipped() -> None:
    slots = tuple(
        Slot(name=f"c{i}", kind=ColumnKind.CATEGORY, start=i, stop=i + 1, size=4) for i in range(3)
    )  # equal sizes share one table
    spec = dataclasses.replace(CLASSES, input_shape=(3,), layout=TableLayout(slots=slots))
    values = read(MLP, {}, spec)
    model = MLP.build(values, spec, get_task("classification"))
    (table,) = [layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)]
    table.set_weights([np.arange(12.0)[:, None] * np.ones((1, table.output_dim))])
    first = keras.Model(model.input, table.output)
    found = np.asarray(first(np.array([[0, 1, 3], [3, 0, 99], [-1, 2, 2]], np.float32)))[:, :, 0]
    assert found.tolist() == [[0, 5, 11], [3, 4, 11], [0, 6, 10]]


def test_piecewise_encoding_is_the_papers() -> None:
    numbers = np.array([[-4.0, 0.0], [0.3, 1.0], [-0.01, 3.0]], np.float32)
    inputs = keras.Input((2,))
    found = np.asarray(keras.Model(inputs, piecewise(inputs))(numbers)).reshape(3, 2, NUM_BINS)
    edges = [-2.5, *(NormalDist().inv_cdf(i / NUM_BINS) for i in range(1, NUM_BINS)), 2.5]
    for row in range(3):
        for column in range(2):
            for i in range(NUM_BINS):
                part = (numbers[row, column] - edges[i]) / (edges[i + 1] - edges[i])
                part = max(part, 0.0) if i > 0 else part
                part = min(part, 1.0) if i < NUM_BINS - 1 else part
                assert found[row, column, i] == pytest.approx(part, abs=1e-4)


def test_periodic_encoding_does_not_mix_columns() -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, periodic(inputs, 3, 0.5))
    rows = np.zeros((2, 3), np.float32)
    rows[1, 1] = 0.7
    found = np.asarray(model(rows)).reshape(2, 3, NUM_FREQUENCIES)
    np.testing.assert_array_equal(found[0, [0, 2]], found[1, [0, 2]])
    assert not np.array_equal(found[0, 1], found[1, 1])


def test_thousands_of_columns_build_in_seconds() -> None:
    slots = tuple(
        Slot(
            name=str(i), kind=ColumnKind.NUMBER if i % 2 else ColumnKind.CATEGORY, start=i, stop=i + 1, size=2 + i % 70
        )
        for i in range(5000)
    )
    spec = dataclasses.replace(CLASSES, input_shape=(5000,), layout=TableLayout(slots=slots))
    started = time.perf_counter()
    for values in ({}, {"mlp/numbers": "periodic"}):
        model = MLP.build(read(MLP, values, spec), spec, get_task("classification"))
        assert model.predict_on_batch(make_rows(2, slots)).shape == (2, 3)
    build_floor(spec, get_task("classification")).predict_on_batch(make_rows(2, slots))
    assert time.perf_counter() - started < 60


def test_defaults_follow_the_size_of_the_table() -> None:
    found = {}
    for count in (300, 30_000, 1_000_000):
        values = read(MLP, {}, dataclasses.replace(NUMBERS, num_train=count))
        found[count] = tuple(values[name] for name in ("batch_size", "max_epochs", "numbers", "dropout_rate"))
    assert found == {
        300: (64, 100, "plain", 0.3),
        30_000: (256, 51, "piecewise", 0.0),
        1_000_000: (2048, 16, "piecewise", 0.0),
    }


def test_texts_are_not_read_by_this_space() -> None:
    texts = (Slot(name="note", kind=ColumnKind.TEXT, start=0, stop=9, size=100),)
    assert not MLP.fits(dataclasses.replace(CLASSES, layout=TableLayout(slots=texts)))
    assert MLP.fits(CLASSES)


@pytest.mark.parametrize("name", ["norm", "numbers"])
def test_unknown_branch_is_refused(name: str) -> None:
    values = read(MLP, {}, CLASSES) | {name: "odd"}
    with pytest.raises(ValueError, match=f"`mlp/{name}` must be "):
        MLP.build(values, CLASSES, get_task("classification"))


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.task)
def test_floor_begins_at_the_shares_or_the_mean(spec: DataSpec) -> None:
    model = build_floor(spec, get_task(spec.task))
    answers = np.asarray(model(make_rows(4)))
    shares = (np.array([7, 5, 3]) + 1) / 18
    np.testing.assert_allclose(answers, np.tile(shares if spec.labels else [30.0], (4, 1)), rtol=1e-5)
    assert {heads.EMBEDDING, heads.LOGITS, heads.PREDICTION} <= {layer.name for layer in model.layers}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.task)
def test_floor_is_linear_in_numbers_and_one_hot_categories(spec: DataSpec) -> None:
    """And all of its weights learn, although most of them start at 0."""
    model = build_floor(spec, get_task(spec.task))
    view, from_logits = heads.training_view(model)
    view.compile(keras.optimizers.Adam(1e-1), heads.HEADS[spec.task].loss(spec, from_logits))
    rows = make_rows(50)
    outputs = spec.num_classes or 1
    targets = np.eye(3, dtype=np.float32)[np.arange(50) % 3][:, :outputs]
    for _ in range(3):
        view.train_on_batch(rows, targets)
    table, kernel, bias = (np.asarray(weight) for weight in model.get_weights())
    one_hot = np.concatenate(
        [np.eye(slot.size)[rows[:, slot.start].astype(int)] for slot in SLOTS if slot.kind is ColumnKind.CATEGORY],
        axis=1,
    )
    numbers = rows[:, [0, 1, 3, 4, 5, 6, 7]]
    logits = numbers @ kernel[:7] + one_hot @ (table @ kernel[7:]) + bias
    np.testing.assert_allclose(np.asarray(view(rows)), logits, atol=1e-4)
    assert np.ptp(table) > 0.1 and np.ptp(kernel[:7]) > 0.1


def test_floor_without_a_column_that_it_reads_says_the_shares() -> None:
    texts = (Slot(name="note", kind=ColumnKind.TEXT, start=0, stop=9, size=100),)
    spec = dataclasses.replace(CLASSES, input_shape=(9,), layout=TableLayout(slots=texts))
    answers = np.asarray(build_floor(spec, get_task("classification"))(np.ones((2, 9), np.float32)))
    np.testing.assert_allclose(answers.sum(axis=1), 1.0, rtol=1e-5)
