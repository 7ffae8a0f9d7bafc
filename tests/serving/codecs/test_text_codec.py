"""Any text becomes tokens, one by one or many at once, and nothing but padding is 0."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from pipelines.preparing.vocabulary import learn_tokenizer
from records.errors import BundleError, InputError
from search_spaces.text_backbones import text_backbone_available, tokenizer_json
from serving.codecs.catalog import load_codec
from serving.codecs.text import CHUNK, TextCodec, max_chars_for

TEXTS = ["The cat sat on the mat.", "Naïve cafés, 東京 and 123 things!", "good film , bad film", "aaa bbb"] * 5
LEARNT = TextCodec(max_tokens=11, max_chars=400, tokenizer="learnt", tokenizer_json=learn_tokenizer(TEXTS))


CODECS = {"learnt": LEARNT}  # by name: hypothesis prints its arguments, and a vocabulary fills a screen
if text_backbone_available() is None:
    CODECS["minilm"] = TextCodec(max_tokens=13, max_chars=400, tokenizer="minilm", tokenizer_json=tokenizer_json())
SHORTER = {name: replace(codec, max_tokens=5) for name, codec in CODECS.items()}

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates and NUL too


@pytest.mark.parametrize("name", CODECS)
@settings(deadline=None)  # a busy machine is slow, not wrong
@given(texts=st.lists(ANY_TEXT, max_size=4))
def test_any_text_is_encoded_alike_alone_and_with_others(name: str, texts: list[str]) -> None:
    codec = CODECS[name]
    batch = codec.encode_batch(texts)
    assert batch.shape == (len(texts), codec.max_tokens) and batch.dtype == np.int32
    for text, row in zip(texts, batch, strict=True):
        np.testing.assert_array_equal(codec.encode(text), row)
        used = np.count_nonzero(row)
        assert used >= 1 and not row[used:].any()  # zeros at the end only
        assert row.max() < codec.vocabulary
        np.testing.assert_array_equal(codec.encode(codec.visible(text)), row)


@pytest.mark.parametrize("name", CODECS)
@settings(deadline=None)
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=4))
def test_tokens_can_be_cut_later(name: str, texts: list[str]) -> None:
    codec, cut = CODECS[name], SHORTER[name]
    (tokens,) = codec.tokenise(texts)
    np.testing.assert_array_equal(cut.pad(tokens), cut.encode_batch(texts))


def test_many_texts_keep_their_order() -> None:
    texts = [f"part {number} {'x' * (number % 7)}" for number in range(2 * CHUNK + 3)]
    encoded = LEARNT.encode_batch(texts)
    assert [len(part.lengths) for part in LEARNT.tokenise(texts)] == [CHUNK, CHUNK, 3]
    for row in (0, CHUNK - 1, CHUNK, 2 * CHUNK + 2):
        np.testing.assert_array_equal(encoded[row], LEARNT.encode(texts[row]))
    with pytest.raises(InputError):
        LEARNT.encode_batch([*texts, 5])  # type: ignore[list-item]
    assert LEARNT.encode_batch([]).shape == (0, 11)


@pytest.mark.parametrize("name", CODECS)
@settings(deadline=None)
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=4))
def test_collate_leaves_off_shared_padding_alone(name: str, texts: list[str]) -> None:
    codec = CODECS[name]
    batch = codec.encode_batch(texts)
    collated = codec.collate(list(batch))
    assert collated[:, -1].any() and not batch[:, collated.shape[1] :].any()
    np.testing.assert_array_equal(collated, batch[:, : collated.shape[1]])
    assert codec.collate([np.zeros(5, np.int32)]).shape == (1, 1)


@pytest.mark.parametrize("name", CODECS)
def test_same_as_the_tokenizer_itself(name: str) -> None:
    codec = CODECS[name]
    reference = Tokenizer.from_str(codec.tokenizer_json)
    reference.no_padding()
    reference.enable_truncation(codec.max_tokens)
    for text in TEXTS[:4]:
        ids = reference.encode(text).ids
        np.testing.assert_array_equal(codec.encode(text), ids + [0] * (codec.max_tokens - len(ids)))


def test_known_tokens_of_the_pretrained_tokenizer() -> None:
    if "minilm" not in CODECS:
        pytest.skip(str(text_backbone_available()))
    codec = CODECS["minilm"]
    assert codec.encode("Hello, wörld!").tolist() == [101, 7592, 1010, 2088, 999, 102] + [0] * 7
    assert codec.encode("").tolist() == codec.encode(" \n\t").tolist() == [101, 102] + [0] * 11
    long = codec.encode("word " * 50)
    assert long[0] == 101 and long[-1] == 102 and (long[1:-1] == 2773).all()
    assert 0 not in codec.encode("[PAD] [PAD] [CLS]").tolist()[:8]  # signs in a text are text


def test_texts_in_bytes_and_what_is_none() -> None:
    assert LEARNT.encode("\ufeffcafé".encode()).tolist() == LEARNT.encode("café").tolist()
    with pytest.raises(InputError, match="Expected UTF-8. Received: other bytes, from position 3 on") as caught:
        LEARNT.encode("café".encode("latin-1"))
    assert caught.value.status == 422
    for bad in (5, None, ["a"], 1.5):
        with pytest.raises(InputError, match="Not a text. Expected a string. Received"):
            LEARNT.encode(bad)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        LEARNT.encode_batch(["a", 5])  # type: ignore[list-item]


def test_a_megabyte_takes_milliseconds_and_only_its_beginning_counts() -> None:
    for codec in CODECS.values():
        long = "x" * 10 + " word" * 200_000
        began = time.perf_counter()
        encoded = codec.encode(long)
        assert time.perf_counter() - began < 0.5
        np.testing.assert_array_equal(encoded, codec.encode(long[: codec.max_chars]))
    assert max_chars_for(64) == 2048


def test_every_byte_is_known_to_a_learnt_vocabulary() -> None:
    tokenizer = Tokenizer.from_str(LEARNT.tokenizer_json)
    for text in ("東京 🙂 Ωмега", "\x00\x01", "zzqx"):
        assert tokenizer.decode(tokenizer.encode(text).ids).strip() == text.lower()
    assert LEARNT.encode("THE  Cat").tolist() == LEARNT.encode("the cat").tolist()


def test_saved_and_loaded() -> None:
    for codec in CODECS.values():
        saved = json.loads(json.dumps(codec.to_json()))
        again = load_codec(saved)
        assert again == codec and again.encode("a b").tolist() == codec.encode("a b").tolist()
        assert codec.describe() == {"limits": {"max_tokens": codec.max_tokens, "max_chars": 400}}
    assert "tokenizer_json" not in repr(LEARNT)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"max_tokens": 3}, "max_tokens is wrong. Expected an integer from 4 to 512. Received: 3"),
        ({"max_tokens": True}, "max_tokens is wrong"),
        ({"max_chars": 0}, "max_chars is wrong"),
        ({"tokenizer": ""}, "tokenizer is wrong. Expected a name"),
        ({"tokenizer_json": "{"}, "tokenizer cannot be read"),
        ({"tokenizer_json": None}, "tokenizer cannot be read"),
        ({"kind": "image"}, "does not describe the codec of text"),
        ({"extra": 1}, "does not describe the codec of text"),
    ],
)
def test_damaged_codecs_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(BundleError, match=words):
        TextCodec.from_json({**LEARNT.to_json(), **change})


def test_a_tokenizer_that_leaves_an_empty_text_empty_is_refused() -> None:
    saved = json.loads(LEARNT.tokenizer_json)
    with pytest.raises(BundleError, match="at least one token in every text"):
        replace(LEARNT, tokenizer_json=json.dumps({**saved, "post_processor": None}))
