"""N-grams learn what single words cannot say, keep their answer whatever padding follows, and are exported as one."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from records.data import DataSpec, InputKind
from records.spec import TextLayout
from records.task import get_task
from search_spaces import heads
from search_spaces.ngrams.beside_text import NGRAMS_BESIDE_TEXT
from search_spaces.ngrams.network import POOLINGS
from search_spaces.ngrams.space import MOST_UPDATES, NGRAMS
from search_spaces.space import Space, read
from search_spaces.text_backbones import build_text_encoder, text_backbone_available

MAX_TOKENS = 16
needs_weights = pytest.mark.skipif(text_backbone_available() is not None, reason=str(text_backbone_available()))
TASK = get_task("classification")


def spec(tokenizer: str = "learnt", vocabulary: int = 40, count: int = 400) -> DataSpec:
    return DataSpec(
        kind=InputKind.TEXT,
        input_shape=(MAX_TOKENS,),
        dtype="int32",
        labels=("no", "yes"),
        label_counts=(count // 2, count // 2),
        layout=TextLayout(vocabulary=vocabulary, tokenizer=tokenizer),
    )


def pairs_in_order(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Texts of 12 tokens with the same tokens in both classes: 7 comes right after 5, or right before it."""
    rng = np.random.default_rng(3)
    tokens = np.zeros((count, MAX_TOKENS), np.int32)
    tokens[:, :12] = rng.integers(10, 40, (count, 12))
    answers, places = np.arange(count) % 2, rng.integers(0, 11, count)
    rows = np.arange(count)
    tokens[rows, places], tokens[rows, places + 1] = np.where(answers, 5, 7), np.where(answers, 7, 5)
    return tokens, answers


def trained(longest: int) -> float:
    """Accuracy on texts that were not trained on."""
    keras.utils.set_random_seed(2)
    model = NGRAMS.build(read(NGRAMS, {"ngrams/longest": longest}, spec()), spec(), TASK)
    model.compile(keras.optimizers.AdamW(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    tokens, answers = pairs_in_order(1400)
    model.fit(tokens[:1200], answers[:1200], batch_size=32, epochs=6, verbose=0)
    return float(model.evaluate(tokens[1200:], answers[1200:], verbose=0)[1])


def test_pairs_tell_what_single_words_cannot() -> None:
    assert trained(2) > 0.95
    assert trained(1) < 0.7


def answer(network: keras.Model, tokens: np.ndarray) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(network(tokens)))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_changes_nothing_and_an_empty_text_has_an_answer(pooling: str) -> None:
    network = NGRAMS.build(read(NGRAMS, {"ngrams/pooling": pooling, "ngrams/longest": 4}, spec()), spec(), TASK)
    tokens, _ = pairs_in_order(6)
    tokens[0] = 0
    np.testing.assert_allclose(answer(network, tokens), answer(network, tokens[:, :12]), atol=1e-6)
    assert np.isfinite(answer(network, tokens)).all()


def test_one_token_each_is_a_bag_of_words() -> None:
    """With the vectors of a network of single tokens, the mean and the maximum of numpy."""
    values = read(NGRAMS, {"ngrams/longest": 1, "ngrams/width": 16}, spec())
    network = NGRAMS.build(values, spec(), TASK)
    (vectors,) = network.get_layer("ngram_vectors").get_weights()
    tokens, _ = pairs_in_order(4)
    states = vectors[tokens[:, :12]]
    expected = np.concatenate([states.mean(axis=1), states.max(axis=1)], axis=1)
    embedding = keras.Model(network.input, network.get_layer(heads.EMBEDDING).output)
    np.testing.assert_allclose(answer(embedding, tokens), expected, atol=1e-6)


def test_few_texts_get_many_passes_and_many_get_few() -> None:
    epochs = [NGRAMS.recipe(read(NGRAMS, {}, spec(count=count))).max_epochs for count in (60, 4000, 100_000)]
    assert epochs == [160, round(MOST_UPDATES * 64 / 4000), 5]


@pytest.mark.parametrize("name", ["ngrams/pooling", "ngrams/longest", "ngrams/buckets"])
def test_an_unknown_value_is_refused(name: str) -> None:
    values = read(NGRAMS, {name: "median" if name.endswith("pooling") else 0}, spec())
    with pytest.raises(ValueError, match="Received"):
        NGRAMS.build(values, spec(), TASK)


def whole(space: Space, of: DataSpec) -> keras.Model:
    """From tokens to the prediction, with no weight at 0."""
    values = read(space, {}, of)
    if space.encoder is None:
        network = space.build(values, of, TASK)
    else:
        encoder = space.encoder(values, of)
        given = dataclasses.replace(of, input_shape=tuple(encoder.output_shape[1:]), dtype="float32")
        network = heads.join(encoder, space.build(values, given, TASK), space.name)
    rng = np.random.default_rng(3)
    for weight in network.trainable_weights:
        weight.assign(np.asarray(weight) + 0.05 * rng.normal(size=weight.shape))
    return network


@pytest.mark.parametrize("space", [NGRAMS, pytest.param(NGRAMS_BESIDE_TEXT, marks=[needs_weights, pytest.mark.slow])])
def test_saved_and_exported_networks_answer_alike(space: Space, tmp_path: Path) -> None:
    of = spec("minilm", 30_522)
    network = whole(space, of)
    tokens = np.random.default_rng(1).integers(1, 30_522, (3, MAX_TOKENS)).astype(np.int32)
    tokens[0, 3:] = 0
    expected = answer(network, tokens)
    np.testing.assert_allclose(answer(network, tokens[:1, :5]), expected[:1], atol=1e-5)
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    view = heads.export_view(again)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(view(tokens)[0]), expected, atol=1e-5)
    view.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    np.testing.assert_allclose(session.run(None, {name: tokens})[0], expected, atol=1e-4)
    np.testing.assert_allclose(session.run(None, {name: tokens[:1, :4]})[0], expected[:1], atol=1e-4)


@needs_weights
def test_the_features_hold_the_backbones_and_the_very_tokens() -> None:
    of = spec("minilm", 30_522)
    values = read(NGRAMS_BESIDE_TEXT, {"ngrams_beside_text/features": "last_layer"}, of)
    assert NGRAMS_BESIDE_TEXT.encoder is not None
    tokens = np.array([[101, 30_521, 2003, 102], [101, 102, 0, 0]], np.int32)
    found = answer(NGRAMS_BESIDE_TEXT.encoder(values, of), tokens)
    np.testing.assert_allclose(found[:, :384], answer(build_text_encoder("minilm", "last_layer"), tokens), atol=1e-6)
    np.testing.assert_array_equal(found[:, 384:].astype(np.int32), np.pad(tokens, [(0, 0), (0, MAX_TOKENS - 4)]))
