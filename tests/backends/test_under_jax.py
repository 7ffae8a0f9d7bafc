"""Training on JAX: the steps, and trials that are interrupted, kept, or run like a worker runs them."""

import json
from pathlib import Path

import pytest

from tests.backends.children import needs_jax, on_jax

pytestmark = [needs_jax, pytest.mark.slow]
ALSO_ON_JAX = (
    "tests/backends/under_jax.py",
    "tests/pipelines/test_interrupted_trials.py::test_a_cross_validated_trial_goes_on_from_any_of_its_checkpoints",
    "tests/pipelines/test_interrupted_trials.py::test_an_epoch_that_was_not_told_is_told_again",
)
"""Tests that are run on TensorFlow as well say there, bit for bit, what an interrupted trial must give."""


def test_what_holds_of_training_holds_on_jax() -> None:
    told = on_jax("-m", "pytest", "-p", "no:cacheprovider", *ALSO_ON_JAX)
    assert " passed" in told and "skipped" not in told and "failed" not in told, told


WORKER = """
import json, sys
from pathlib import Path
import pipelines.workers.process, pipelines.search  # what a worker imports
from pipelines.backend import configured
from pipelines.bench import open_bench
from pipelines.trial import run_trial
from records.config import RunConfig
from records.task import get_task
from records.trial import TrialSpec, Verdict
from store.home import open_home
from tests.tiny import make_prepared

folder = Path(sys.argv[1])
bench, _ = open_bench(RunConfig(data="tiny", spaces=("cnn",)), make_prepared(folder), get_task("classification"),
                      open_home(folder / "home"))
results = []
for number, rate in enumerate((1e-3, 3e-3)):
    values = {"cnn/filters": 16, "cnn/num_blocks": 2, "cnn/dropout_rate": 0.2, "cnn/learning_rate": rate,
              "cnn/batch_size": 16}
    trial = TrialSpec(run_id="r", number=number, space="cnn", values=values, seed=5, max_seconds=15.0,
                      folder=str(folder / str(number)))
    results.append(run_trial(trial, bench, lambda _: Verdict.CONTINUE))
print(json.dumps({
    "scores": [result.score for result in results],
    "reused": [result.graph_reused for result in results],
    "loaded": sorted({name.split(".")[0] for name in sys.modules}),
}))
"""


def test_what_a_worker_loads(tmp_path: Path) -> None:
    """KerasTuner imports TensorFlow where it is the backend, and TensorBoard in runs of its own tuners alone."""
    told = json.loads(on_jax("-c", WORKER, str(tmp_path)).splitlines()[-1])
    assert {"jax", "keras", "keras_tuner", "optuna"} <= set(told["loaded"])
    assert not {"tensorflow", "tensorboard", "tf2onnx", "tensorflow_datasets", "torch"} & set(told["loaded"])
    assert told["reused"] == [False, True], "one compiled graph for trials that differ in the learning rate alone"
    assert max(told["scores"]) > 0.5, "the first trial also compiles, which may take most of its seconds"


THREADS = """
import sys
from pipelines.workers.process import limit_threads
limit_threads(int(sys.argv[1]))
import jax, os
jax.numpy.ones((300, 300)) @ jax.numpy.ones((300, 300))
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Threads are counted as Linux shows them.")
def test_a_worker_takes_no_more_cores_than_it_is_given() -> None:
    one, five = (int(on_jax("-c", THREADS, str(count)).splitlines()[-1]) for count in (1, 5))
    assert five - one >= 4
