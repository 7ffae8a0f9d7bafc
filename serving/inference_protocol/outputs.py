"""From what the network gives to the tensors of a reply. One function for each kind of target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from records.errors import BundleError, InputError
from serving.bundle import ModelBundle
from serving.decoding import decide
from serving.inference_protocol.asking import Wanted
from serving.inference_protocol.tensors import Tensor, objects
from serving.parsing.parameters import Options, short


@dataclass(frozen=True, slots=True)
class Outcome:
    """What there is to make outputs of."""

    bundle: ModelBundle
    predictions: np.ndarray
    """Of the network: `<float32>[batch, ...]`."""
    embeddings: np.ndarray
    """Of the network: `<float32>[batch, ...]`."""
    options: Options
    """`abstain_below` alone is heeded."""


Make = Callable[[Outcome], np.ndarray]
"""`(outcome) -> values`."""


def labels(outcome: Outcome) -> np.ndarray:
    """`<object>[batch]`: the answers, as UTF-8; empty where the model abstains."""
    answering, least = outcome.bundle.answering, outcome.options.abstain_below
    answered = decide(outcome.predictions, answering.decision)
    names = [answering.labels[index].encode() for index in answered.tolist()]
    if least:
        rows = np.arange(len(answered))
        sure = outcome.predictions[rows, answered].astype(np.float64).round(7) >= least  # rounded as `/predict` does
        names = [name if kept else b"" for name, kept in zip(names, sure.tolist(), strict=True)]
    return objects(names)


def probabilities(outcome: Outcome) -> np.ndarray:
    """`<float32>[batch, classes]`, in the order of the labels."""
    return np.minimum(outcome.predictions, 1.0)  # a softmax may pass 1 by its last digit


def numbers(outcome: Outcome) -> np.ndarray:
    """`<float32>[batch]`, in the target's unit."""
    return outcome.predictions[:, 0]


def quantiles(outcome: Outcome) -> np.ndarray:
    """`<float32>[batch, horizon, quantiles]`, put in their order where they cross."""
    return np.sort(outcome.predictions, axis=2)


def embedding(outcome: Outcome) -> np.ndarray:
    """`<float32>[batch, features]`: what the network makes of each input before its last layer."""
    return outcome.embeddings.reshape(len(outcome.embeddings), -1)


def out_of_distribution(outcome: Outcome) -> np.ndarray:
    """`<bool>[batch]`: whether each input is unlike those that the model was made with."""
    strangers = outcome.bundle.honesty.strangers
    assert strangers is not None  # else the output is not known
    return strangers.find(outcome.embeddings)


OUTPUTS: dict[str, dict[str, tuple[str, Make]]] = {
    "classification": {"label": ("BYTES", labels), "probabilities": ("FP32", probabilities)},
    "regression": {"value": ("FP32", numbers)},
    "forecasting": {"quantiles": ("FP32", quantiles)},
}
"""By task, in the order of a reply: datatype and values."""
FURTHER: dict[str, tuple[str, Make]] = {
    "embedding": ("FP32", embedding),
    "out_of_distribution": ("BOOL", out_of_distribution),
}
"""Given only if asked for."""


def further(bundle: ModelBundle) -> tuple[str, ...]:
    """Those of `FURTHER` that the model has."""
    return tuple(FURTHER) if bundle.honesty.strangers is not None else ("embedding",)


def check_wanted(bundle: ModelBundle, wanted: tuple[Wanted, ...]) -> None:
    """Whether the model has the outputs that are asked for.

    Raises:
        InputError: It has no such one (422).
    """
    known = (*OUTPUTS[bundle.manifest.task], *further(bundle))
    for one in wanted:
        if one.name not in known:
            raise InputError(
                f"The model has no output {short(one.name)!r}. Expected {', '.join(known[:-1])} or {known[-1]}."
            )


def make(outcome: Outcome, wanted: tuple[Wanted, ...], binary: bool) -> list[tuple[Tensor, bool]]:
    """The outputs that are wanted, and whether each goes back in binary.

    Args:
        outcome: Of the network.
        wanted: They passed `check_wanted`; none: the usual ones.
        binary: For the usual ones.

    Raises:
        BundleError: The network gave numbers that are not finite.
    """
    table = OUTPUTS[outcome.bundle.manifest.task]
    if not np.isfinite(outcome.predictions).all():
        raise BundleError("The network gave values that are not finite numbers for this input.")
    made = []
    for one in wanted or tuple(Wanted(name, binary) for name in table):
        datatype, values = table.get(one.name) or FURTHER[one.name]
        made.append((Tensor(one.name, datatype, values(outcome)), one.binary))
    return made
