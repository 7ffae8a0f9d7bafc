import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from records.errors import BundleError, StoreError
from serving.bundle import verify
from serving.model_store import folder_of, put, remove_unregistered
from store.home import Home


def entries(home: Home) -> set[str]:
    return {f"{path.parent.name}:{path.name}" for path in (home.bentoml / "models").glob("*/*") if path.is_dir()}


def test_put_stores_a_bundle_that_bentoml_also_finds(home: Home, pristine: Path) -> None:
    folder = put(home, "tiny", "first", pristine)
    assert folder == folder_of(home, "tiny", "first") == home.bentoml / "models" / "tiny" / "first"
    assert verify(folder).name == "tiny"

    import bentoml
    from bentoml._internal.models import ModelStore

    found = bentoml.models.get("tiny:latest", _model_store=ModelStore(home.bentoml / "models"))
    assert Path(found.path) == folder


def test_put_does_not_replace_what_is_there(home: Home, pristine: Path) -> None:
    put(home, "tiny", "first", pristine)
    with pytest.raises(BundleError, match="holds tiny:first already"):
        put(home, "tiny", "first", pristine)


@pytest.mark.parametrize("name", ["", "..", "a/b", "latest", "ends-with-"])
def test_put_refuses_names_that_are_not_plain(home: Home, pristine: Path, name: str) -> None:
    with pytest.raises(BundleError):
        put(home, name, "first", pristine)
    assert not entries(home)


def test_put_on_a_full_disk_leaves_nothing(home: Home, pristine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str, **_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(StoreError, match="disk is full"):
        put(home, "tiny", "first", pristine)
    assert not entries(home)


def test_folder_of_says_that_the_bundle_is_gone(home: Home) -> None:
    with pytest.raises(BundleError, match="The bundle of tiny is gone"):
        folder_of(home, "tiny", "first")


def test_folder_of_does_not_import_bentoml() -> None:
    code = "import sys, serving.model_store; sys.exit('bentoml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_remove_unregistered_keeps_what_is_registered_and_takes_partial_entries(home: Home, pristine: Path) -> None:
    put(home, "tiny", "kept", pristine)
    put(home, "tiny", "newer", pristine)
    put(home, "other", "gone", pristine)
    partial = home.bentoml / "models" / "tiny" / "partial"
    partial.mkdir()
    (partial / "model.onnx").write_bytes(b"half of")
    left_over = home.bentoml / ".trash-of-a-killed-process"
    left_over.mkdir()

    assert remove_unregistered(home, {"kept"}) == ["other:gone", "tiny:newer", "tiny:partial"]
    assert entries(home) == {"tiny:kept"}
    assert not left_over.exists()
    verify(folder_of(home, "tiny", "kept"))
    assert (home.bentoml / "models" / "tiny" / "latest").read_text() == "kept"
    assert remove_unregistered(home, {"kept"}) == []


@pytest.mark.slow
def test_a_kill_in_the_middle_of_put_leaves_only_what_is_removed_as_garbage(home: Home, pristine: Path) -> None:
    code = """
import os, shutil, sys
from pathlib import Path
from serving.model_store import put
from store.home import open_home
copies = 0
def copy(source, target, **_):
    global copies
    copies += 1
    if copies > int(sys.argv[3]):
        os.kill(os.getpid(), 9)
    return shutil.copy2(source, target)
tree = shutil.copytree
shutil.copytree = lambda source, target, **options: tree(source, target, copy_function=copy, **options)
put(open_home(Path(sys.argv[1])), "tiny", "killed", Path(sys.argv[2]))
"""
    for copies in (0, 3, 8, 11):
        command = [sys.executable, "-c", code, str(home.root), str(pristine), str(copies)]
        assert subprocess.run(command, check=False).returncode == -9
        remove_unregistered(home, set())
        assert not entries(home)
