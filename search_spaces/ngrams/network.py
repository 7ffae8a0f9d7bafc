"""Vectors of n-grams, pooled over a text: the part that the spaces of n-grams share."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from search_spaces import sequences
from search_spaces.ngrams.hashing import ngram_ids

POOLINGS = ("mean_max", "mean", "attention")


def choices(hp: Any, name: str) -> dict[str, Any]:
    """Declares the hyperparameters of the n-grams and reads their values.

    Args:
        hp: KerasTuner's `HyperParameters`, or a `Replay`.
        name: Of the space, the first part of the names.
    """
    return {
        # a pair tells "not good" from "good"; longer ones are seldom seen twice in a few thousand texts
        "longest": hp.Choice(f"{name}/longest", [1, 2, 3, 4], default=2),
        # a step of AdamW touches every row, so more buckets cost time whatever the texts hold
        "buckets": hp.Choice(f"{name}/buckets", [2**13, 2**14, 2**15, 2**16], default=2**14),
        "width": hp.Choice(f"{name}/width", [16, 32, 64, 128], default=32),
        # the mean weighs all that is said, the maximum finds the one telling phrase (Shen et al. 2018)
        "pooling": hp.Choice(f"{name}/pooling", list(POOLINGS), default="mean_max"),
        # whole n-grams are dropped, so that no single one is relied upon (Iyyer et al. 2015)
        "ngram_dropout_rate": hp.Float(f"{name}/ngram_dropout_rate", 0.0, 0.6, default=0.3),
    }


def pooled_ngrams(tokens: keras.KerasTensor, vocabulary: int, values: dict[str, Any]) -> keras.KerasTensor:
    """One vector for each text, from the vectors of its n-grams; their order counts no further.

    Args:
        tokens: `<int32>[batch, steps]`, 0 after the last.
        vocabulary: Number of tokens, the 0 included.
        values: From `choices`.

    Returns:
        `<float32>[batch, width]`, twice as wide for "mean_max".

    Raises:
        ValueError: A value is unknown or out of range.
    """
    if values["pooling"] not in POOLINGS:
        raise ValueError(f"The pooling must be one of {', '.join(POOLINGS)}. Received: {values['pooling']!r}.")
    longest, buckets = values["longest"], values["buckets"]
    ids = ngram_ids(tokens, vocabulary, longest, buckets)
    rows = vocabulary + buckets * (longest > 1)
    x = keras.layers.Embedding(rows, values["width"], name="ngram_vectors")(ids)
    mask = ops.expand_dims(ops.cast(ops.greater(ids, 0), "float32"), -1)
    return sequences.pool(ops.multiply(x, mask), mask, values["pooling"])
