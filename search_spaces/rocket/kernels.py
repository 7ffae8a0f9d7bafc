"""Random kernels for series: those of ROCKET and of MiniRocket, drawn without seeing any data. numpy alone."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

MOST_DILATIONS = 8
"""Each is a layer of the network. The papers draw up to 32 of them; neighbours of a finer grid see almost the same."""
LENGTH = 9
"""Of MiniRocket's kernels."""
LENGTHS = (7, 9, 11)
"""Of ROCKET's kernels."""
MOST_CHANNELS = 9
"""That a MiniRocket kernel sees at most."""
LIKENESS = 0.9
"""Assumed correlation of a step with the next: series are smooth, and on noise alone most biases would lie where no
answer of a kernel ever comes."""
GOLDEN_RATIO = (math.sqrt(5) + 1) / 2


@dataclass(frozen=True, kw_only=True)
class Bank:
    """Kernels that share a dilation: one convolution.

    Weights and biases are divided by the standard deviation that the kernel's answer has on a smooth series of variance
    1, so that all answers are of one size.
    """

    dilation: int
    weights: np.ndarray
    """`<float32>[length, channels, kernels]`; shorter kernels lie in the middle, with zeros around them."""
    biases: np.ndarray
    """`<float32>[kernels, biases]`: what is added to an answer before it is asked whether it is positive."""
    reach: np.ndarray
    """`<int32>[kernels]`: the steps to each side that a kernel must find in the series, before dilation; 0: it is also
    asked where it reaches beyond an end, which counts as 0 there ("padding")."""
    num_relative: int = 0
    """The last so many biases are added to the answer in units of its own root mean square over the series."""
    with_max: bool = False
    """Whether the largest answer is a feature too."""

    @property
    def num_features(self) -> int:
        return self.biases.size + (self.biases.shape[0] if self.with_max else 0)


def rocket(num_features: int, num_steps: int, num_channels: int, seed: int) -> list[Bank]:
    """Dempster et al. 2020, section 3.1: kernels of 7, 9 or 11 normal weights with mean 0, one bias each in [-1, 1],
    dilations that are uniform in their logarithm, half of them padded. Each gives two features.

    Unlike the paper's, a dilation is rounded down to one of at most `MOST_DILATIONS`.

    Args:
        num_features: Two for each kernel.
        num_steps: Of the longest series.
        num_channels: A kernel sees a random part of them, as in the authors' code for several channels.
        seed: Equal seeds, equal kernels.
    """
    rng = np.random.RandomState(seed)  # its numbers stay the same in every version of numpy, a Generator's do not
    grid = np.unique(_exponents(num_steps, LENGTH))
    drawn: dict[int, list[tuple[np.ndarray, float, int]]] = {}
    for _ in range(num_features // 2):
        length = int(rng.choice(LENGTHS))
        weights = rng.normal(size=(length, num_channels))
        weights *= _channels(rng, num_channels, min(num_channels, length))
        weights -= weights.mean(axis=0)
        bias, is_padded = rng.uniform(-1, 1), rng.randint(2) == 1
        dilation = int(2 ** rng.uniform(0, math.log2(max(1.0, (num_steps - 1) / (length - 1)))))
        dilation = int(grid[grid <= max(dilation, 1)].max())
        around = (max(LENGTHS) - length) // 2
        kernel = np.pad(weights, ((around, around), (0, 0)))
        drawn.setdefault(dilation, []).append((kernel, bias, 0 if is_padded else length // 2))
    banks = []
    for dilation, kernels in sorted(drawn.items()):
        weights = np.stack([kernel for kernel, _, _ in kernels], axis=-1)
        size = deviations(weights, dilation)
        bank = Bank(
            dilation=dilation,
            weights=(weights / size).astype(np.float32),
            biases=(np.array([[bias] for _, bias, _ in kernels]) / size[:, None]).astype(np.float32),
            reach=np.array([reach for _, _, reach in kernels], np.int32),
            with_max=True,
        )
        banks.append(bank)
    return banks


def minirocket(num_features: int, num_steps: int, num_channels: int, seed: int) -> list[Bank]:
    """Dempster et al. 2021, section 3: all 84 kernels of length 9 with three weights of 2 and six of -1, a fixed set of
    dilations, every other kernel padded, and for each kernel and dilation several biases.

    The paper takes the biases from quantiles of a kernel's answers to a training series. Here nothing is seen of the
    data: they are the same quantiles of a normal distribution, one half with the deviation that the kernel's answers
    have on a smooth series of variance 1, the other with that of its answers to the series at hand.

    Args:
        num_features: Rounded down to a multiple of 84.
        num_steps: Of the longest series.
        num_channels: A kernel sees a random part of them, at most nine, as in the authors' code for several channels.
        seed: Equal seeds, equal kernels.
    """
    rng = np.random.RandomState(seed)
    ones = [np.isin(np.arange(LENGTH), places) for places in itertools.combinations(range(LENGTH), 3)]
    patterns = np.where(np.stack(ones, axis=-1), 2.0, -1.0)
    num_kernels = patterns.shape[1]
    dilations, counts = np.unique(_exponents(num_steps, LENGTH), return_counts=True)
    ends = np.round(np.cumsum(counts) / counts.sum() * max(1, num_features // num_kernels)).astype(int)
    banks: list[Bank] = []
    asked = 0
    for i, (dilation, num_biases) in enumerate(zip(dilations, np.diff(ends, prepend=0), strict=True)):
        if num_biases == 0:
            continue
        seen = [_channels(rng, num_channels, min(num_channels, MOST_CHANNELS)) for _ in range(num_kernels)]
        weights = patterns[:, None, :] * np.stack(seen, axis=-1)
        # a sequence that fills the range from 0 to 1 evenly however long it is
        levels = (np.arange(asked + 1, asked + num_biases * num_kernels + 1) * GOLDEN_RATIO) % 1.0
        asked += levels.size
        biases = -np.array([NormalDist().inv_cdf(float(level)) for level in levels]).reshape(num_kernels, num_biases)
        is_padded = (np.arange(num_kernels) + i) % 2 == 0
        bank = Bank(
            dilation=int(dilation),
            weights=(weights / deviations(weights, int(dilation))).astype(np.float32),
            biases=biases.astype(np.float32),
            reach=np.where(is_padded, 0, LENGTH // 2).astype(np.int32),
            num_relative=int(num_biases) // 2,
        )
        banks.append(bank)
    return banks


def deviations(weights: np.ndarray, dilation: int) -> np.ndarray:
    """`<float64>[kernels]`: the standard deviation of each kernel's answer, where every channel has variance 1, a step
    is correlated by `LIKENESS` with the next, and channels are not correlated.

    Args:
        weights: `<float>[length, channels, kernels]`.
        dilation: Steps between two weights.
    """
    places = np.arange(len(weights)) * dilation
    covariance = LIKENESS ** np.abs(places[:, None] - places[None, :])
    return np.sqrt(np.maximum(np.einsum("ick,ij,jck->k", weights, covariance, weights), 1e-12))


def _exponents(num_steps: int, length: int) -> np.ndarray:
    """`<int64>[MOST_DILATIONS]`: dilations from 1 to the largest at which a kernel still fits; small ones repeat."""
    largest = math.log2(max(1.0, (num_steps - 1) / (length - 1)))
    return np.floor(2.0 ** np.linspace(0.0, largest, MOST_DILATIONS)).astype(np.int64)


def _channels(rng: np.random.RandomState, num_channels: int, most: int) -> np.ndarray:
    """`<float64>[channels]`: 1 for those that a kernel sees; small numbers of them are as likely as large ones."""
    count = min(most, int(2 ** rng.uniform(0, math.log2(most + 1))))
    seen = np.zeros(num_channels)
    seen[rng.choice(num_channels, count, replace=False)] = 1.0
    return seen
