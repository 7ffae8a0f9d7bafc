"""Rows with texts: a frozen encoder that passes the other columns on, and a head that finds them again."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from records.data import DataSpec, InputKind
from records.spec import ColumnKind, Slot, TableLayout
from records.task import get_task
from search_spaces import heads, tabular_text
from search_spaces.space import read
from search_spaces.tabular_text import MLP_WITH_TEXT, packed

SLOTS = (
    Slot(name="title", kind=ColumnKind.TEXT, start=0, stop=4, size=20),
    Slot(name="age", kind=ColumnKind.NUMBER, start=4, stop=6),
    Slot(name="note", kind=ColumnKind.TEXT, start=6, stop=12, size=20),
    Slot(name="town", kind=ColumnKind.CATEGORY, start=12, stop=13, size=5),
)
SPEC = DataSpec(
    kind=InputKind.TABLE,
    input_shape=(13,),
    dtype="float32",
    labels=("a", "b"),
    label_counts=(7, 5),
    layout=TableLayout(slots=SLOTS, tokenizer="minilm"),
)
TASK = get_task("classification")
FEATURES = 3


def make_rows(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    rows = rng.integers(1, 20, (count, 13)).astype(np.float32)
    rows[:, 4], rows[:, 5], rows[:, 12] = rng.normal(size=count), 0, rng.integers(0, 5, count)
    rows[:, 2:4] = 0  # short titles
    return rows


@pytest.fixture
def small_reader(monkeypatch: pytest.MonkeyPatch) -> keras.Model:
    """A network that takes a text's tokens of any number to the mean of their embeddings."""
    ids = keras.Input((None,), dtype="int32")
    known = keras.ops.expand_dims(keras.ops.cast(ids > 0, "float32"), -1)
    total = keras.ops.sum(keras.layers.Embedding(20, FEATURES)(ids) * known, axis=1)
    reader = keras.Model(ids, total / keras.ops.maximum(keras.ops.sum(known, axis=1), 1.0))
    monkeypatch.setattr(tabular_text, "build_text_encoder", lambda name, pooling: reader)
    return reader


def trained_spec(values: dict[str, object]) -> tuple[keras.Model, DataSpec]:
    encoder = MLP_WITH_TEXT.encoder(values, SPEC)  # type: ignore[misc]
    return encoder, dataclasses.replace(SPEC, input_shape=encoder.output_shape[1:])


def test_encoder_passes_other_columns_on_and_reads_each_text(small_reader: keras.Model) -> None:
    encoder, spec = trained_spec(read(MLP_WITH_TEXT, {}, SPEC))
    rows = make_rows(5)
    features = np.asarray(encoder(rows))
    assert spec.input_shape == (3 + 2 * FEATURES,) and not encoder.trainable_weights
    np.testing.assert_array_equal(features[:, :3], rows[:, [4, 5, 12]])
    for place, tokens in ((3, rows[:, :4]), (6, rows[:, 6:12])):
        np.testing.assert_allclose(features[:, place : place + 3], np.asarray(small_reader(tokens)), atol=1e-6)


def test_head_joins_the_encoder_and_is_exported(small_reader: keras.Model, tmp_path: Path) -> None:
    values = read(MLP_WITH_TEXT, {}, SPEC)
    encoder, spec = trained_spec(values)
    head = MLP_WITH_TEXT.build(values, spec, TASK)
    view, from_logits = heads.training_view(head)
    view.compile("adam", heads.HEADS["classification"].loss(SPEC, from_logits))
    rows = make_rows(8)
    before = [np.asarray(weight) for weight in head.trainable_weights]
    view.train_on_batch(np.asarray(encoder(rows)), np.eye(2, dtype=np.float32)[np.arange(8) % 2])
    for weight, old in zip(head.trainable_weights, before, strict=True):
        assert not np.array_equal(np.asarray(weight), old), weight.path
    whole = heads.join(encoder, head, "whole")
    expected = np.asarray(head(np.asarray(encoder(rows))))
    whole.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(again.predict_on_batch(rows), expected, atol=1e-5)
    exported = heads.export_view(again)
    exported(rows)
    exported.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    answers, embedding = session.run(None, {session.get_inputs()[0].name: rows})
    np.testing.assert_allclose(answers, expected, atol=1e-4)
    assert embedding.shape == (8, values["width"])


def test_texts_alone_are_enough(small_reader: keras.Model) -> None:
    texts = TableLayout(slots=SLOTS[:1], tokenizer="minilm")
    alone = dataclasses.replace(SPEC, input_shape=(4,), layout=texts)
    values = read(MLP_WITH_TEXT, {}, alone)
    encoder = tabular_text.encoder(values, alone)
    head = MLP_WITH_TEXT.build(values, dataclasses.replace(alone, input_shape=encoder.output_shape[1:]), TASK)
    assert np.asarray(head(np.asarray(encoder(make_rows(2)[:, :4])))).shape == (2, 2)


def test_space_is_offered_for_texts_that_a_backbone_reads() -> None:
    assert MLP_WITH_TEXT.fits(SPEC)
    assert not MLP_WITH_TEXT.fits(dataclasses.replace(SPEC, layout=TableLayout(slots=SLOTS[1:2])))
    key = MLP_WITH_TEXT.encoder_key(read(MLP_WITH_TEXT, {}, SPEC))  # type: ignore[misc]
    assert key == "table-minilm@every_layer"


def test_packed_slots_lie_side_by_side() -> None:
    moved, width = packed([SLOTS[1], SLOTS[3]])
    assert [(slot.name, slot.start, slot.stop) for slot in moved] == [("age", 0, 2), ("town", 2, 3)] and width == 3
