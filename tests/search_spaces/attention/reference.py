"""The transformer in numpy, written from the papers' equations one step and one head at a time, without Keras.

Weights are given by the names of the layers, as `weights_of` reads them out of a network.
"""

import math

import keras
import numpy as np

EPSILON = 1e-5

Weights = dict[str, list[np.ndarray]]


def weights_of(network: keras.Model) -> Weights:
    return {layer.name: [np.asarray(w, np.float64) for w in layer.weights] for layer in network.layers if layer.weights}


def dense(x: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    return x @ weights[0] + (weights[1] if len(weights) > 1 else 0.0)


def norm(x: np.ndarray, weights: list[np.ndarray], rms_norm: bool) -> np.ndarray:
    if rms_norm:  # Zhang & Sennrich 2019, equation 4
        return np.stack([row / math.sqrt((row**2).sum() / row.size + EPSILON) for row in x]) * weights[0]
    rows = [(row - row.mean()) / math.sqrt(((row - row.mean()) ** 2).mean() + EPSILON) for row in x]  # Ba 2016
    return np.stack(rows) * weights[0] + (weights[1] if len(weights) > 1 else 0.0)


def sinusoidal(steps: int, width: int) -> np.ndarray:
    """Vaswani 2017, section 3.5."""
    table = np.zeros((steps, width))
    for position in range(steps):
        for i in range(width // 2):
            angle = position / 10_000 ** (2 * i / width)
            table[position, 2 * i], table[position, 2 * i + 1] = math.sin(angle), math.cos(angle)
    return table


def rotated(vector: np.ndarray, position: int) -> np.ndarray:
    """Su 2021, equations 14 and 15, with the pairs (i, i + d/2): each is a complex number that is turned."""
    half = len(vector) // 2
    turned = np.zeros_like(vector)
    for i in range(half):
        angle = position * 10_000 ** (-2 * i / len(vector))
        number = complex(vector[i], vector[i + half]) * complex(math.cos(angle), math.sin(angle))
        turned[i], turned[i + half] = number.real, number.imag
    return turned


def attention(
    x: np.ndarray,
    seen: np.ndarray,
    weights: Weights,
    name: str,
    *,
    num_heads: int,
    num_key_value_heads: int,
    rotary_embedding: bool = False,
    causal: bool = False,
) -> np.ndarray:
    """Of one example `[steps, width]`; `seen` `[steps]` is 0 for padding. Vaswani 2017, equation 1; Ainslie 2023."""
    steps, width = x.shape
    size = width // num_heads
    q, k, v = (dense(x, weights[f"{name}_{part}"]).reshape(steps, -1, size) for part in ("query", "key", "value"))
    assert q.shape[1] == num_heads and k.shape[1] == v.shape[1] == num_key_value_heads
    out = np.zeros((steps, num_heads, size))
    for head in range(num_heads):
        group = head // (num_heads // num_key_value_heads)
        for i in range(steps):
            allowed = [j for j in range(steps) if seen[j] and (j <= i or not causal)]
            if not allowed:
                continue
            query = rotated(q[i, head], i) if rotary_embedding else q[i, head]
            keys = [rotated(k[j, group], j) if rotary_embedding else k[j, group] for j in allowed]
            likeness = np.exp([query @ key / math.sqrt(size) for key in keys])
            out[i, head] = sum(p * v[j, group] for p, j in zip(likeness / likeness.sum(), allowed, strict=True))
    return dense(out.reshape(steps, width), weights[f"{name}_output"])


def feed_forward(x: np.ndarray, weights: Weights, name: str, activation: str) -> np.ndarray:
    hidden = dense(x, weights[f"{name}_hidden"])
    if activation == "relu":  # Vaswani 2017, equation 2
        hidden = np.maximum(hidden, 0.0)
    elif activation == "gelu":  # Hendrycks 2016: x times the normal distribution function
        hidden = hidden * np.vectorize(lambda z: 0.5 * math.erfc(-z / math.sqrt(2)))(hidden)
    else:  # Shazeer 2020, equation 6: (Swish(x W) * x V) W2
        gate = dense(x, weights[f"{name}_gate"])
        hidden = gate / (1 + np.exp(-gate)) * hidden
    return dense(hidden, weights[f"{name}_output"])


def encode(
    x: np.ndarray,
    seen: np.ndarray,
    weights: Weights,
    *,
    num_blocks: int,
    pre_norm: bool,
    rms_norm: bool,
    positions: str,
    activation: str,
    num_heads: int,
    num_key_value_heads: int,
    causal: bool,
) -> np.ndarray:
    """Of one example; Xiong 2020, table 1, gives the order of norms and sums."""
    if positions == "sinusoidal":
        x = x + 0.1 * sinusoidal(*x.shape)
    if positions == "learnt":
        x = x + weights["positions"][0][np.minimum(np.arange(len(x)), len(weights["positions"][0]) - 1)]
    x = x * seen[:, None]
    for i in range(num_blocks):
        for part in ("attention", "feed_forward"):
            name = f"block_{i}_{part}"
            y = norm(x, weights[f"{name}_norm"], rms_norm) if pre_norm else x
            if part == "attention":
                y = attention(
                    y,
                    seen,
                    weights,
                    name,
                    num_heads=num_heads,
                    num_key_value_heads=num_key_value_heads,
                    rotary_embedding=positions == "rotary",
                    causal=causal,
                )
            else:
                y = feed_forward(y, weights, name, activation)
            x = x + y
            x = x if pre_norm else norm(x, weights[f"{name}_norm"], rms_norm)
    return norm(x, weights["last_norm"], rms_norm) if pre_norm else x
