import json
import subprocess
import sys
from pathlib import Path

import pytest

from records.bundle import SAMPLE_ANSWER
from records.errors import BundleError, ConfigError
from serving.bundle import write_checksums
from serving.service import load
from serving.settings import Settings

HEAVY = {
    "keras",
    "tensorflow",
    "keras_tuner",
    "optuna",
    "tensorflow_datasets",
    "jax",
    "torch",
    "sklearn",
    "pandas",
    "tokenizers",
    "pyarrow",
}


def test_the_service_loads_a_model_without_the_training_libraries(pristine: Path, tmp_path: Path) -> None:
    code = f"""
import json, sys
from pathlib import Path
from serving.service import Kerasmith, load
from serving.settings import Settings
load(Settings(folder=Path({str(pristine)!r}), ref="tiny:1")).predict([])
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(done.stdout.splitlines()[-1]))


def test_a_service_without_a_model_says_how_to_start_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERASMITH_MODEL_FOLDER", raising=False)
    with pytest.raises(ConfigError, match="Start the server with `kerasmith serve`"):
        Settings.from_environment()


def test_a_bundle_that_does_not_reproduce_its_sample_is_not_served(bundle_folder: Path) -> None:
    path = bundle_folder / SAMPLE_ANSWER
    path.write_text(path.read_text().replace('"red"', '"blue"', 1))
    write_checksums(bundle_folder)
    with pytest.raises(BundleError, match="tiny:1 does not reproduce its own sample on this machine"):
        load(Settings(folder=bundle_folder, ref="tiny:1"))
