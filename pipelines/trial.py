"""One trial: a message in, a result out. It knows no database; `report` is its only wire."""

from __future__ import annotations

import dataclasses
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipelines.batches import TrainingData
from pipelines.checkpoint import CHECKPOINT_SECONDS, Keeper, forget_checkpoint, trial_digest, write_whole
from pipelines.features import TooSlow, are_ready, cached_features, feature_data, fitting_rows, refuse_if_hopeless
from pipelines.graph import Graph, has_accelerator
from pipelines.judging import train_and_judge
from pipelines.kept import KeptEncoder, KeptGraph, graph_key
from pipelines.metrics import truth_of
from pipelines.outside import save_outside
from pipelines.pace import Pace, Tried, choose_pace
from pipelines.train import NotFinite
from records.data import Prepared, Split
from records.task import Task
from records.trial import Recipe, Report, TrialResult, TrialSpec, Values
from search_spaces import heads
from search_spaces.space import Space, read
from store.home import Home

WEIGHTS = "weights.npz"
VALIDATION = "validation.npy"
SHORTEST_SECONDS = 1.0
"""Of a training that is worth beginning."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Workbench:
    """What every trial of a run shares."""

    prepared: Prepared
    task: Task
    spaces: Mapping[str, Space]
    home: Home
    kept: KeptGraph = dataclasses.field(default_factory=KeptGraph, compare=False)
    kept_encoder: KeptEncoder = dataclasses.field(default_factory=KeptEncoder, compare=False)


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


def plan(
    bench: Workbench,
    space_name: str,
    values: Values,
    seed: int,
    max_seconds: float = float("inf"),
    batch_divisor: int = 1,
) -> Plan:
    """Builds the network of a trial's `values`, untrained, with the data that it is trained on.

    Raises:
        TooSlow: The encoder's features would take longer than `max_seconds`.
    """
    space = bench.spaces[space_name]
    read_values, recipe = read_trial(bench, space, values, seed, batch_divisor)
    encoder, data, feature_seconds = _inputs(bench, space, read_values, max_seconds)
    spec = bench.prepared.spec
    if encoder is not None:
        spec = dataclasses.replace(spec, input_shape=data.inputs.shape[1:], dtype="float32")
    keras.utils.set_random_seed(seed)  # here: whether an encoder had to be built first changes no weight
    return Plan(
        model=space.build(read_values, spec, bench.task),
        encoder=encoder,
        recipe=recipe,
        data=data,
        feature_seconds=feature_seconds,
    )


def read_trial(
    bench: Workbench, space: Space, values: Values, seed: int, batch_divisor: int = 1
) -> tuple[dict[str, Any], Recipe]:
    """What a trial's network is built from, and how it is trained."""
    read_values = read(space, values, bench.prepared.spec)
    recipe = space.recipe(read_values)
    return read_values, dataclasses.replace(recipe, seed=seed, batch_size=max(1, recipe.batch_size // batch_divisor))


def _inputs(
    bench: Workbench, space: Space, read_values: dict[str, Any], max_seconds: float
) -> tuple[keras.Model | None, TrainingData, float]:
    """The encoder, what is trained on, and the seconds of the encoder for one example."""
    if space.encoder is None or space.encoder_key is None:
        return None, input_data(bench.prepared), 0.0
    make, key = space.encoder, space.encoder_key(read_values)
    refuse_if_hopeless(key, bench.prepared, bench.home, max_seconds)  # before seconds are spent on loading it
    encoder = bench.kept_encoder.get((make, key, bench.prepared.spec), lambda: make(read_values, bench.prepared.spec))
    features = cached_features(encoder, key, bench.prepared, bench.home, max_seconds)
    return encoder, feature_data(bench.prepared, features), features.seconds_per_example


def lacks_features(bench: Workbench, space_name: str, values: Values) -> bool:
    """Whether a trial must first compute an encoder's features, which later ones find ready."""
    space = bench.spaces[space_name]
    if space.encoder is None or space.encoder_key is None:
        return False
    key = space.encoder_key(read(space, values, bench.prepared.spec))
    return not are_ready(key, bench.prepared, bench.home)


def run_trial(
    trial: TrialSpec,
    bench: Workbench,
    report: Report,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    most_seconds: Callable[[int, float], float] = lambda num_parameters, predict_seconds: float("inf"),
) -> TrialResult:
    """Trains one configuration and leaves its best weights and validation predictions in `trial.folder`.

    Where the folder holds a checkpoint of this trial, it goes on from there.

    Args:
        trial: What to train.
        bench: Data, task and spaces; keeps the compiled graph for the next trial.
        report: Hears of each epoch.
        checkpoint_seconds: At least so long between two checkpoints.
        most_seconds: `(num_parameters, predict_seconds) -> seconds`: how long a network of this size, whose encoder
            takes so long for an example, may be trained from now on and still be packaged. Its size is known only when
            it was built.

    Raises:
        NotFinite: The training diverged.
        TooSlow: It cannot be done in its time.
        StoreError: Its results cannot be kept.
    """
    began, folder = time.perf_counter(), Path(trial.folder)
    keeper = Keeper(folder, trial_digest(trial, bench.prepared), checkpoint_seconds)
    try:
        planned, graph, reused = open_graph(trial, bench, _pace(trial, bench))
        start = keeper.resume(graph)
        num_parameters = graph.model.count_params() + (planned.encoder.count_params() if planned.encoder else 0)
        packaged_by = most_seconds(num_parameters, planned.feature_seconds)
        if packaged_by < SHORTEST_SECONDS:
            raise TooSlow(f"A network of {num_parameters:,} parameters could not be packaged any more.")
        left = max(1.0, min(trial.max_seconds - (time.perf_counter() - began), packaged_by))
        history, judged = train_and_judge(graph, planned.recipe, planned.data, bench.task, report, left, keeper, start)
    except BaseException as error:
        bench.kept.forget()
        if isinstance(error, NotFinite):
            forget_checkpoint(folder)  # from there it would diverge again
        raise
    predict_seconds = graph.predict_seconds(planned.data.inputs[planned.data.validation_rows[:256]])
    outside = judged.rows if planned.encoder is None else fitting_rows(bench.prepared)[judged.rows]
    save(folder, graph.model, history.predictions)
    save_outside(folder, outside, judged.predictions)  # syncs the folder, for all three files
    forget_checkpoint(folder)
    return TrialResult(
        score=judged.metrics[bench.task.objective],
        loss=judged.loss,
        best_step=history.best_step,
        steps=history.steps,
        planned_steps=history.planned_steps,
        steps_per_epoch=history.steps_per_epoch,
        seconds=keeper.seconds,
        train_seconds=history.seconds,
        predict_seconds=predict_seconds + planned.feature_seconds,
        num_parameters=num_parameters,
        peak_memory_bytes=peak_memory_bytes(),
        metrics=judged.metrics,
        pruned=judged.pruned,
        graph_reused=reused,
        resumed_at_step=keeper.resumed_at_step,
    )


def open_graph(trial: TrialSpec, bench: Workbench, pace: Pace) -> tuple[Plan, Graph, bool]:
    """The trial's plan and its graph at the start of a training, and whether the graph was an earlier trial's."""
    space = bench.spaces[trial.space]
    read_values, recipe = read_trial(bench, space, trial.values, trial.seed, trial.batch_divisor)
    key = graph_key(space, read_values, recipe, bench.prepared, bench.task, pace)
    bench.kept.make_room(key)
    planned = plan(
        bench, trial.space, trial.values, trial.seed, 0.7 * trial.max_seconds, batch_divisor=trial.batch_divisor
    )
    graph, reused = bench.kept.open(
        key, planned.model, lambda: Graph(planned.model, planned.recipe, planned.data, bench.task, pace)
    )
    return planned, graph, reused


def _pace(trial: TrialSpec, bench: Workbench) -> Pace:
    """What is known to be fast for such a network, or is found by trying."""
    space = bench.spaces[trial.space]
    read_values, recipe = read_trial(bench, space, trial.values, trial.seed, trial.batch_divisor)

    def try_out(pace: Pace) -> Tried:
        try:
            return open_graph(trial, bench, pace)[1].measure()
        finally:
            bench.kept.forget()

    name = graph_key(space, read_values, recipe, bench.prepared, bench.task, Pace()).name
    return choose_pace(
        name,
        bench.prepared.spec.kind,
        trial.max_seconds,
        try_out,
        bench.home,
        has_accelerator(),
        always_compiled=keras.backend.backend() == "jax",
    )


def save(folder: Path, model: keras.Model, predictions: np.ndarray) -> None:
    """Writes weights and validation predictions, each whole or not at all.

    Raises:
        StoreError: The disk is full, or the folder cannot be written.
    """
    weights: dict[str, Any] = {f"{i:04d}": value for i, value in enumerate(model.get_weights())}
    write_whole(folder / VALIDATION, lambda file: np.save(file, predictions, allow_pickle=False))
    write_whole(folder / WEIGHTS, lambda file: np.savez(file, **weights))


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
