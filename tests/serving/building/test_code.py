import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from serving.building.code import ROOT, code_for
from serving.building.requirements import LOCK, read_lock, requirements_for

TRAINING = {"tensorflow", "keras", "keras-tuner", "optuna", "streamlit", "pandas", "scikit-learn", "onnx", "tf2onnx"}


def test_a_server_of_pictures_needs_neither_training_nor_database_nor_tokenizers() -> None:
    code = code_for("image", "onnxruntime")
    assert {"serving.service", "serving.launch", "serving.admitting.limited", "serving.codecs.image"} <= set(
        code.modules
    )
    assert not {"serving.codecs.text", "serving.model_store", "serving.client", "store.database"} & set(code.modules)
    assert {"onnxruntime", "PIL", "orjson"} <= code.libraries
    assert not {"keras", "tensorflow", "tokenizers", "sqlalchemy", "optuna"} & code.libraries
    assert not any(name.split(".")[0] in ("pipelines", "ui", "search_spaces") for name in code.modules)


def test_the_kind_and_the_engine_decide_what_else_is_needed() -> None:
    text, keras = code_for("text", "onnxruntime"), code_for("table", "keras")
    assert "tokenizers" in text.libraries and "serving.codecs.text" in text.modules
    assert {"keras", "tensorflow"} <= keras.libraries and "onnxruntime" not in keras.libraries


def test_modules_are_imported_by_name_in_two_tables_alone() -> None:
    # what is named in a table elsewhere would be missing in a Bento
    naming = {
        path.relative_to(ROOT).as_posix()
        for folder in ("records", "serving", "store")
        for path in (ROOT / folder).rglob("*.py")
        if "import_module" in path.read_text()
    }
    assert naming == {"serving/codecs/catalog.py", "serving/engines.py"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["image", "forecast"])
def test_the_code_is_complete(kind: str, tmp_path: Path) -> None:
    code = code_for(kind, "onnxruntime")
    for name, path in code.files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, tmp_path / name)
    program = (
        "import importlib, sys\n"
        f"for name in {code.modules!r}:\n"
        "    module = importlib.import_module(name)\n"
        f"    assert module.__file__.startswith({str(tmp_path)!r}), module.__file__\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-P", "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not {"keras", "tensorflow", "sqlalchemy", "optuna"} & set(done.stdout.split())


def test_requirements_are_the_locks_lines_with_hashes_and_without_addresses() -> None:
    requirements = requirements_for(code_for("image", "onnxruntime").libraries)
    assert requirements.note == ""
    assert {"bentoml", "onnxruntime", "numpy", "pillow", "orjson", "uvloop", "httptools"} <= requirements.names
    assert not TRAINING & requirements.names and "tokenizers" not in requirements.names
    blocks = requirements.text.replace("\\\n", " ").splitlines()
    assert len(blocks) == len(requirements.names)
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)
    assert "://" not in requirements.text and "index" not in requirements.text
    assert all(line in LOCK.read_text() for line in requirements.text.splitlines())


def test_a_network_that_only_keras_runs_needs_tensorflow() -> None:
    names = requirements_for(code_for("image", "keras").libraries).names
    assert {"tensorflow", "keras"} <= names and "onnxruntime" not in names


def test_other_versions_than_the_locks_are_pinned_without_hashes_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = read_lock()["orjson"][0]
    other = LOCK.read_text().replace(f"orjson=={version} ", "orjson==0.0.1 ")
    (tmp_path / "lock").write_text(other)
    monkeypatch.setattr("serving.building.requirements.LOCK", tmp_path / "lock")
    requirements = requirements_for({"orjson"})
    assert requirements.note == "other versions are installed than locked: orjson"
    assert f"orjson=={version}\n" in requirements.text and "--hash" not in requirements.text
    monkeypatch.setattr("serving.building.requirements.LOCK", tmp_path / "none")
    assert "orjson" in requirements_for({"orjson"}).note
