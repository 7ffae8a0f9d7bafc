"""How sure an answer is: its set or interval, whether it is left out, and whether its input is a strange one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from records.api import AnyPrediction, ForecastPrediction, NumberPrediction, Prediction
from records.bundle import Manifest
from records.errors import InputError
from serving.decoding import shortest
from serving.honesty.conformal import INTERVALS, Scores, inside, load_scores
from serving.honesty.strangers import Strangers, load_strangers
from serving.parsing.parameters import PLAIN, Options


@dataclass(frozen=True, kw_only=True)
class Honesty:
    """What a bundle knows of how sure its answers are."""

    task: str
    labels: tuple[str, ...]
    scores: Scores | None = None
    """`None`: an old bundle, or too few examples."""
    strangers: Strangers | None = None
    """`None`: its embeddings do not tell."""

    @property
    def max_coverage(self) -> float | None:
        """The largest that can be asked for; `None`: none can."""
        return None if self.scores is None else self.scores.max_coverage

    def check(self, options: Options) -> None:
        """Whether the model can answer so.

        Raises:
            InputError: It gives no probabilities, or cannot promise such a coverage (422).
        """
        if options.abstain_below is not None and not self.labels:
            raise InputError("`abstain_below` is for classes. This model answers with numbers: leave it out.")
        if options.coverage is None:
            return
        if self.scores is None:
            raise InputError(
                "This model cannot promise a coverage: its bundle holds no scores to find sets or intervals by "
                "(conformal.npz). Leave `coverage` out, or make the model again with this version of Kerasmith."
            )
        self.scores.quantile(options.coverage)

    def complete(
        self, predictions: list[AnyPrediction], outputs: np.ndarray, embeddings: np.ndarray, options: Options = PLAIN
    ) -> list[AnyPrediction]:
        """Adds to each answer what was asked for, and that its input is strange where it is.

        Args:
            predictions: Made of `outputs`; they are changed.
            outputs: Of the network, `<float32>[batch, ...]`.
            embeddings: Of the network, `<float32>[batch, ...]`.
            options: What was asked for; they passed `check`.
        """
        if self.strangers is not None:
            for index in np.flatnonzero(self.strangers.find(embeddings)):
                predictions[index].out_of_distribution = True
        if options.coverage is not None and self.scores is not None:
            self._cover(predictions, outputs, self.scores, options.coverage)
        if options.abstain_below:
            _abstain(predictions, options.abstain_below)
        return predictions

    def explain(self) -> dict[str, str]:
        """A sentence on each parameter and flag, for people."""
        told = {}
        if self.strangers is not None:
            told["out_of_distribution"] = (
                f"True where an input's features are unlike those of {self.strangers.known.shape[1]} known examples: "
                f"farther from the third nearest of them than 99 % of these are from each other. A few in a "
                "hundred ordinary inputs are flagged too. Without the flag an input may still be of another kind."
            )
        if self.scores is not None:
            what = "low and high, between which the truth lies"
            if self.labels:
                what = "set, classes among which the true one is"
            told["coverage"] = (
                f"The answer gets {what}, in the asked share of all cases, for inputs like the "
                f"{self.scores.num_examples} that this was found on."
            )
        if self.labels:
            told["abstain_below"] = "An answer whose probability is lower gets label null and abstained true."
        return told

    def _cover(self, predictions: list[AnyPrediction], outputs: np.ndarray, scores: Scores, coverage: float) -> None:
        if self.task not in INTERVALS:
            for prediction, row, within in zip(predictions, outputs, inside(outputs, scores, coverage), strict=True):
                if isinstance(prediction, Prediction):
                    prediction.set = self._named(row, within, prediction.label)
            return
        low, high = INTERVALS[self.task](outputs, scores, coverage)
        for index, prediction in enumerate(predictions):
            if isinstance(prediction, NumberPrediction):
                [prediction.low, prediction.high] = shortest(np.array([low[index], high[index]]))
            elif isinstance(prediction, ForecastPrediction):
                prediction.low, prediction.high = shortest(low[index]), shortest(high[index])

    def _named(self, row: np.ndarray, within: np.ndarray, answer: str | None) -> list[str]:
        """The classes of one set, most likely first. What is answered is among them, also where a threshold or costs
        answered another class than the most likely one."""
        order = np.argsort(-row, kind="stable")
        return [label for label, taken in ((self.labels[i], within[i]) for i in order) if taken or label == answer]


def load_honesty(folder: Path, manifest: Manifest) -> Honesty:
    """What the bundle in `folder` knows.

    Raises:
        BundleError: A file of it is damaged.
    """
    return Honesty(
        task=manifest.task,
        labels=manifest.labels,
        scores=load_scores(folder),
        strangers=load_strangers(folder),
    )


def _abstain(predictions: Sequence[AnyPrediction], least: float) -> None:
    for prediction in predictions:
        if isinstance(prediction, Prediction) and prediction.probability < least:
            prediction.label, prediction.abstained = None, True
