"""AutoKeras 3 with settings that suit a processor without an accelerator.

It has no wall clock; `Timed` gives it one, and its own last fit on all examples is kept. Images are given at most at 96
pixels a side and networks of at most five million parameters are tried: its second and third built-in trial, a ResNet50
and an EfficientNetB7 at 224 pixels, do not finish an epoch in any of the times used here. Texts use the greedy tuner
alone: the text tuner's first trial has a rate of 2e-5 that falls to zero within the first epoch. There is no class for
series since 2.0; its blocks for convolutions and recurrence are put together instead, as its guide shows.
"""

from __future__ import annotations

from typing import Any

import autokeras
import keras
import numpy as np
from autokeras.pipeline import load_pipeline
from autokeras.tuners import greedy, task_specific
from PIL import Image

from benchmarks.peers.answer import Answer, Asked, answer, commonest
from benchmarks.peers.arrays import padded_series
from benchmarks.peers.clock import NO_TIME, OBJECTIVE, NoModelError, StopAt, Timed

PACKAGES = ("autokeras", "keras", "keras-tuner", "tensorflow-cpu")
MOST_TRIALS = 10_000
MOST_PARAMETERS = 5_000_000
LARGEST_SIDE = 96
MANY_EXAMPLES = 20_000


class _LastFit(Timed):
    def final_fit(self, **kwargs: Any) -> tuple[Any, Any, Any]:
        """AutoKeras' own last fit; where the clock leaves no time for it, the weights that the search kept."""
        stop, self.kept = StopAt(self.clock), False
        if self.best() is None:
            raise NoModelError
        if self.last_fit_is_possible():
            fitted = super().final_fit(**{**kwargs, "callbacks": [stop]})  # type: ignore[misc]
            if not stop.cut:
                return fitted
        self.kept = True
        best = self.oracle.get_best_trials(1)[0]
        return load_pipeline(self._pipeline_path(best.trial_id)), self.load_model(best), None  # type: ignore[attr-defined]


class TimedImages(_LastFit, task_specific.ImageClassifierTuner):
    """The tuner that `ImageClassifier` has by default, with a limit to the size of its networks."""

    def on_search_begin(self) -> None:
        self.max_model_size = MOST_PARAMETERS  # not as an argument: the space's own first build would break it


class TimedTables(_LastFit, task_specific.StructuredDataClassifierTuner):
    """The tuner that `StructuredDataClassifier` has by default."""


class TimedGreedy(_LastFit, greedy.Greedy):
    """The tuner that `AutoModel` has by default."""


def search(asked: Asked) -> Answer:
    keras.utils.set_random_seed(asked.seed)
    common = {
        "objective": OBJECTIVE,
        "max_trials": MOST_TRIALS,
        "directory": str(asked.scratch),
        "overwrite": True,
        "seed": asked.seed + 1,  # it takes 0 for none
    }
    made, inputs, questions = MAKERS[asked.kind](asked, common)
    made.tuner.watch(asked.clock)
    batch_size = 128 if len(asked.train["targets"]) > MANY_EXAMPLES else 32
    tuner = made.tuner
    try:
        made.fit(inputs, asked.train["targets"], batch_size=batch_size, verbose=0)
    except NoModelError:
        return commonest(asked, len(tuner.reached))
    return Answer(
        probabilities=lambda: made.predict(questions, verbose=0).astype(int).ravel(),
        trials=len(tuner.reached),
        curve=tuner.curve,
        notes=[NO_TIME] if tuner.kept else [],
    )


def _images(asked: Asked, common: dict[str, Any]) -> tuple[Any, np.ndarray, np.ndarray]:
    made = autokeras.ImageClassifier(num_classes=len(asked.labels), tuner=TimedImages, **common)
    return made, _smaller(asked.train["images"]), _smaller(asked.test["images"])


def _smaller(images: np.ndarray) -> np.ndarray:
    if images.shape[1] <= LARGEST_SIDE:
        return images
    size = (LARGEST_SIDE, LARGEST_SIDE)
    return np.stack([np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BILINEAR)) for one in images])


def _texts(asked: Asked, common: dict[str, Any]) -> tuple[Any, np.ndarray, np.ndarray]:
    made = autokeras.TextClassifier(num_classes=len(asked.labels), tuner=TimedGreedy, **common)
    return made, asked.train["texts"], asked.test["texts"]


def _series(asked: Asked, common: dict[str, Any]) -> tuple[Any, np.ndarray, np.ndarray]:
    node = autokeras.Input()
    convolved, recurrent = autokeras.ConvBlock()(node), autokeras.RNNBlock()(node)
    head = autokeras.ClassificationHead(num_classes=len(asked.labels))(autokeras.Merge()([convolved, recurrent]))
    made = autokeras.AutoModel(inputs=node, outputs=head, tuner=TimedGreedy, **common)
    return made, *padded_series(asked.train, asked.test)


def _tables(asked: Asked, common: dict[str, Any]) -> tuple[Any, np.ndarray, np.ndarray]:
    numbers, categories = asked.train["numbers"].shape[1], asked.train["categories"].shape[1]
    names = [f"column_{number}" for number in range(numbers + categories)]
    kinds = ["numerical"] * numbers + ["categorical"] * categories
    made = autokeras.StructuredDataClassifier(
        column_names=names,
        column_types=dict(zip(names, kinds, strict=True)),
        num_classes=len(asked.labels),
        tuner=TimedTables,
        **common,
    )
    tables = [
        np.concatenate([part["numbers"].astype(object), part["categories"].astype(object)], axis=1)
        for part in (asked.train, asked.test)
    ]
    return made, tables[0], tables[1]


MAKERS = {"image": _images, "text": _texts, "series": _series, "table": _tables}

if __name__ == "__main__":
    answer(search, PACKAGES)
