"""N-grams get the same numbers from the network as from Python's integers, which have no size."""

from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from search_spaces.ngrams.hashing import MODULUS, MOST_BUCKETS, MULTIPLIER, ngram_ids

LARGEST_INT32 = 2**31 - 1


def reference(tokens: np.ndarray, vocabulary: int, longest: int, buckets: int) -> list[list[int]]:
    """The same in whole numbers of any size; what would overflow an int32 is refused."""
    rows = []
    for text in tokens.tolist():
        row = list(text)
        for length in range(2, longest + 1):
            for end in range(len(text)):
                ngram = text[max(0, end - length + 1) : end + 1]
                if len(ngram) < length or 0 in ngram:
                    row.append(0)
                    continue
                hashed = 0
                for token in reversed(ngram):
                    product = hashed * MULTIPLIER + token % MODULUS
                    assert product <= LARGEST_INT32
                    hashed = product % MODULUS
                row.append(vocabulary + hashed % buckets)
        rows.append(row)
    return rows


def texts(vocabulary: int, count: int = 40, steps: int = 9) -> np.ndarray:
    """Random texts of every length, the empty one and those with the largest token among them."""
    rng = np.random.default_rng(7)
    tokens = rng.integers(1, vocabulary, (count, steps))
    tokens[rng.random(tokens.shape) < 0.3] = vocabulary - 1
    tokens[np.arange(steps) >= (np.arange(count) % (steps + 1))[:, None]] = 0
    return tokens.astype(np.int32)


def network(vocabulary: int, longest: int, buckets: int) -> keras.Model:
    tokens = keras.Input((None,), dtype="int32")
    return keras.Model(tokens, ngram_ids(tokens, vocabulary, longest, buckets))


def test_no_product_can_overflow() -> None:
    assert (MODULUS - 1) * MULTIPLIER + MODULUS - 1 <= LARGEST_INT32


@pytest.mark.parametrize("vocabulary", [6, 30_522, MODULUS + 5, LARGEST_INT32 - MOST_BUCKETS])
@pytest.mark.parametrize(("longest", "buckets"), [(1, 8), (2, 8), (4, 2**14), (4, MOST_BUCKETS)])
def test_the_network_counts_like_python(vocabulary: int, longest: int, buckets: int) -> None:
    tokens = texts(vocabulary)
    found = np.asarray(network(vocabulary, longest, buckets)(tokens))
    assert found.dtype == np.int32
    assert found.tolist() == reference(tokens, vocabulary, longest, buckets)


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_the_exported_network_counts_like_python(steps: int, tmp_path: Path) -> None:
    """Also texts that are shorter than the longest n-gram."""
    model, tokens = network(30_522, 4, 2**14), texts(30_522, steps=steps)
    model(tokens)
    model.export(tmp_path / "ids.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "ids.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: tokens})
    assert found.tolist() == reference(tokens, 30_522, 4, 2**14)


@pytest.mark.parametrize("buckets", [2**13, 2**14, 2**16])
@pytest.mark.parametrize("near", [True, False])
def test_pairs_collide_no_more_than_by_chance(near: bool, buckets: int) -> None:
    """Neighbours in the vocabulary are what a poor hash throws together."""
    words = np.arange(2000, 2140) if near else np.random.default_rng(5).choice(30_522, 140, replace=False)
    pairs = np.stack(np.meshgrid(words, words), axis=-1).reshape(-1, 2).astype(np.int32)
    counts = np.bincount(np.asarray(network(30_522, 2, buckets)(pairs))[:, -1] - 30_522, minlength=buckets)
    assert len(counts) == buckets
    by_chance = len(pairs) * (len(pairs) - 1) / buckets
    assert (counts * (counts - 1)).sum() < 1.2 * by_chance


def test_order_counts() -> None:
    pairs = np.array([[5, 9], [9, 5]], np.int32)
    there, back = np.asarray(network(100, 2, 2**14)(pairs))[:, -1]
    assert there != back


@pytest.mark.parametrize(("longest", "buckets"), [(0, 8), (2, 0), (2, MOST_BUCKETS + 1)])
def test_what_cannot_be_hashed_is_refused(longest: int, buckets: int) -> None:
    with pytest.raises(ValueError, match=f"Received: {longest} and {buckets}"):
        network(10, longest, buckets)
