"""The house: who may import whom, and what must never be loaded where."""

import ast
import json
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "records": set(),
    "store": {"records"},
    "search_spaces": {"records"},
    "serving": {"records", "store"},
    "pipelines": {"records", "store", "search_spaces", "serving"},
    "ui": {"records", "store", "serving"},
}
HEAVY = {"keras", "tensorflow", "keras_tuner", "optuna", "tensorflow_datasets"}


def imported(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_follow_the_arrows(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        ours = {name.split(".")[0] for name in imported(path)} & MAY_IMPORT.keys()
        assert ours <= MAY_IMPORT[folder] | {folder}, f"{path.relative_to(ROOT)} imports {sorted(ours)}"


def test_records_need_the_standard_library_and_pydantic_alone() -> None:
    for path in (ROOT / "records").rglob("*.py"):
        foreign = {name.split(".")[0] for name in imported(path)} - set(sys.stdlib_module_names)
        assert foreign <= {"records", "pydantic"}, path


@pytest.mark.parametrize(
    ("module", "library"), [("pipelines/search.py", "keras_tuner"), ("pipelines/proposing/estimator.py", "optuna")]
)
def test_search_libraries_are_named_in_one_file(module: str, library: str) -> None:
    naming = {
        path.relative_to(ROOT).as_posix()
        for folder in MAY_IMPORT
        for path in (ROOT / folder).rglob("*.py")
        if any(name.split(".")[0] == library for name in imported(path))
    }
    assert naming == {module}


def test_init_files_are_empty() -> None:
    for folder in MAY_IMPORT:
        for path in (ROOT / folder).rglob("__init__.py"):
            assert path.read_text() == "", path


@pytest.mark.parametrize(
    "module",
    [
        "serving.service",
        "serving.client",
        "pipelines.cli",
        "pipelines.run",
        "pipelines.terminal.results",
        "store.ledger",
        "pipelines.terminal.page",
        "ui.app",
        "ui.app_pages.try_it",
        "ui.app_pages.runs",
    ],
)
def test_module_loads_no_training_library(module: str) -> None:
    program = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not loaded & HEAVY


def test_the_page_loads_neither_pandas_nor_a_codec() -> None:
    program = "import sys, json, ui.app, ui.app_pages.try_it, ui.app_pages.runs; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert not {"pandas", "pyarrow", "onnxruntime", "bentoml"} & set(loaded)
    ours = {name for name in loaded if name.startswith("serving.")}
    parts = {f"serving.clients.{name}" for name in ("inputs", "messages", "retrying")}
    assert ours <= {"serving.client", "serving.clients", *parts, "serving.model_store"}


def test_no_file_of_the_page_is_named_like_a_library() -> None:
    # `streamlit run ui/app.py` puts the folder first on the path, so such a file would stand before the library
    elsewhere = [place for place in sys.path if Path(place).resolve() not in (ROOT, ROOT / "ui")]
    for path in (ROOT / "ui").iterdir():
        if path.suffix in ("", ".py") and path.stem.isidentifier() and not path.stem.startswith("__"):
            assert PathFinder.find_spec(path.stem, elsewhere) is None, path
            assert path.stem not in sys.stdlib_module_names, path


def test_no_pickle_anywhere() -> None:
    for folder in MAY_IMPORT:
        for path in (ROOT / folder).rglob("*.py"):
            names = imported(path)
            if path.name == "torch_weights.py":  # reads a foreign format through an allow-list
                continue
            assert not {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"} & names, path


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.lock")), ids=lambda path: path.name)
def test_locks_hold_hashes_and_no_addresses(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert text.count("==") <= text.count("--hash=sha256:")
    assert not {"torch", "torchvision", "nvidia-cudnn-cu12"} & {line.split("==")[0] for line in text.splitlines()}
