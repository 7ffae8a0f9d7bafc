"""A whole search in process: the ledger has it all, the floor comes first, bad spaces stop it, bad values do not."""

import dataclasses
import errno
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow

from pipelines.evaluate import evaluate
from pipelines.failures import is_out_of_memory
from pipelines.governor import Governor
from pipelines.proposing.declared import dimensions_of
from pipelines.proposing.dimensions import Category
from pipelines.refit import from_trial, refit, scaled_schedule
from pipelines.search import Assignment, BadSpace, declare, search
from pipelines.trial import Workbench, load_validation
from records.config import RunConfig
from records.errors import BusyError, StoreError
from records.trial import EpochReport, Lease, Proposal, Run, Trial, TrialState, best_trial
from search_spaces.cnn import CNN
from search_spaces.space import Space, read
from store.database import open_database
from store.home import Home
from store.leases import LeaseLost, Leases
from store.ledger import Ledger


def governor(seconds: float = 300.0) -> Governor:
    return Governor(started=time.monotonic(), deadline=time.monotonic() + seconds)


def quick(space: Space = CNN) -> Space:
    """The space with few epochs, so that a trial takes a second."""
    return dataclasses.replace(
        space, recipe=lambda values: dataclasses.replace(CNN.recipe(values), max_epochs=3, batch_size=16)
    )


def assignment(run: Run, home: Home, trials: int | None = None) -> Assignment:
    return Assignment(
        run_id=run.id,
        worker="w1",
        config=RunConfig(data="tiny", max_trials=trials),
        governor=governor(),
        folder=home.run_folder(run.id),
        stop_requested=lambda: False,
    )


def searched(
    bench: Workbench,
    ledger: Ledger,
    run: Run,
    home: Home,
    trials: int = 3,
    space: Space | None = None,
    leases: Leases | None = None,
) -> list[Trial]:
    spaces = {"floor": bench.spaces["floor"], "cnn": space or quick()}
    leases = leases or Leases(open_database(home))
    search(assignment(run, home, trials), dataclasses.replace(bench, spaces=spaces), ledger, leases)
    return ledger.trials(run.id)


def test_search_refit_and_evaluate(bench: Workbench, ledger: Ledger, run_record: Run, home: Home) -> None:
    trials = searched(bench, ledger, run_record, home)
    assert [trial.space for trial in trials] == ["floor", "cnn", "cnn"]
    assert all(trial.state is TrialState.COMPLETED and trial.epochs for trial in trials)
    assert trials[1].values != trials[2].values

    best = best_trial(trials, bench.task.direction)
    assert best is not None
    folder = home.run_folder(run_record.id)
    saved = load_validation(folder / "trials" / f"{best.number:04d}")
    own = from_trial(best, bench, folder)
    rows = bench.prepared.indices["validation"]  # type: ignore[index]
    np.testing.assert_allclose(own.model.predict(bench.prepared.inputs[rows], verbose=0), saved, atol=1e-5)

    again = refit(best, bench, folder, max_seconds=60.0)
    assert again.refitted or again.note
    floor = from_trial(trials[0], bench, folder)
    reading = evaluate(again, floor, bench.prepared, bench.task, seed=0)
    evaluation = reading.evaluation
    assert evaluation.num_examples == len(bench.prepared.indices["test"])  # type: ignore[index]
    assert [one.baseline for one in evaluation.comparisons] == ["floor", "majority"]
    for figure in evaluation.metrics.values():
        assert figure.low <= figure.value <= figure.high
    assert sum(map(sum, evaluation.confusion)) == evaluation.num_examples


def test_the_floor_compared_with_itself_is_not_better(
    bench: Workbench, ledger: Ledger, run_record: Run, home: Home
) -> None:
    trials = searched(bench, ledger, run_record, home, trials=1)
    floor = from_trial(trials[0], bench, home.run_folder(run_record.id))
    comparison = evaluate(floor, floor, bench.prepared, bench.task, seed=0).evaluation.comparisons[0]
    assert comparison.difference.value == 0.0
    assert not comparison.better


def test_a_mistake_in_a_space_stops_the_search_and_says_where(
    bench: Workbench, ledger: Ledger, run_record: Run, home: Home
) -> None:
    def build(values, spec, task):  # type: ignore[no-untyped-def]
        raise TypeError("unsupported operand")

    with pytest.raises(BadSpace, match="Space 'cnn' failed with .*TypeError: unsupported operand"):
        searched(bench, ledger, run_record, home, space=dataclasses.replace(quick(), build=build))
    trials = ledger.trials(run_record.id)
    assert trials[0].state is TrialState.COMPLETED
    assert trials[-1].state is TrialState.FAILED and "Traceback" in (trials[-1].error or "")


@pytest.mark.filterwarnings("ignore:.*encountered in.*:RuntimeWarning")
def test_values_that_diverge_cost_a_trial_and_not_the_search(
    bench: Workbench, ledger: Ledger, run_record: Run, home: Home
) -> None:
    def recipe(values):  # type: ignore[no-untyped-def]
        return dataclasses.replace(CNN.recipe(values), optimizer="sgd", learning_rate=1e30)

    trials = searched(bench, ledger, run_record, home, space=dataclasses.replace(CNN, recipe=recipe))
    assert [trial.state.value for trial in trials] == ["completed", "failed", "failed"]
    assert "became" in (trials[1].error or "")


def full_disk(*args: object, **kwargs: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_ends_the_search_with_its_own_sentence(
    bench: Workbench, ledger: Ledger, run_record: Run, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(StoreError, match="full"):
        searched(bench, ledger, run_record, home)


def test_search_stops_when_asked_but_has_its_floor(
    bench: Workbench, ledger: Ledger, run_record: Run, home: Home
) -> None:
    asked = dataclasses.replace(assignment(run_record, home), stop_requested=lambda: True)
    search(asked, bench, ledger, Leases(open_database(home)))
    assert [trial.space for trial in ledger.trials(run_record.id)] == ["floor"]


def test_a_worker_leaves_before_a_trial_and_never_with_one(
    bench: Workbench, ledger: Ledger, run_record: Run, home: Home
) -> None:
    leases = Leases(open_database(home))
    answers = iter([False, True])
    search(dataclasses.replace(assignment(run_record, home), leave=lambda: next(answers)), bench, ledger, leases)
    assert [trial.state for trial in ledger.trials(run_record.id)] == [TrialState.COMPLETED]
    assert leases.held(run_record.id) == []


def test_a_worker_without_work_asks_again_for_as_long_as_it_is_worth_waiting(
    bench: Workbench, ledger: Ledger, run_record: Run, home: Home
) -> None:
    """The other worker's trial comes free while this one waits."""
    leases = Leases(open_database(home))
    searched(bench, ledger, run_record, home, trials=1)
    second = dataclasses.replace(ledger.trials(run_record.id)[0], space="cnn")
    proposal = Proposal(space="cnn", values=second.values, seed=1, max_seconds=60.0)
    leases.lease(run_record.id, "other", lambda trials: proposal)
    waits = iter([True, True, False])

    def wait() -> bool:
        leases.release(run_record.id, "other", "It is gone.", counts=True)
        return next(waits)

    spaces = {"floor": bench.spaces["floor"], "cnn": quick()}
    waiting = dataclasses.replace(assignment(run_record, home, trials=2), wait=wait)
    search(waiting, dataclasses.replace(bench, spaces=spaces), ledger, leases)
    assert [(trial.state, trial.attempt) for trial in ledger.trials(run_record.id)] == [
        (TrialState.COMPLETED, 1),
        (TrialState.COMPLETED, 2),
    ]


def test_search_writes_no_state_but_the_ledger_and_weights(
    bench: Workbench, ledger: Ledger, run_record: Run, home: Home
) -> None:
    searched(bench, ledger, run_record, home, trials=2)
    written = {path.name for path in home.run_folder(run_record.id).rglob("*") if path.is_file()}
    assert written == {"weights.npz", "validation.npy", "outside.npz"}


def test_dimensions_have_what_the_space_can_build(bench: Workbench) -> None:
    dimensions = dimensions_of(declare(CNN, bench))
    assert {one.name.split("/")[0] for one in dimensions} == {"cnn"}
    assert all(one.holds(one.default) for one in dimensions)
    for pick in (0, -1):  # the smallest and the largest of everything
        values = {
            one.name: one.choices[pick] if isinstance(one, Category) else one.to_value(-pick) for one in dimensions
        }
        CNN.build(read(CNN, values, bench.prepared.spec), bench.prepared.spec, bench.task)


class OutOfMemory(keras.layers.Layer):
    """Needs more memory than there is for training on batches of more than `largest` examples."""

    def __init__(self, largest: int, sizes: list[int]) -> None:
        super().__init__()
        self.largest, self.tell = largest, sizes.append  # Keras copies a list that is set as an attribute

    def call(self, inputs, training=False):  # type: ignore[no-untyped-def]
        if training:
            tensorflow.py_function(self.allocate, [tensorflow.shape(inputs)[0]], [])
        return inputs

    def allocate(self, size) -> None:  # type: ignore[no-untyped-def]
        """TensorFlow turns the error into its own ResourceExhaustedError."""
        self.tell(int(size))
        if size > self.largest:
            raise MemoryError(f"no room for {int(size)} examples")


def greedy(largest: int, sizes: list[int]) -> Space:
    """The quick space's recipe, whose batches of 16 are too large where `largest` is less."""

    def build(values, spec, task):  # type: ignore[no-untyped-def]
        inputs = keras.Input(spec.input_shape, dtype=spec.dtype)
        x = OutOfMemory(largest, sizes)(keras.layers.Rescaling(1 / 255)(inputs))
        x = keras.layers.Dense(spec.num_classes, name="logits")(keras.layers.Flatten()(x))
        return keras.Model(inputs, keras.layers.Softmax()(x))

    return dataclasses.replace(quick(), build=build)


def test_out_of_memory_halves_the_batch_once(bench: Workbench, ledger: Ledger, run_record: Run, home: Home) -> None:
    sizes: list[int] = []
    trial = searched(bench, ledger, run_record, home, trials=2, space=greedy(8, sizes))[1]
    assert (trial.state, trial.batch_divisor, trial.attempt) == (TrialState.COMPLETED, 2, 1)
    assert sizes[0] == 16 and 8 in sizes
    assert [epoch.epoch for epoch in trial.epochs] == [1, 2, 3]


def test_out_of_memory_with_half_the_batch_too_costs_the_trial(
    bench: Workbench, ledger: Ledger, run_record: Run, home: Home
) -> None:
    trials = searched(bench, ledger, run_record, home, trials=3, space=greedy(4, []))
    assert [trial.state.value for trial in trials] == ["completed", "failed", "failed"]
    assert "Out of memory, also with half the batch." in (trials[1].error or "")
    assert "no room for 8 examples" in (trials[1].error or "")


def test_what_tensorflow_says_about_memory_is_understood() -> None:
    assert is_out_of_memory(tensorflow.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"))
    assert is_out_of_memory(RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 7 bytes."))
    assert not is_out_of_memory(ValueError("shapes do not match"))


class Held(Leases):
    """A database that another process holds when an epoch is to be written."""

    error: Exception = BusyError("The database was held by another process for 60 seconds.")

    def record_epoch(self, lease: Lease, report: EpochReport) -> None:
        raise self.error


def test_a_held_database_is_no_mistake_in_a_space(
    bench: Workbench, ledger: Ledger, run_record: Run, home: Home
) -> None:
    held = Held(open_database(home))
    with pytest.raises(BusyError, match="held by another process"):
        searched(bench, ledger, run_record, home, leases=held)
    assert ledger.trials(run_record.id)[0].state is TrialState.RUNNING
    assert held.release(run_record.id, "w1", "It gave up.", counts=False) == [0]


def test_a_worker_that_lost_its_trial_ends(bench: Workbench, ledger: Ledger, run_record: Run, home: Home) -> None:
    lost = Held(open_database(home))
    lost.error = LeaseLost("It is not leased any more.")
    with pytest.raises(LeaseLost):
        searched(bench, ledger, run_record, home, leases=lost)


def test_a_refit_keeps_the_schedule_in_epochs(run_record: Run, bench: Workbench, ledger: Ledger, home: Home) -> None:
    result = searched(bench, ledger, run_record, home, trials=2)[1].result
    assert result is not None
    longer = scaled_schedule(result, 2 * result.steps_per_epoch)
    assert longer.planned_steps == 2 * result.planned_steps
    assert longer.stop_after == 2 * result.best_step


def test_trials_end_without_a_session_left(bench: Workbench, ledger: Ledger, run_record: Run, home: Home) -> None:
    searched(bench, ledger, run_record, home, trials=2)
    assert keras.backend.get_uid("dense") == 1


def test_weights_of_a_trial_are_whole_or_absent(bench: Workbench, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from pipelines import trial as module

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(StoreError, match="full"):
        module.save(tmp_path / "t", keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), np.zeros((1, 2)))
    assert not (tmp_path / "t" / module.WEIGHTS).exists()
