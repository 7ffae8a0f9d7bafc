"""From tokens to the numbers of their n-grams, in integers that no backend rounds or wraps.

TensorFlow, JAX and ONNX Runtime differ in what an int32 does that overflows. Here none does: every product stays below
2**31, so that the same text has the same n-grams wherever the network runs.
"""

from __future__ import annotations

import keras
from keras import ops

MODULUS = 2**17 - 1
"""A prime: multiplying and adding modulo it mixes tokens as a random function would (Carter & Wegman 1979)."""
MULTIPLIER = 11_939
"""A prime far from powers of two: pairs of words in real texts share a bucket no more often than by chance. 16,381, the
largest that cannot overflow, is near 2**14, and lets neighbours in the vocabulary meet 8 to 35 times as often."""
MOST_BUCKETS = 2**16
"""With more, some buckets would get far fewer n-grams than others: the hash has 131,071 values."""


def ngram_ids(tokens: keras.KerasTensor, vocabulary: int, longest: int, buckets: int) -> keras.KerasTensor:
    """The numbers of a text's n-grams: each token, then each pair of neighbours, each three, up to `longest`.

    A token keeps its own number. An n-gram of two or more gets one of `buckets` numbers after those, by its hash
    (Weinberger et al. 2009; Joulin et al. 2017, section 2.1): which n-grams share one is a matter of chance.

    Args:
        tokens: `<int32>[batch, steps]`: from 0, which is padding and stands at the end, to `vocabulary - 1`.
        vocabulary: Number of tokens.
        longest: Tokens of the longest n-gram, at least 1.
        buckets: Numbers for the n-grams of two tokens and more, at most `MOST_BUCKETS`.

    Returns:
        `<int32>[batch, longest * steps]`: 0 where an n-gram would reach into the padding or before the text.

    Raises:
        ValueError: `longest` or `buckets` is out of range.
    """
    if longest < 1 or not 1 <= buckets <= MOST_BUCKETS:
        raise ValueError(
            f"Expected n-grams of 1 token or more and 1 to {MOST_BUCKETS} buckets. Received: {longest} and {buckets}."
        )
    hashed, parts = ops.mod(tokens, MODULUS), [tokens]
    for back in range(1, longest):
        earlier = ops.pad(tokens, [[0, 0], [back, 0]])[:, :-back]
        hashed = ops.mod(ops.add(ops.multiply(hashed, MULTIPLIER), ops.mod(earlier, MODULUS)), MODULUS)
        is_whole = ops.cast(ops.logical_and(ops.greater(tokens, 0), ops.greater(earlier, 0)), "int32")
        parts.append(ops.multiply(is_whole, ops.add(ops.mod(hashed, buckets), vocabulary)))
    return ops.concatenate(parts, axis=1) if len(parts) > 1 else tokens
