"""A whole run on JAX: from data to a registered bundle that ONNX Runtime serves."""

import json
from pathlib import Path

import numpy as np
import pytest

from serving.bundle import open_bundle
from serving.model_store import folder_of
from store.database import open_database
from store.home import open_home
from store.registry import Registry
from tests.backends.children import needs_jax, on_jax

RUN = """
import sys
from records.config import RunConfig
from pipelines.run import run
outcome = run(RunConfig(data="digits", budget_seconds=100.0, max_trials=2, spaces=("cnn",)))
print(outcome.model.ref, "tensorflow" in sys.modules, "jax" in sys.modules)
"""


@needs_jax
@pytest.mark.e2e
def test_a_run_on_jax_registers_a_bundle_for_onnx_runtime(tmp_path: Path) -> None:
    reference, tensorflow, jax = on_jax("-c", RUN, home=tmp_path).splitlines()[-1].split()
    assert (tensorflow, jax) == ("False", "True"), "the run's own process refits, evaluates and packages"
    home = open_home(tmp_path)
    model = Registry(open_database(home)).versions(reference.split(":")[0])[0]
    folder = folder_of(home, model.name, model.bundle_id)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["engine"] == "onnxruntime" and "jax" in manifest["packages"]
    difference = next(one["max_difference"] for one in manifest["engines"] if one["name"] == "onnxruntime")
    assert difference < 1e-4 and np.isfinite(difference)
    bundle = open_bundle(folder)
    try:
        assert bundle.reproduces_sample()
    finally:
        bundle.close()
