"""The encoder of BERT (Devlin et al. 2019) in stock layers, in two halves that can be cut between any two blocks.

The states of a text travel as `<float32>[batch, tokens, width + 1]` where they leave a half: the last column is 1 for a
token and 0 for padding. Inside, padding is masked, so more of it changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np

FAR = -1e9
"""Added to the attention that padding would get; its exponential is 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bert:
    """The sizes of one trained network."""

    vocabulary: int
    max_tokens: int
    width: int
    hidden: int
    """Units of a block's feed-forward layer."""
    num_blocks: int
    num_heads: int


def embed(bert: Bert, ids: keras.KerasTensor) -> keras.KerasTensor:
    """Tokens and their positions, `<int32>[batch, tokens]` to `<float32>[batch, tokens, width]`."""
    # counted by adding ones up, since the length is only known when the network runs
    places = keras.ops.cumsum(keras.ops.ones_like(ids), axis=1) - 1
    tokens = keras.layers.Embedding(bert.vocabulary, bert.width, embeddings_initializer="zeros", name="tokens")(ids)
    positions = keras.layers.Embedding(bert.max_tokens, bert.width, embeddings_initializer="zeros", name="positions")(
        places
    )
    return _norm("embedding_norm")(keras.layers.Add(name="tokens_and_positions")([tokens, positions]))


def mask_of(ids: keras.KerasTensor) -> keras.KerasTensor:
    """`<float32>[batch, tokens, 1]`: 1 for a token, 0 for padding."""
    return keras.ops.expand_dims(keras.ops.cast(ids > 0, "float32"), -1)


def with_mask(tokens: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
    """States as they leave a half: `<float32>[batch, tokens, width + 1]`, zeros for padding."""
    return keras.layers.Concatenate(name="states_and_mask")([tokens * mask, mask])


def mean(tokens: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
    """The average over a text's tokens, `<float32>[batch, width]`."""
    return keras.ops.sum(tokens * mask, axis=1) / keras.ops.maximum(keras.ops.sum(mask, axis=1), 1.0)


def block(
    bert: Bert, number: int, tokens: keras.KerasTensor, mask: keras.KerasTensor, dropout_rate: float = 0.0
) -> keras.KerasTensor:
    """One block: attention, then two dense layers, each added to what came in and normalised after that.

    Args:
        bert: The sizes.
        number: Counted from 0; part of the layers' names.
        tokens: `<float32>[batch, tokens, width]`.
        mask: From `mask_of`.
        dropout_rate: Of what is added; for training.
    """
    name = f"block_{number}"
    x = _attention(bert, name, tokens, mask)
    x = keras.layers.Dense(bert.width, name=f"{name}_attention_output")(x)
    tokens = _norm(f"{name}_attention_norm")(_dropped(x, dropout_rate) + tokens)
    x = keras.layers.Dense(bert.hidden, name=f"{name}_hidden")(tokens)
    # exact GELU; Keras' own is exported as an operation that ONNX Runtime does not have
    x = 0.5 * x * (1.0 + keras.ops.erf(x / math.sqrt(2.0)))
    x = keras.layers.Dense(bert.width, name=f"{name}_output")(x)
    return _norm(f"{name}_output_norm")(_dropped(x, dropout_rate) + tokens)


def _attention(bert: Bert, name: str, tokens: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
    """Scaled dot-product attention, written as products of matrices: the fastest that is exported."""
    size = bert.width // bert.num_heads

    def heads(part: str, axes: tuple[int, ...]) -> keras.KerasTensor:
        x = keras.layers.Dense(bert.width, name=f"{name}_{part}")(tokens)
        return keras.layers.Permute(axes)(keras.layers.Reshape((-1, bert.num_heads, size))(x))

    query, value = heads("query", (2, 1, 3)), heads("value", (2, 1, 3))
    scores = keras.ops.matmul(query * (1.0 / math.sqrt(size)), heads("key", (2, 3, 1)))
    # [batch, tokens, 1] -> [batch, 1, 1, tokens]: what is looked at, not who looks
    scores = scores + keras.layers.Permute((1, 3, 2))(keras.ops.expand_dims((1.0 - mask) * FAR, 1))
    mixed = keras.ops.matmul(keras.ops.softmax(scores, axis=-1), value)
    return keras.layers.Reshape((-1, bert.width))(keras.layers.Permute((2, 1, 3))(mixed))


def _norm(name: str) -> keras.layers.Layer:
    return keras.layers.LayerNormalization(epsilon=1e-12, name=name)


def _dropped(x: keras.KerasTensor, rate: float) -> keras.KerasTensor:
    return keras.layers.Dropout(rate)(x) if rate else x


def set_weights(network: keras.Model, tensors: Mapping[str, np.ndarray]) -> None:
    """Gives the network's layers their weights.

    Args:
        network: Made of `embed` and `block`.
        tensors: By the names that the authors of BERT gave them, in PyTorch's order of axes.

    Raises:
        KeyError: A tensor is missing.
        ValueError: A tensor has another shape.
    """
    for layer in network.layers:
        if layer.weights:
            layer.set_weights(_weights(layer.name, tensors))


def _weights(name: str, tensors: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    if name == "tokens":
        return [tensors["embeddings.word_embeddings.weight"]]
    if name == "positions":  # every token of a single text is of type 0, whose vector is the same for all
        types = tensors["embeddings.token_type_embeddings.weight"]
        return [tensors["embeddings.position_embeddings.weight"] + types[:1]]
    if name == "embedding_norm":
        return [tensors["embeddings.LayerNorm.weight"], tensors["embeddings.LayerNorm.bias"]]
    _, number, part = name.split("_", 2)
    stem = f"encoder.layer.{number}.{PARTS[part]}"
    weight, bias = tensors[f"{stem}.weight"], tensors[f"{stem}.bias"]
    return [weight.T if weight.ndim == 2 else weight, bias]


PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "hidden": "intermediate.dense",
    "output": "output.dense",
    "output_norm": "output.LayerNorm",
}
"""Where a block's layers are found among the tensors."""
