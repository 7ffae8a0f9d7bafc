"""Arrays as somebody who knows Keras would make them before a search. Runs in the peers' environments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

VOCABULARY = 20_000
TOKENS = 64
VALIDATION_SHARE = 0.2

Inputs = np.ndarray | dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Arrays:
    """Inputs for training and testing, and what a network must know of them."""

    train: Inputs
    test: Inputs
    targets: np.ndarray
    num_classes: int
    facts: dict[str, Any]
    """Of the kind: the size of the vocabulary, or of the categories."""

    def rows(self, which: np.ndarray) -> Inputs:
        """Training inputs at these positions."""
        if isinstance(self.train, dict):
            return {name: values[which] for name, values in self.train.items()}
        return self.train[which]


def make_arrays(
    kind: str, train: dict[str, np.ndarray], test: dict[str, np.ndarray], num_classes: int, facts: dict[str, Any]
) -> Arrays:
    """Tokens for texts, standardised numbers and codes for tables and series; images stay as they are."""
    inputs, asked, found = MAKERS[kind](train, test)
    return Arrays(train=inputs, test=asked, targets=train["targets"], num_classes=num_classes, facts={**facts, **found})


def split(targets: np.ndarray, seed: int, share: float = VALIDATION_SHARE) -> tuple[np.ndarray, np.ndarray]:
    """Positions for training and validation, by class."""
    rng = np.random.default_rng(seed)
    validation: list[int] = []
    for label in np.unique(targets):
        rows = rng.permutation(np.flatnonzero(targets == label))
        validation += rows[: round(len(rows) * share)].tolist()
    chosen = np.isin(np.arange(len(targets)), validation)
    return rng.permutation(np.flatnonzero(~chosen)), np.flatnonzero(chosen)


def _images(train: dict[str, np.ndarray], test: dict[str, np.ndarray]) -> tuple[Inputs, Inputs, dict[str, Any]]:
    return train["images"], test["images"], {}


def _texts(train: dict[str, np.ndarray], test: dict[str, np.ndarray]) -> tuple[Inputs, Inputs, dict[str, Any]]:
    import keras

    layer = keras.layers.TextVectorization(max_tokens=VOCABULARY, output_sequence_length=TOKENS)
    layer.adapt(train["texts"])
    tokens = [np.asarray(layer(part["texts"]), np.int32) for part in (train, test)]
    return tokens[0], tokens[1], {"vocabulary": layer.vocabulary_size()}


def padded_series(train: dict[str, np.ndarray], test: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """`<float32>[examples, steps, channels]` of equal length, each channel standardised, zeros behind the end."""
    there = [np.arange(part["series"].shape[1]) < part["lengths"][:, None] for part in (train, test)]
    values = train["series"][there[0]]
    mean, deviation = values.mean(axis=0), values.std(axis=0) + 1e-6
    steps = max(part["series"].shape[1] for part in (train, test))
    made = []
    for part, mask in zip((train, test), there, strict=True):
        standard = np.where(mask[..., None], (part["series"] - mean) / deviation, 0.0).astype(np.float32)
        made.append(np.pad(standard, ((0, 0), (0, steps - standard.shape[1]), (0, 0))))
    return made[0], made[1]


def _series(train: dict[str, np.ndarray], test: dict[str, np.ndarray]) -> tuple[Inputs, Inputs, dict[str, Any]]:
    return *padded_series(train, test), {}


def _tables(train: dict[str, np.ndarray], test: dict[str, np.ndarray]) -> tuple[Inputs, Inputs, dict[str, Any]]:
    mean, deviation = train["numbers"].mean(axis=0), train["numbers"].std(axis=0) + 1e-6
    known = [np.unique(column) for column in train["categories"].T]
    starts = np.cumsum([0, *(len(names) + 1 for names in known)])

    def make(part: dict[str, np.ndarray]) -> Inputs:
        codes = []
        for names, start, column in zip(known, starts[:-1], part["categories"].T, strict=True):
            at = np.searchsorted(names, column).clip(max=len(names) - 1)
            codes.append(start + np.where(names[at] == column, at + 1, 0))  # 0: a category not seen before
        numbers = ((part["numbers"] - mean) / deviation).astype(np.float32)
        return {"numbers": numbers, "codes": np.stack(codes, axis=1).astype(np.int32)}

    return make(train), make(test), {"num_codes": int(starts[-1])}


MAKERS = {"image": _images, "text": _texts, "series": _series, "table": _tables}
