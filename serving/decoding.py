"""From a network's numbers to the answer that a person reads. One function per task, with numpy alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from records.api import AnyPrediction, ClassProbability, ForecastPrediction, NumberPrediction, Prediction
from records.bundle import Manifest
from records.errors import BundleError
from records.task import MOST_LIKELY, Decision


@dataclass(frozen=True, kw_only=True, slots=True)
class Answering:
    """What a network's numbers mean."""

    labels: tuple[str, ...] = ()
    """Class names; the position is the class index."""
    decision: Decision = MOST_LIKELY
    quantiles: tuple[float, ...] = ()
    """Forecasting: of the last axis, rising."""


def answering(manifest: Manifest) -> Answering:
    """As the bundle says it."""
    return Answering(labels=manifest.labels, decision=manifest.decision, quantiles=manifest.quantiles)


Decoding = Callable[[np.ndarray, Answering, int | None, Sequence[Sequence[str]]], list[AnyPrediction]]
"""`(outputs, answering, top_k, times) -> predictions`. `top_k` is for classes, `times` for forecasts alone."""


def decide(probabilities: np.ndarray, decision: Decision) -> np.ndarray:
    """The class that is answered for each example: `<int64>[examples]`. Of equally good ones, the earlier.

    Args:
        probabilities: `<float>[examples, classes]`.
        decision: A threshold answers the second of two classes from that probability on, exactly; costs answer the
            class whose expected cost is least; with neither, the most likely class is answered.
    """
    if decision.threshold is not None:
        return (probabilities[:, 1].astype(np.float64) >= decision.threshold).astype(np.int64)
    if decision.costs is not None:
        return (probabilities.astype(np.float64) @ np.array(decision.costs, np.float64)).argmin(axis=1)
    return probabilities.argmax(axis=1)


def classification(
    outputs: np.ndarray, answering: Answering, top_k: int | None = None, times: Sequence[Sequence[str]] = ()
) -> list[AnyPrediction]:
    """The answered class of each example, and its most likely ones. Of equally likely ones, the earlier comes first.

    Args:
        outputs: Probabilities, `<float32>[batch, classes]`.
        answering: Labels and decision.
        top_k: How many classes to list; `None` or more than there are: all.

    Raises:
        BundleError: The network gave another number of classes, or values that are not finite.
    """
    labels = answering.labels
    _check(outputs, "labels", ("batch", len(labels)))
    _check_decision(answering)
    # Seven digits are all that a float32 holds; a softmax may pass 1 by its last one.
    shown = np.clip(outputs.astype(np.float64), 0.0, 1.0).round(7)
    order = np.argsort(-outputs, axis=1, kind="stable")[:, :top_k].tolist()
    predictions: list[AnyPrediction] = []
    for row, best, answered in zip(shown.tolist(), order, decide(outputs, answering.decision).tolist(), strict=True):
        classes = [ClassProbability(label=labels[index], probability=row[index]) for index in best]
        predictions.append(Prediction(label=labels[answered], probability=row[answered], classes=classes))
    return predictions


def regression(
    outputs: np.ndarray, answering: Answering, top_k: int | None = None, times: Sequence[Sequence[str]] = ()
) -> list[AnyPrediction]:
    """The number for each example, in the target's unit.

    Args:
        outputs: `<float32>[batch, 1]`.

    Raises:
        BundleError: The network gave more than one number for an example, or one that is not finite.
    """
    _check(outputs, "target", ("batch", 1))
    return [NumberPrediction(value=value) for value in shortest(outputs[:, 0])]


def forecasting(
    outputs: np.ndarray, answering: Answering, top_k: int | None = None, times: Sequence[Sequence[str]] = ()
) -> list[AnyPrediction]:
    """The future of each series. Quantiles are put in their order where they cross.

    Args:
        outputs: `<float32>[batch, horizon, quantiles]`.
        answering: The quantiles, 0.5 among them.
        times: What each step is called; empty: by its number, from 1.

    Raises:
        BundleError: The network gave other quantiles, or values that are not finite.
    """
    _check(outputs, "quantiles", ("batch", "horizon", len(answering.quantiles)))
    names = [quantile_name(quantile) for quantile in answering.quantiles]
    if "0.5" not in names:
        raise BundleError(f"The model gives no median. Its quantiles: {', '.join(names)}. Package the model again.")
    ordered = np.sort(outputs, axis=2)
    predictions: list[AnyPrediction] = []
    for index, values in enumerate(ordered):
        quantiles = {name: shortest(values[:, position]) for position, name in enumerate(names)}
        steps = list(times[index]) if len(times) else [str(step + 1) for step in range(len(values))]
        predictions.append(ForecastPrediction(times=steps, values=quantiles["0.5"], quantiles=quantiles))
    return predictions


def quantile_name(quantile: float) -> str:
    """As it stands in answers and column titles: "0.1"."""
    return f"{quantile:g}"


def shortest(values: np.ndarray) -> list[float]:
    """`<float32>[n]` as the shortest decimal numbers that mean the same: 0.1 and not 0.10000000149011612."""
    return [float(text) for text in values.astype(np.float32).astype("U")]


def _check(outputs: np.ndarray, what: str, expected: tuple[str | int, ...]) -> None:
    fits = outputs.ndim == len(expected) and all(
        isinstance(size, str) or size == given for size, given in zip(expected, outputs.shape, strict=True)
    )
    if not fits:
        raise BundleError(
            f"The network does not fit its {what}. Expected [{', '.join(map(str, expected))}] numbers. "
            f"Received: {list(outputs.shape)}. Package the model again."
        )
    if not np.isfinite(outputs).all():
        raise BundleError("The network gave values that are not finite numbers for this input.")


def _check_decision(answering: Answering) -> None:
    size, decision = len(answering.labels), answering.decision
    if decision.threshold is not None and size != 2:
        raise BundleError(f"The model's threshold is for 2 classes, it has {size}. Package the model again.")
    if decision.costs is not None and [len(row) for row in decision.costs] != [size] * size:
        raise BundleError(f"The model's costs are not for its {size} classes. Package the model again.")


DECODINGS: dict[str, Decoding] = {f.__name__: f for f in (classification, regression, forecasting)}
