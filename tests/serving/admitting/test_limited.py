import subprocess
import sys
from pathlib import Path

import pytest

from records.bundle import CHECKSUMS, ONNX_MODEL
from records.errors import BundleError
from serving.admitting import limited
from serving.admitting.admission import admit_model
from serving.bundle import write_checksums
from store.files import sha256_file

resource = pytest.importorskip("resource")
LIMITED = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process holds")


@LIMITED
def test_a_cap_holds_while_the_body_runs_and_no_longer() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    program = """
from serving.admitting.limited import capped
with capped(400_000_000):
    try:
        bytearray(600_000_000)
    except MemoryError:
        print("refused")
print(len(bytearray(600_000_000)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["refused", "600000000"]
    with limited.capped(10**12):
        assert resource.getrlimit(resource.RLIMIT_DATA)[0] == 10**12
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_a_bundle_may_take_more_when_it_is_larger(bundle_folder: Path) -> None:
    before = limited.most_bytes(bundle_folder, "onnxruntime")
    with (bundle_folder / ONNX_MODEL).open("ab") as file:
        file.truncate(100_000_000)
    grown = limited.most_bytes(bundle_folder, "onnxruntime") - before
    assert 590_000_000 < grown <= 600_000_000
    assert limited.most_bytes(bundle_folder, "keras") > limited.most_bytes(bundle_folder, "onnxruntime")


def test_the_child_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KERASMITH_TOKENS", "KERASMITH_DATABASE", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in limited._environment().values()


def test_the_registrys_bundle_is_not_tried_again_and_others_are_known_by_their_checksum(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried: list[Path] = []

    def admit(folder: Path) -> str:
        tried.append(folder)
        return sha256_file(folder / CHECKSUMS)

    monkeypatch.setattr("serving.admitting.admission.admit", admit)
    checksum = write_checksums(bundle_folder)
    monkeypatch.setenv("KERASMITH_MODEL_FOLDER", str(bundle_folder))
    monkeypatch.setenv("KERASMITH_MODEL_CHECKSUM", checksum)
    monkeypatch.setenv("KERASMITH_FAILURE_FILE", str(tmp_path / "failure"))
    admit_model()
    assert tried == []
    monkeypatch.setenv("KERASMITH_MODEL_CHECKSUM", "")
    admit_model()
    import os

    assert tried == [bundle_folder] and os.environ["KERASMITH_MODEL_CHECKSUM"] == checksum


def test_a_bundle_that_is_not_the_one_that_was_named_is_told_in_one_sentence(
    bundle_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("serving.admitting.admission.admit", lambda folder: "other")
    monkeypatch.setenv("KERASMITH_MODEL_FOLDER", str(bundle_folder))
    monkeypatch.setenv("KERASMITH_MODEL_CHECKSUM", "c" * 64)
    monkeypatch.delenv("KERASMITH_FAILURE_FILE", raising=False)
    with pytest.raises(SystemExit) as stop:
        admit_model()
    assert stop.value.code == BundleError.exit_code
    err = capsys.readouterr().err
    assert "is not the one that was registered" in err and len(err.splitlines()) == 1
