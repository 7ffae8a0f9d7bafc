"""A whole search in process: the ledger has it all, the floor comes first, bad spaces stop it, bad values do not."""

import dataclasses
import errno
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from pipelines.evaluate import evaluate
from pipelines.governor import Governor
from pipelines.refit import from_trial, refit, scaled_schedule
from pipelines.search import BadSpace, declare, dimensions_of, next_configuration, search
from pipelines.trial import Workbench, load_validation
from records.config import RunConfig
from records.errors import StoreError
from records.trial import Run, Trial, TrialState, best_trial
from search_spaces.cnn import CNN
from search_spaces.space import Space
from store.home import Home
from store.ledger import Ledger


def governor(seconds: float = 300.0) -> Governor:
    return Governor(started=time.monotonic(), deadline=time.monotonic() + seconds)


def quick(space: Space = CNN) -> Space:
    """The space with few epochs, so that a trial takes a second."""
    return dataclasses.replace(
        space, recipe=lambda values: dataclasses.replace(CNN.recipe(values), max_epochs=3, batch_size=16)
    )


def searched(
    bench: Workbench, ledger: Ledger, run: Run, home: Home, trials: int = 3, space: Space | None = None
) -> list[Trial]:
    spaces = {"floor": bench.spaces["floor"], "cnn": space or quick()}
    config = RunConfig(data="tiny", max_trials=trials)
    folder = home.run_folder(run.id)
    search(run.id, ledger, dataclasses.replace(bench, spaces=spaces), config, governor(), folder, lambda: False)
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
    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(StoreError, match="full"):
        searched(bench, ledger, run_record, home)


def test_search_stops_when_asked_but_has_its_floor(
    bench: Workbench, ledger: Ledger, run_record: Run, home: Home
) -> None:
    config, folder = RunConfig(data="tiny"), home.run_folder(run_record.id)
    search(run_record.id, ledger, bench, config, governor(), folder, stop_requested=lambda: True)
    assert [trial.space for trial in ledger.trials(run_record.id)] == ["floor"]


def test_search_writes_no_state_but_the_ledger_and_weights(
    bench: Workbench, ledger: Ledger, run_record: Run, home: Home
) -> None:
    searched(bench, ledger, run_record, home, trials=2)
    written = {path.name for path in home.run_folder(run_record.id).rglob("*") if path.is_file()}
    assert written == {"weights.npz", "validation.npy"}


def test_dimensions_give_values_that_the_space_can_build(bench: Workbench) -> None:
    dimensions = dimensions_of(declare(CNN, bench))
    assert {one.name.split("/")[0] for one in dimensions} == {"cnn"}
    for unit in (0.0, 0.3, 0.99):
        for one in dimensions:
            if one.choices is None:
                assert one.to_value(one.to_unit(one.to_value(unit))) == pytest.approx(one.to_value(unit), rel=1e-6)


def test_the_portfolio_comes_before_the_estimator(bench: Workbench) -> None:
    dimensions = {"cnn": dimensions_of(declare(CNN, bench))}
    assert next_configuration(bench, dimensions, [], seed=0) == ("floor", {})
    floor = Trial(run_id="r", number=0, space="floor", values={}, state=TrialState.COMPLETED, seed=0, score=0.1)
    second = next_configuration(bench, dimensions, [floor], seed=0)
    assert second is not None and second[0] == "cnn" and second[1]["cnn/filters"] == 32


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
