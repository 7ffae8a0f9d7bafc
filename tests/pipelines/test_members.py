"""The model of a run: an average of trials where there is one that is better, and time for it; else the best trial."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from pipelines.bench import open_bench
from pipelines.costs import GUESSED
from pipelines.decisions import choose_decision
from pipelines.evaluate import evaluate, predict_rows
from pipelines.governor import Governor
from pipelines.members import MOST_EXAMPLES, SEED_STEP, Rest, choose, final_candidate
from pipelines.metrics import score, truth_of
from pipelines.outside import load_outside, save_outside
from pipelines.package import Package, package
from pipelines.refit import from_trial, refit, trial_folder
from pipelines.run import run
from pipelines.trial import Workbench, load_validation, run_trial
from records.config import RunConfig
from records.data import Split
from records.errors import ConfigError
from records.task import get_task
from records.trial import Run, Trial, TrialSpec, TrialState, Verdict
from serving.bundle import open_bundle
from serving.model_store import folder_of
from store.database import open_database
from store.home import Home, open_home
from store.registry import Registry
from tests.tiny import make_prepared

VALUES = {"cnn/filters": 16, "cnn/num_blocks": 2, "cnn/convolutions": 1}


def train_trial(bench: Workbench, run_folder: Path, number: int, space: str) -> Trial:
    folder = run_folder / "trials" / f"{number:04d}"
    values = VALUES if space == "cnn" else {}
    spec = TrialSpec(
        run_id="r", number=number, space=space, values=values, seed=number, max_seconds=4.0, folder=str(folder)
    )
    result = run_trial(spec, bench, lambda _: Verdict.CONTINUE)
    return Trial(
        run_id="r",
        number=number,
        space=space,
        values=values,
        state=TrialState.COMPLETED,
        seed=number,
        score=result.score,
        result=result,
    )


def rest(bench: Workbench, folder: Path, seconds: float = 300.0, max_members: int = 3, hurry: bool = False) -> Rest:
    governor = Governor(started=time.monotonic(), deadline=time.monotonic() + seconds, num_test=29)
    return Rest(bench, folder, governor, max_members, hurry)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workbench, list[Trial], Path]:
    """The floor and two networks."""
    folder = tmp_path_factory.mktemp("trained")
    prepared, home = make_prepared(folder), open_home(folder / "home")
    bench, _ = open_bench(RunConfig(data="tiny", spaces=("cnn",)), prepared, get_task("classification"), home)
    kinds = enumerate(("floor", "cnn", "cnn"))
    return bench, [train_trial(bench, folder / "run", number, space) for number, space in kinds], folder / "run"


@pytest.fixture
def searched(trained: tuple[Workbench, list[Trial], Path], tmp_path: Path) -> tuple[Workbench, list[Trial], Path]:
    """As if the two networks made opposite mistakes, so that their mean is right."""
    bench, trials, made = trained
    folder = shutil.copytree(made, tmp_path / "run")
    saved = load_outside(trial_folder(folder, trials[1]))
    assert saved is not None
    rows, _ = saved
    truth = np.eye(3)[np.asarray(bench.prepared.targets)[rows]]
    other = np.roll(truth, 1, axis=1)
    doubt = np.random.default_rng(0).uniform(0.0, 0.6, (len(rows), 1))
    for trial, wrong in zip(trials, (0.7, doubt, 0.6 - doubt), strict=True):
        save_outside(trial_folder(folder, trial), rows, (1 - wrong) * truth + wrong * other)
    return bench, trials, folder


def test_a_trial_keeps_what_it_said_of_every_example_that_it_is_judged_by(
    trained: tuple[Workbench, list[Trial], Path],
) -> None:
    bench, trials, folder = trained
    prepared, trial = bench.prepared, trials[0]
    saved = load_outside(trial_folder(folder, trial))
    assert saved is not None
    rows, predictions = saved
    fitted_on = np.concatenate([prepared.indices[Split.TRAIN], prepared.indices[Split.VALIDATION]])
    assert rows.tolist() == sorted(fitted_on), "few examples: each was left out of a training once"
    given = np.isin(rows, prepared.indices[Split.VALIDATION])
    np.testing.assert_array_equal(predictions[given], load_validation(trial_folder(folder, trial)))
    assert score(bench.task, truth_of(prepared, rows), predictions)["accuracy"] == pytest.approx(trial.score)


def test_the_model_is_the_mean_of_the_trials_that_make_up_for_each_other(
    searched: tuple[Workbench, list[Trial], Path],
) -> None:
    bench, trials, folder = searched
    best = trials[1]
    made = final_candidate(trials, best, rest(bench, folder))
    assert made.average is not None
    parts = made.average.parts
    assert {part.trial for part in parts} == {1, 2} and sum(part.weight for part in parts) == pytest.approx(1.0)
    assert made.average.score > made.average.single_score
    assert made.trial.number == parts[0].trial and made.space == "cnn" and set(made.members) == {1, 2}
    weights = {part.trial: part.weight for part in parts}
    own = sum(weights[i] * load_validation(trial_folder(folder, trials[i])) for i in (1, 2))
    np.testing.assert_allclose(made.validation_predictions, own, atol=1e-6)
    for part in parts:
        assert part.refitted or part.note
    if not made.refitted:
        assert made.note == "", "each part says it"
    rows = bench.prepared.indices[Split.TEST]
    said = predict_rows(made.model, bench.prepared, rows)
    np.testing.assert_allclose(said.sum(axis=1), 1.0, atol=1e-5)


def test_without_time_to_fit_them_again_the_trials_own_weights_are_averaged(
    searched: tuple[Workbench, list[Trial], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, trials, folder = searched
    best = trials[1]
    monkeypatch.setattr(Governor, "refit_seconds", lambda self, trial: 0.0 if trial is best else 1e9)
    made = final_candidate(trials, best, rest(bench, folder))
    assert made.average is not None and not made.refitted
    other = next(part for part in made.average.parts if part.trial != best.number)
    assert not other.refitted and other.note == "There was no time for a fit on all examples."


@pytest.mark.parametrize(("most", "seconds", "hurry"), [(1, 300.0, False), (3, 300.0, True), (3, 12.5, False)])
def test_one_network_is_made_when_that_is_asked_for_or_time_is_short(
    most: int, seconds: float, hurry: bool, searched: tuple[Workbench, list[Trial], Path]
) -> None:
    bench, trials, folder = searched
    best = trials[1]
    made = final_candidate(trials, best, rest(bench, folder, seconds, most, hurry))
    assert made.average is None and made.trial is best
    alone = from_trial(best, bench, folder)
    if not made.refitted:
        inputs = bench.prepared.inputs[:7]
        np.testing.assert_allclose(made.model.predict_on_batch(inputs), alone.model.predict_on_batch(inputs), atol=1e-6)


def test_trials_that_left_nothing_are_not_averaged(searched: tuple[Workbench, list[Trial], Path]) -> None:
    bench, trials, folder = searched
    best = trials[1]
    (trial_folder(folder, trials[2]) / "outside.npz").unlink()
    (trial_folder(folder, trials[0]) / "outside.npz").unlink()
    assert choose(trials, best, rest(bench, folder)) is None
    (trial_folder(folder, best) / "outside.npz").unlink()
    assert choose(trials, best, rest(bench, folder)) is None


def test_very_many_examples_are_thinned_out(
    searched: tuple[Workbench, list[Trial], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, trials, folder = searched
    best = trials[1]
    assert MOST_EXAMPLES > 1000
    monkeypatch.setattr("pipelines.members.MOST_EXAMPLES", 30)
    chosen = choose(trials, best, rest(bench, folder))
    assert chosen is not None and chosen.num_examples == 28


def test_an_average_is_packaged_like_any_network(
    home: Home, run_record: Run, searched: tuple[Workbench, list[Trial], Path]
) -> None:
    bench, trials, folder = searched
    best = trials[1]
    made = final_candidate(trials, best, rest(bench, folder))
    decision = choose_decision(bench.task, made.validation_targets, made.validation_predictions)
    parts = Package(
        run=run_record,
        task=bench.task,
        candidate=made,
        prepared=bench.prepared,
        reading=evaluate(made, from_trial(trials[0], bench, folder), bench.prepared, bench.task, 0, decision),
        decision=decision,
        write_papers=lambda manifest: ("<h1>x</h1>", "# x"),
    )
    model, manifest = package(parts, home, Registry(open_database(home)))
    assert manifest.average == made.average and manifest.engine == "onnxruntime"
    assert all(engine.usable for engine in manifest.engines)
    bundle = open_bundle(folder_of(home, model.name, model.bundle_id))
    assert bundle.reproduces_sample()


def test_what_was_asked_for_is_checked() -> None:
    for wrong in (0, 9):
        with pytest.raises(ConfigError, match="`ensemble` must lie between 1 and 8"):
            RunConfig(data="x", ensemble=wrong)


def noisy_table(folder: Path) -> Path:
    """Of what moves the number, each network learns a part and much noise."""
    rng = np.random.default_rng(4)
    values = rng.normal(size=(260, 6))
    number = values[:, 0] + np.sin(3 * values[:, 1]) + values[:, 2] * values[:, 3] + rng.normal(0, 1.0, 260)
    rows = np.column_stack([values, number])
    path = folder / "noisy.csv"
    path.write_text("a,b,c,d,e,f,target\n" + "\n".join(",".join(f"{v:.4f}" for v in row) for row in rows) + "\n")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 3])
def test_a_run_packages_an_average_or_one_network(most: int, home: Home, tmp_path: Path) -> None:
    data = str(noisy_table(tmp_path))
    outcome = run(RunConfig(data=data, ensemble=most, budget_seconds=240.0, max_trials=5), home)
    average = outcome.manifest.average
    assert outcome.run.summary["total_seconds"] < 240.0
    told = outcome.report.read_text("utf-8")
    if most == 1:
        assert average is None and outcome.run.summary["average"] is None
        assert "is the average of" not in told
        return
    assert average is not None and 2 <= len(average.parts) <= 3
    assert average.score < average.single_score, "the root mean squared error falls"
    assert f"It is the average of {len(average.parts)} networks" in told
    assert json.loads(outcome.manifest.model_dump_json())["average"] == outcome.run.summary["average"]
    loaded = keras.saving.load_model(outcome.report.parent / "model.keras", compile=False, safe_mode=True)
    rows = outcome.prepared.indices[Split.TRAIN][:5]
    bundle = open_bundle(outcome.report.parent)
    given, _ = bundle.engine.run(outcome.prepared.inputs[rows])
    np.testing.assert_allclose(given, loaded.predict_on_batch(outcome.prepared.inputs[rows]), rtol=1e-4)


def test_few_examples_are_fitted_from_several_seeds_and_averaged(
    trained: tuple[Workbench, list[Trial], Path],
) -> None:
    bench, trials, folder = trained
    best = trials[1]
    alone = final_candidate([best], best, rest(bench, folder, max_members=1))
    together = final_candidate([best], best, rest(bench, folder, max_members=3))
    assert alone.fits == 1 and alone.refitted
    assert together.fits == 3 and together.average is None and together.space == "cnn"
    assert together.model.count_params() == 3 * alone.model.count_params()
    rows = bench.prepared.indices[Split.TEST]
    seeds = [refit(replace(best, seed=best.seed + SEED_STEP * i), bench, folder, 60.0) for i in range(3)]
    mean = np.mean([predict_rows(one.model, bench.prepared, rows) for one in seeds], axis=0)
    np.testing.assert_allclose(predict_rows(together.model, bench.prepared, rows), mean, atol=1e-5)
    assert final_candidate([best], best, rest(bench, folder, hurry=True)).fits == 1
    short = rest(bench, folder, seconds=GUESSED.packaging(0) * 2.2)
    assert final_candidate([best], best, short).fits < 3, "no fit that the budget has no time to package"
