"""One trial: a message in, a result out. It knows no database; `report` is its only wire."""

from __future__ import annotations

import dataclasses
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import keras
import numpy as np

from pipelines.batches import TrainingData
from pipelines.features import cached_features, feature_data
from pipelines.folds import further_folds
from pipelines.metrics import example_losses, score, truth_of
from pipelines.train import History, train
from records.data import Prepared, Split
from records.task import Task
from records.trial import EpochReport, Recipe, Report, TrialResult, TrialSpec, Values, Verdict
from search_spaces import heads
from search_spaces.space import Space, read
from store.files import writing
from store.home import Home

WEIGHTS = "weights.npz"
VALIDATION = "validation.npy"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workbench:
    """What every trial of a run shares."""

    prepared: Prepared
    task: Task
    spaces: Mapping[str, Space]
    home: Home


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """A trial's values, read: what is trained, on what, and how."""

    model: keras.Model
    """The part that is trained: the whole network, or the head on an encoder's features."""
    encoder: keras.Model | None
    recipe: Recipe
    data: TrainingData
    feature_seconds: float
    """For one example; 0 without an encoder."""

    def network(self, name: str) -> keras.Model:
        """From raw inputs to the prediction."""
        return self.model if self.encoder is None else heads.join(self.encoder, self.model, name)


def input_data(prepared: Prepared) -> TrainingData:
    """Training data that reads the prepared inputs themselves."""
    return TrainingData(
        inputs=prepared.inputs,
        truth=truth_of(prepared, np.arange(len(prepared.inputs))),
        spec=prepared.spec,
        train_rows=np.asarray(prepared.indices[Split.TRAIN]),
        validation_rows=np.asarray(prepared.indices[Split.VALIDATION]),
        scales=prepared.scales,
    )


def plan(bench: Workbench, space_name: str, values: Values, seed: int, max_seconds: float = float("inf")) -> Plan:
    """Builds the network of a trial's `values`, untrained, with the data that it is trained on.

    Raises:
        TooSlow: The encoder's features would take longer than `max_seconds`.
    """
    space = bench.spaces[space_name]
    keras.utils.set_random_seed(seed)
    read_values = read(space, values, bench.prepared.spec)
    recipe = dataclasses.replace(space.recipe(read_values), seed=seed)
    encoder, data, feature_seconds = _inputs(bench, space, read_values, max_seconds)
    spec = bench.prepared.spec
    if encoder is not None:
        spec = dataclasses.replace(spec, input_shape=data.inputs.shape[1:], dtype="float32")
    return Plan(
        model=space.build(read_values, spec, bench.task),
        encoder=encoder,
        recipe=recipe,
        data=data,
        feature_seconds=feature_seconds,
    )


def _inputs(
    bench: Workbench, space: Space, read_values: dict[str, Any], max_seconds: float
) -> tuple[keras.Model | None, TrainingData, float]:
    """The encoder, what is trained on, and the seconds of the encoder for one example."""
    if space.encoder is None or space.encoder_key is None:
        return None, input_data(bench.prepared), 0.0
    encoder, key = space.encoder(read_values, bench.prepared.spec), space.encoder_key(read_values)
    features = cached_features(encoder, key, bench.prepared, bench.home, max_seconds)
    return encoder, feature_data(bench.prepared, features), features.seconds_per_example


def run_trial(trial: TrialSpec, bench: Workbench, report: Report) -> TrialResult:
    """Trains one configuration and leaves its best weights and validation predictions in `trial.folder`.

    Raises:
        NotFinite: The training diverged.
        TooSlow: It cannot be done in its time.
    """
    began = time.perf_counter()
    keras.utils.clear_session()
    planned = plan(bench, trial.space, trial.values, trial.seed, 0.7 * trial.max_seconds)
    left = trial.max_seconds - (time.perf_counter() - began)
    history, judged = _train(planned, bench.task, report, max(left, 1.0))
    predict_seconds = _predict_seconds(planned) + planned.feature_seconds
    save(Path(trial.folder), planned.model, history.predictions)
    return TrialResult(
        score=judged.metrics[bench.task.objective],
        loss=judged.loss,
        best_step=history.best_step,
        steps=history.steps,
        planned_steps=history.planned_steps,
        steps_per_epoch=history.steps_per_epoch,
        seconds=time.perf_counter() - began,
        train_seconds=history.seconds,
        predict_seconds=predict_seconds,
        num_parameters=planned.model.count_params() + (planned.encoder.count_params() if planned.encoder else 0),
        peak_memory_bytes=peak_memory_bytes(),
        metrics=judged.metrics,
    )


@dataclasses.dataclass(frozen=True)
class _Judged:
    """What a trial is compared by."""

    metrics: dict[str, float]
    loss: float


def _train(planned: Plan, task: Task, report: Report, max_seconds: float) -> tuple[History, _Judged]:
    """Trains on the given split and leaves its best weights in the network; where examples are few, judges by training
    on the other folds too."""
    stopped = False

    def watched(epoch: EpochReport) -> Verdict:
        nonlocal stopped
        verdict = report(epoch)
        stopped = verdict is Verdict.STOP
        return verdict

    folds = further_folds(planned.data, planned.recipe.seed)
    initial = planned.model.get_weights() if folds else []
    seconds = max_seconds / (1 + len(folds))
    history = train(planned.model, planned.recipe, planned.data, task, watched, seconds)
    rows, predictions = [planned.data.validation_rows], [history.predictions]
    if folds and not stopped:
        best = planned.model.get_weights()
        for fold in folds:
            planned.model.set_weights(initial)
            again = train(planned.model, planned.recipe, fold, task, lambda _: Verdict.CONTINUE, seconds)
            rows.append(fold.validation_rows)
            predictions.append(again.predictions)
        planned.model.set_weights(best)
    truth, answers = planned.data.truth.of(np.concatenate(rows)), np.concatenate(predictions)
    return history, _Judged(score(task, truth, answers), float(example_losses(task, truth, answers).mean()))


def _predict_seconds(planned: Plan) -> float:
    rows = planned.data.validation_rows[:256]
    batch = planned.data.inputs[rows]
    began = time.perf_counter()
    planned.model.predict_on_batch(batch)
    return (time.perf_counter() - began) / len(rows)


def save(folder: Path, model: keras.Model, predictions: np.ndarray) -> None:
    """Writes weights and validation predictions, each whole or not at all.

    Raises:
        StoreError: The disk is full, or the folder cannot be written.
    """
    weights = {f"{i:04d}": value for i, value in enumerate(model.get_weights())}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / VALIDATION, lambda file: np.save(file, predictions, allow_pickle=False))
        _write(folder / WEIGHTS, lambda file: np.savez(file, **weights))


def _write(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    partial = path.with_name(f".{path.name}.part")
    with partial.open("wb") as file:
        fill(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_weights(folder: Path, model: keras.Model) -> None:
    """Puts a trial's best weights into the network that its values build."""
    with np.load(folder / WEIGHTS, allow_pickle=False) as weights:
        model.set_weights([weights[name] for name in sorted(weights.files)])


def load_validation(folder: Path) -> np.ndarray:
    """`<float32>[validation, ...]`: a trial's predictions at its best step."""
    return np.load(folder / VALIDATION, allow_pickle=False)


def peak_memory_bytes() -> int:
    """Largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
