"""The kept graph: used again only where that changes nothing, and then every weight is the same, bit for bit."""

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from pipelines.features import TooSlow
from pipelines.graph import Graph, last_layer
from pipelines.kept import graph_key
from pipelines.optimizers import make_optimizer
from pipelines.pace import Pace
from pipelines.train import Schedule, train
from pipelines.trial import Workbench, input_data, open_graph, plan, read_trial, run_trial
from records.data import DataSpec
from records.trial import EpochReport, Recipe, TrialSpec, Values, Verdict
from search_spaces.catalog import SPACES
from search_spaces.pretrained import BackboneUnavailable
from search_spaces.space import Replay
from tests.pipelines.benches import make_bench
from tests.search_spaces.specs import PAIRS, SPECS

Weights = list[np.ndarray]
PLAIN = Pace()
TRAINING = {field.name for field in dataclasses.fields(Recipe)} | {"ema", "mixing", "series_changes"}
"""Hyperparameters of `search_spaces.recipes`."""


def carry_on(_: EpochReport) -> Verdict:
    return Verdict.CONTINUE


def trial_of(space: str, values: Values, folder: Path, seed: int = 3, batch_divisor: int = 1) -> TrialSpec:
    return TrialSpec(
        run_id="run",
        number=0,
        space=space,
        values=values,
        seed=seed,
        max_seconds=300.0,
        folder=str(folder),
        batch_divisor=batch_divisor,
    )


def two_steps(bench: Workbench, space: str, values: Values, seed: int = 3, divisor: int = 1) -> tuple[Weights, bool]:
    """All variables after two steps, and whether the graph was kept from the training before."""
    trial = trial_of(space, values, bench.prepared.folder, seed, divisor)
    planned, graph, reused = open_graph(trial, bench, PLAIN)
    train(graph, planned.recipe, planned.data, bench.task, carry_on, 300.0, Schedule(planned_steps=2, stop_after=2))
    return graph.variables(), reused


def assert_equal(ours: Weights, theirs: Weights) -> None:
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other)


def values_of(parameter: keras_tuner.engine.hyperparameters.HyperParameter) -> list[Any]:
    """Other values than the default."""
    candidates = getattr(parameter, "values", None) or [parameter.prob_to_value(share) for share in (0.1, 0.5, 0.9)]
    return [type(parameter.default)(value) for value in candidates if value != parameter.default]


def parameters() -> list[Any]:
    """Every hyperparameter of every space, with the first kind of data that has it; three of them are fast. Those of
    training are the same for all spaces: each is tried once, with the quickest network that has it. Spaces on request
    are left out for the time that they take; their graphs have keys of the same form."""
    found: dict[str, Any] = {}
    for space, kind in sorted(PAIRS, key=lambda pair: pair[0] != "mlp"):
        if SPACES[space].on_request:
            continue
        hp = keras_tuner.HyperParameters()
        SPACES[space].choices(hp, SPECS[kind])
        for parameter in hp.space:
            fast = space == "mlp" and parameter.name.endswith(("dropout_rate", "weight_decay", "learning_rate"))
            marks = [] if fast else [pytest.mark.slow]
            case = pytest.param(space, kind, parameter, marks=marks, id=f"{kind}-{parameter.name}")
            if values_of(parameter):
                last = parameter.name.rpartition("/")[2]
                found.setdefault(last if last in TRAINING else parameter.name, case)
    return list(found.values())


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], tuple[Workbench, Values]]:
    """A workbench that keeps the graph of a space's usual values, trained on already, and these values."""
    made: dict[tuple[str, str], tuple[Workbench, Values]] = {}

    def get(space: str, kind: str) -> tuple[Workbench, Values]:
        if (space, kind) not in made:
            made.clear()
            bench = make_bench(SPACES[space], SPECS[kind], tmp_path_factory.mktemp(space))
            replay = Replay({})
            SPACES[space].choices(replay, SPECS[kind])
            two_steps(bench, space, replay.values)
            made[space, kind] = bench, replay.values
        bench, values = made[space, kind]
        return dataclasses.replace(bench, kept=copy.copy(bench.kept)), values

    return get


@pytest.mark.parametrize(("space", "kind", "parameter"), parameters())
def test_a_changed_hyperparameter_trains_as_in_a_fresh_process(
    space: str, kind: str, parameter: Any, usual: Callable[[str, str], tuple[Workbench, Values]]
) -> None:
    bench, values = usual(space, kind)
    # one that counts only beside a certain value of another is tried beside that value
    beside = {condition.name: condition.values[0] for condition in parameter.conditions}
    changed = {**values, **beside, parameter.name: values_of(parameter)[0]}
    try:
        found, reused = two_steps(bench, space, changed)
    except BackboneUnavailable as missing:
        pytest.skip(str(missing))
    assert reused == (parameter.name == f"{space}/learning_rate")
    bench.kept.forget()
    expected, reused = two_steps(bench, space, changed)
    assert not reused
    assert_equal(found, expected)


def test_another_seed_trains_as_in_a_fresh_process(tmp_path: Path) -> None:
    bench = make_bench(SPACES["mlp"], SPECS["table"], tmp_path)
    values = {"mlp/dropout_rate": 0.3, "mlp/norm": "batch"}
    expected, _ = two_steps(bench, "mlp", values, seed=8)
    bench.kept.forget()
    first, _ = two_steps(bench, "mlp", values, seed=4)
    found, reused = two_steps(bench, "mlp", values, seed=8)
    assert reused
    assert_equal(found, expected)
    assert not all(np.array_equal(a, b) for a, b in zip(first, found, strict=True))


def test_half_the_batch_is_another_graph(tmp_path: Path) -> None:
    bench = make_bench(SPACES["mlp"], SPECS["table"], tmp_path)
    two_steps(bench, "mlp", {})
    assert not two_steps(bench, "mlp", {}, divisor=2)[1]
    assert two_steps(bench, "mlp", {}, divisor=2)[1]


def test_what_the_graph_holds_stands_in_its_key(tmp_path: Path) -> None:
    bench = make_bench(SPACES["mlp"], SPECS["table"], tmp_path)
    read_values, recipe = read_trial(bench, SPACES["mlp"], {}, seed=1)

    def key(space: str = "mlp", recipe: Recipe = recipe, prepared: Any = bench.prepared, pace: Pace = PLAIN) -> Any:
        return graph_key(SPACES[space], read_values, recipe, prepared, bench.task, pace)

    assert key() == key(recipe=dataclasses.replace(recipe, seed=5, learning_rate=0.5))
    for name, value in (
        ("weight_decay", 0.2),
        ("optimizer", "sgd"),
        ("label_smoothing", 0.3),
        ("batch_size", 3),
        ("ema_decay", 0.9),
        ("clip_norm", 1.0),
        ("l1_decay", 0.1),
    ):
        assert key() != key(recipe=dataclasses.replace(recipe, **{name: value})), name
    assert key() != key(space="floor")
    assert key() != key(pace=Pace(jit_compile=True))
    spec = dataclasses.replace(bench.prepared.spec, label_counts=(1, 1, 1, 1, 2))
    assert key() != key(prepared=dataclasses.replace(bench.prepared, spec=spec))
    before = key()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert before != key()
    finally:
        keras.config.set_dtype_policy("float32")


def test_a_users_own_recipe_may_use_the_learning_rate_as_it_likes(tmp_path: Path) -> None:
    own = dataclasses.replace(SPACES["mlp"], recipe=lambda values: Recipe(weight_decay=values["learning_rate"]))
    bench = make_bench(own, SPECS["table"], tmp_path)
    two_steps(bench, "mlp", {"mlp/learning_rate": 1e-3})
    assert not two_steps(bench, "mlp", {"mlp/learning_rate": 2e-3})[1]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lion", "muon"])
def test_a_restarted_optimizer_is_as_a_new_one(bench: Workbench, optimizer: str) -> None:
    planned = plan(bench, "cnn", {"cnn/filters": 16, "cnn/num_blocks": 2, "cnn/ema": True}, 1)
    planned = dataclasses.replace(planned, recipe=dataclasses.replace(planned.recipe, optimizer=optimizer))
    graph = Graph(planned.model, planned.recipe, planned.data, bench.task, PLAIN)
    initial = graph.variables()
    train(graph, planned.recipe, planned.data, bench.task, carry_on, 60.0, Schedule(planned_steps=3, stop_after=3))
    graph.restart(initial)
    new = make_optimizer(planned.recipe, last_layer(graph.view))
    new.build(planned.model.trainable_variables)
    new.learning_rate = graph.optimizer.learning_rate = 0.5  # each step sets it
    assert_equal(graph.optimizer_variables(), [variable.numpy() for variable in new.variables])
    assert_equal(graph.variables(), initial)


def test_folds_of_one_trial_share_one_graph_that_is_traced_once(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced, step = [], keras.Model.train_step

    def counted(model: keras.Model, data: Any) -> Any:
        traced.append(model)
        return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", counted)
    values = {"cnn/filters": 16, "cnn/num_blocks": 2, "cnn/convolutions": 1}
    only_two = dataclasses.replace(
        bench.spaces["cnn"], recipe=lambda values: Recipe(batch_size=16, max_epochs=2, learning_rate=1e-3)
    )
    bench = dataclasses.replace(bench, spaces={**bench.spaces, "cnn": only_two})
    first = run_trial(trial_of("cnn", values, tmp_path / "0"), bench, carry_on)
    again = run_trial(trial_of("cnn", values, tmp_path / "1"), bench, carry_on)
    assert not first.graph_reused and again.graph_reused
    assert first.score == again.score and first.metrics == again.metrics
    graph = bench.kept._graph
    assert graph is not None
    assert len(traced) == 1
    assert graph._predict.experimental_get_tracing_count() == 1  # type: ignore[attr-defined]


def test_an_encoder_is_kept_and_changes_no_weight(tmp_path: Path) -> None:
    made = []

    def encoder(values: dict[str, Any], spec: DataSpec) -> keras.Model:
        made.append(values["hidden_units"])
        inputs = keras.Input(spec.input_shape, dtype=spec.dtype)
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
        return keras.Model(inputs, keras.layers.Dense(6, kernel_initializer="ones")(x))

    space = dataclasses.replace(
        SPACES["frozen_backbone"], encoder=encoder, encoder_key=lambda values: str(values["hidden_units"])
    )
    bench = make_bench(space, SPECS["image"], tmp_path)
    linear, hidden = ({"frozen_backbone/hidden_units": units} for units in (0, 128))
    two_steps(bench, "frozen_backbone", linear)
    again, _ = two_steps(bench, "frozen_backbone", {**linear, "frozen_backbone/dropout_rate": 0.4})
    assert made == [0]
    two_steps(bench, "frozen_backbone", hidden)
    assert made == [0, 128]
    fresh, _ = two_steps(bench, "frozen_backbone", {**linear, "frozen_backbone/dropout_rate": 0.4})
    assert made == [0, 128, 0]
    assert_equal(again, fresh)


def test_what_failed_is_not_kept(bench: Workbench, tmp_path: Path) -> None:
    def fail(_: EpochReport) -> Verdict:
        raise RuntimeError("The wire broke.")

    trial = trial_of("cnn", {"cnn/filters": 16, "cnn/num_blocks": 2}, tmp_path)
    with pytest.raises(RuntimeError):
        run_trial(trial, bench, fail)
    assert not open_graph(trial, bench, PLAIN)[2]


def test_steps_are_those_of_keras(bench: Workbench) -> None:
    """Keras' own `train_on_batch` compiles for each size of a batch, which changes the last bit of some weights."""
    values = {"cnn/filters": 16, "cnn/num_blocks": 2, "cnn/dropout_rate": 0.2}
    data = input_data(bench.prepared)
    found = []
    for ours in (True, False):
        planned = plan(bench, "cnn", values, 1)
        graph = Graph(planned.model, planned.recipe, data, bench.task, PLAIN)
        batches = [(data.inputs[:size], np.eye(3, dtype=np.float32)[data.truth.targets[:size]]) for size in (16, 16, 9)]
        if ours:
            graph.train(batches, [planned.recipe.learning_rate] * 3)
        else:
            for batch in batches:
                graph.view.train_on_batch(*batch)
        found.append(graph.variables())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_a_network_that_could_not_be_packaged_any_more_is_not_trained(bench: Workbench, tmp_path: Path) -> None:
    asked: list[int] = []

    def most_seconds(num_parameters: int, predict_seconds: float) -> float:
        asked.append(num_parameters)
        return 0.5

    values = {"cnn/filters": 16, "cnn/num_blocks": 2, "cnn/convolutions": 1}
    with pytest.raises(TooSlow, match="could not be packaged"):
        run_trial(trial_of("cnn", values, tmp_path), bench, carry_on, most_seconds=most_seconds)
    assert asked and asked[0] > 1000 and not list(tmp_path.glob("*.npz"))
