"""Packaging: the bundle answers as training did, is registered last, and nothing else is left behind."""

import base64
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from pipelines.calibrating import tempered
from pipelines.evaluate import evaluate
from pipelines.export import compare_engines, export_onnx, fastest, save_keras
from pipelines.package import Package, package
from pipelines.refit import from_trial
from pipelines.trial import Workbench, run_trial
from records.bundle import Calibration, Engine, Manifest
from records.candidate import Candidate
from records.data import Split
from records.errors import BundleError
from records.task import MOST_LIKELY
from records.trial import Run, Trial, TrialSpec, TrialState, Verdict
from search_spaces.temperature import with_temperature
from serving.bundle import open_bundle, verify
from serving.honesty.conformal import sort_scores
from serving.model_store import folder_of, remove_unregistered
from serving.parsing.parameters import Options
from store.database import open_database
from store.home import Home
from store.ledger import Ledger
from store.registry import Registry


def make_candidate(bench: Workbench, home: Home, run_id: str) -> Candidate:
    folder = home.run_folder(run_id) / "trials" / "0001"
    values = {"cnn/filters": 16, "cnn/num_blocks": 2, "cnn/convolutions": 1}
    spec = TrialSpec(run_id=run_id, number=1, space="cnn", values=values, seed=1, max_seconds=4.0, folder=str(folder))
    result = run_trial(spec, bench, lambda _: Verdict.CONTINUE)
    trial = Trial(
        run_id=run_id,
        number=1,
        space="cnn",
        values=values,
        state=TrialState.COMPLETED,
        seed=1,
        score=result.score,
        result=result,
    )
    return from_trial(trial, bench, home.run_folder(run_id))


@pytest.fixture
def parts(bench: Workbench, home: Home, run_record: Run) -> Package:
    candidate = make_candidate(bench, home, run_record.id)
    return Package(
        run=run_record,
        task=bench.task,
        candidate=candidate,
        prepared=bench.prepared,
        reading=evaluate(candidate, candidate, bench.prepared, bench.task, seed=0),
        decision=MOST_LIKELY,
        write_papers=lambda manifest: (f"<h1>{manifest.name}</h1>", f"# {manifest.name}"),
    )


def test_bundle_answers_as_training_did(parts: Package, home: Home) -> None:
    registry = Registry(open_database(home))
    model, manifest = package(parts, home, registry)
    assert model.ref == "tiny:1" and registry.resolve("tiny") == model
    folder = folder_of(home, model.name, model.bundle_id)
    verify(folder, model.checksum)
    bundle = open_bundle(folder)
    prepared = parts.prepared
    rows = prepared.indices[Split.TRAIN][:7]
    answers = bundle.predict([np.asarray(prepared.inputs[row]) for row in rows])
    trained = parts.candidate.model.predict(prepared.inputs[rows], verbose=0)
    for answer, probabilities in zip(answers, trained, strict=True):
        given = {one.label: one.probability for one in answer.classes}
        np.testing.assert_allclose([given[label] for label in prepared.spec.labels], probabilities, atol=1e-4)
    assert bundle.reproduces_sample()
    assert manifest.engine == "onnxruntime"
    assert manifest.evaluation == parts.reading.evaluation
    with np.load(folder / "reference.npz", allow_pickle=False) as reference:
        assert reference["predictions"].shape[1] == 3
        assert reference["embeddings"].shape[0] == len(prepared.indices[Split.VALIDATION])


def test_a_bundle_has_the_temperature_and_keeps_the_promise_of_its_scores(parts: Package, home: Home) -> None:
    found = Calibration(
        temperature=2.0, num_examples=400, log_loss_before=0.5, log_loss_after=0.4, error_before=0.1, error_after=0.05
    )
    plain = parts.candidate.model
    candidate = replace(parts.candidate, model=with_temperature(plain, 2.0), calibration=found)
    given = replace(parts, candidate=candidate, scores=sort_scores(np.linspace(0.0, 1.0, 101)))
    model, manifest = package(given, home, Registry(open_database(home)))
    assert manifest.calibration == found
    bundle = open_bundle(folder_of(home, model.name, model.bundle_id))
    rows = parts.prepared.indices[Split.TEST][:9]
    pictures = [np.asarray(parts.prepared.inputs[row]) for row in rows]
    expected = tempered(plain.predict(parts.prepared.inputs[rows], verbose=0), 2.0)
    for answer, row in zip(bundle.predict(pictures, Options(coverage=0.8)), expected, strict=True):
        named = {one.label: one.probability for one in answer.classes}
        np.testing.assert_allclose([named[label] for label in parts.prepared.spec.labels], row, atol=1e-5)
        inside = {label for label, p in named.items() if 1 - p <= 0.82} | {answer.label}
        assert set(answer.set) == inside


def test_manifest_keeps_its_keys(parts: Package, home: Home) -> None:
    _, manifest = package(parts, home, Registry(open_database(home)))
    golden = json.loads((Path(__file__).parent / "golden" / "manifest_keys.json").read_text())
    assert sorted(json.loads(manifest.model_dump_json())) == golden


def test_second_package_is_the_next_version(parts: Package, home: Home) -> None:
    registry = Registry(open_database(home))
    assert [package(parts, home, registry)[0].version for _ in range(2)] == [1, 2]


def test_a_failed_package_leaves_nothing(parts: Package, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(manifest: Manifest) -> tuple[str, str]:
        raise BundleError("no paper")

    import dataclasses

    with pytest.raises(BundleError, match="no paper"):
        package(dataclasses.replace(parts, write_papers=broken), home, Registry(open_database(home)))
    assert Registry(open_database(home)).versions() == []
    assert [path.name for path in home.run_folder(parts.run.id).glob("bundle-*")] == []


def test_a_bundle_that_does_not_reproduce_its_sample_is_not_registered(
    parts: Package, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.bundle.ModelBundle.reproduces_sample", lambda self: False)
    with pytest.raises(BundleError, match="does not give the answer to its own sample"):
        package(parts, home, Registry(open_database(home)))
    assert Registry(open_database(home)).versions() == []


def test_sample_request_works_as_printed(parts: Package, home: Home) -> None:
    model, _ = package(parts, home, Registry(open_database(home)))
    folder = folder_of(home, model.name, model.bundle_id)
    request = json.loads((folder / "sample_request.json").read_text())
    answer = open_bundle(folder).predict([base64.b64decode(request["inputs"][0]["image"])])[0]
    expected = json.loads((folder / "sample_answer.json").read_text())["predictions"][0]
    assert answer.label == expected["label"]


def test_an_engine_that_differs_is_not_used(tmp_path: Path) -> None:
    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="embedding")(inputs))
    saved = save_keras(model, tmp_path)
    sample = np.ones((2, 4), np.float32)
    assert export_onnx(saved, tmp_path, sample) is None
    right = np.asarray(model(sample))
    assert all(engine.usable for engine in compare_engines(tmp_path, sample, right, None))
    wrong = compare_engines(tmp_path, sample, right + 0.01, None)
    assert not any(engine.usable for engine in wrong)
    assert "differ from training's by 0.01" in wrong[0].note
    with pytest.raises(BundleError, match="No engine gives what training gave"):
        fastest(wrong)


def test_a_network_that_cannot_be_exported_is_served_by_keras(tmp_path: Path) -> None:
    inputs = keras.Input((4,), name="x")
    model = save_keras(keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs)), tmp_path)
    sample = np.ones((2, 4), np.float32)
    engines = compare_engines(tmp_path, sample, np.asarray(model(sample)), "It cannot be exported to ONNX: no reason.")
    assert fastest(engines).name == "keras"
    assert engines[0] == Engine(name="onnxruntime", usable=False, note="It cannot be exported to ONNX: no reason.")


KILLED = """
import os, signal, sys
from pathlib import Path
step = sys.argv[1]
import serving.model_store, serving.bundle, pipelines.package as packaging
from store.registry import Registry

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

class Dying:
    def __init__(self, inner): self.inner = inner
    def __call__(self, *args, **kwargs):
        result = self.inner(*args, **kwargs)
        die()

targets = {
    "saved": (packaging, "save_keras"), "exported": (packaging, "export_onnx"),
    "checked": (packaging, "write_checksums"), "stored": (packaging, "put"), "registered": (Registry, "register"),
}
if step == "copying":
    import shutil
    real = shutil.copy2
    def copy_some(source, target, *args, **kwargs):
        result = real(source, target, *args, **kwargs)
        if str(target).endswith("model.keras"): die()
        return result
    shutil.copytree.__defaults__ = tuple(copy_some if d is real else d for d in shutil.copytree.__defaults__)
    shutil.copytree.__kwdefaults__ = None
elif step == "registered":
    real_register = Registry.register
    def register(self, *args, **kwargs):
        real_register(self, *args, **kwargs)
        die()
    Registry.register = register
else:
    module, name = targets[step]
    setattr(module, name, Dying(getattr(module, name)))

from tests.pipelines.test_package import make_candidate
from tests.tiny import make_prepared
from pipelines.bench import open_bench
from pipelines.evaluate import evaluate
from records.config import RunConfig
from records.task import MOST_LIKELY, get_task
from records.trial import Run, RunState
from store.database import open_database
from store.home import open_home

home = open_home()
prepared = make_prepared(home.root)
bench, _ = open_bench(RunConfig(data="tiny", spaces=("cnn",)), prepared, get_task("classification"), home)
candidate = make_candidate(bench, home, "run1")
run = Run(id="run1", name="tiny", state=RunState.RUNNING, config={}, task="classification", objective="accuracy",
          started_at="2026-01-01T00:00:00+00:00")
parts = packaging.Package(run=run, task=bench.task, candidate=candidate, prepared=prepared,
    reading=evaluate(candidate, candidate, prepared, bench.task, seed=0),
    decision=MOST_LIKELY,
    write_papers=lambda manifest: ("<h1>x</h1>", "# x"))
packaging.package(parts, home, Registry(open_database(home)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", ["saved", "exported", "checked", "copying", "stored", "registered"])
def test_kill_at_each_step_leaves_a_registered_bundle_or_none(step: str, home: Home, tmp_path: Path) -> None:
    environment = os.environ | {"KERASMITH_HOME": str(home.root), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", KILLED, step], env=environment, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    registry = Registry(open_database(home))
    registered = registry.versions()
    assert len(registered) == (1 if step == "registered" else 0)
    remove_unregistered(home, registry.bundle_ids())
    entries = [path for path in (home.bentoml / "models").glob("*/*") if path.is_dir()]
    assert len(entries) == len(registered)
    for model in registered:
        folder = folder_of(home, model.name, model.bundle_id)
        verify(folder, model.checksum)
        assert open_bundle(folder).reproduces_sample()
    Ledger(open_database(home)).mark_dead_runs()
