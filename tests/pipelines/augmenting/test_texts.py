"""Texts without some of their tokens."""

import numpy as np

from pipelines.augmenting.texts import drop_tokens


def test_tokens_are_left_out_and_the_rest_moves_together() -> None:
    tokens = np.zeros((300, 12), np.int32)
    for i, length in enumerate(np.random.default_rng(0).integers(0, 13, 300)):
        tokens[i, :length] = np.arange(1, length + 1)
    before = tokens.copy()
    given = drop_tokens(tokens, 0.3, np.random.default_rng(1))
    np.testing.assert_array_equal(tokens, before)
    assert given.dtype == np.int32 and given.shape == tokens.shape
    for new, old in zip(given, tokens, strict=True):
        left = new[new > 0]
        assert (np.diff(left) > 0).all() and set(left) <= set(old)  # in their order
        assert not new[len(left) :].any()  # zeros stand at the end only
        assert len(left) > 0 or not old.any()
    assert 0.65 < (given > 0).sum() / (tokens > 0).sum() < 0.75


def test_a_text_of_one_token_keeps_it() -> None:
    tokens = np.zeros((40, 5), np.int32)
    tokens[:, 0] = 9
    np.testing.assert_array_equal(drop_tokens(tokens, 0.99, np.random.default_rng(0)), tokens)
