"""Bundles of strangers: none becomes ready, runs code, reads a file outside of it or takes the memory."""

import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from records.bundle import CODEC, MANIFEST, ONNX_MODEL, SAMPLE_REQUEST
from records.errors import BundleError
from serving.admitting import foreign
from serving.admitting.foreign import check_foreign
from serving.admitting.limited import admit
from serving.bundle import open_bundle, verify
from serving.codecs.text import CHARS_PER_TOKEN, MAX_TOKENS
from serving.serve import running
from serving.settings import Settings
from tests.serving import poison
from tests.serving.kinds import make_bundle
from tests.serving.poison import admitted_apart, change, edit, external, keras, layer, rewritten

Spoil = Callable[[Path, Path], object]
LAMBDA = {"function": {"class_name": "__lambda__", "config": {"code": "os.system('touch CANARY')"}}}
GADGET = {"name": "touch CANARY"}

# at once, before anything of it is loaded: what spoils it, and what is said
SEEN: dict[str, tuple[Spoil, str]] = {
    "changed byte": (lambda f, c: (f / ONNX_MODEL).write_bytes(b"x"), "model.onnx is not what was packaged"),
    "missing file": (lambda f, c: (f / SAMPLE_REQUEST).unlink(), "sample_request.json is missing"),
    "extra file": (lambda f, c: (f / "more.json").write_text("{}"), "were not packaged: more.json"),
    "extra file with an escape": (lambda f, c: (f / "\x1b[2J.json").write_text("{}"), r"were not packaged: '\\x1b"),
    "link to a file": (lambda f, c: (f / "link.json").symlink_to(c.parent / "secret"), "holds a link: link.json"),
    "link to a folder": (lambda f, c: (f / "link").symlink_to(c.parent), "holds a link: link"),
    "pipe": (lambda f, c: os.mkfifo(f / "pipe.json"), "no plain file: pipe.json"),
    "socket": (poison.unix_socket, "no plain file: listening.json"),
    "listed name that climbs out": (poison.listed_outside("climbing"), r"damaged: \.\./secret is missing"),
    "listed absolute name": (poison.listed_outside("absolute"), "secret is missing"),
    "program": (rewritten(lambda f, c: (f / "setup.py").write_text("")), "unknown sort: 'setup.py'"),
    "pickle": (rewritten(lambda f, c: (f / "custom_objects.pkl").write_bytes(b"")), "unknown sort: 'custom_objects"),
    "pickle named as arrays": (rewritten(poison.raw_pickle), "does not hold plain arrays"),
    "pickled arrays": (rewritten(poison.pickled_array), "it holds pickled objects"),
    "array that declares terabytes": (rewritten(poison.huge_array), "declares more than it holds"),
    "arrays in a bomb": (
        rewritten(lambda f, c: poison.npz(f, {"x.npy": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)), "would grow from"
    ),
    "arrays that climb out": (rewritten(lambda f, c: poison.npz(f, {"../x.npy": b""})), "lies outside"),
    "later format": (rewritten(lambda f, c: edit(f / MANIFEST, format_version=99)), "format_version 1 to"),
    "other kind than the codec": (rewritten(lambda f, c: edit(f / MANIFEST, input_kind="text")), "contradicts itself"),
    "not a number": (
        rewritten(lambda f, c: (f / CODEC).write_text((f / CODEC).read_text().replace("7", "NaN", 1))), "NaN is no JSON"
    ),
    "limits that are no limits": (rewritten(lambda f, c: edit(f / CODEC, max_pixels=2**31)), "max_pixels is 2147"),
    "deep JSON": (
        rewritten(lambda f, c: (f / CODEC).write_text('{"a":' * 100_000 + "1" + "}" * 100_000)), "nested too deeply"
    ),
    "large JSON": (
        rewritten(lambda f, c: (f / MANIFEST).write_bytes(b" " * 100_000_000 + b"{}")), "expected at most 64000000"
    ),
    "data at an absolute place": (rewritten(external("/etc/passwd")), "keeps data in another file"),
    "data further up": (rewritten(external("../secret")), "keeps data in another file"),
    "tensor that declares terabytes": (
        rewritten(lambda f, c: change(f, poison.huge_initializer)), "declares 3000000000000 elements"
    ),
    "nested graphs": (rewritten(lambda f, c: change(f, poison.nested)), "nested more than 16 deep"),
    "half a network": (
        rewritten(lambda f, c: (f / ONNX_MODEL).write_bytes((f / ONNX_MODEL).read_bytes()[:-40])), "ends too early"
    ),
    "no network": (rewritten(lambda f, c: (f / ONNX_MODEL).write_bytes(b"")), "model.onnx cannot be read"),
    "lambda": (rewritten(keras(layer("keras.layers", "Lambda", LAMBDA))), "it holds a"),
    "gadget": (rewritten(keras(layer("os", "system", GADGET))), "something of 'os'"),
    "builtin": (rewritten(keras(layer("builtins", "exec", GADGET))), "something of 'builtins'"),
    "keras member that climbs out": (rewritten(keras({}, {"../../canary": b""})), "lies outside"),
    "keras member of another sort": (rewritten(keras({}, {"custom.py": b""})), "it holds 'custom.py'"),
    "keras bomb": (rewritten(keras({}, {"assets/x": bytes(50_000_000)})), "would grow from"),
    "keras that is none": (
        rewritten(lambda f, c: (f / "model.keras").write_bytes(b"\x89HDF\r\n\x1a\n")), "is not a Keras file"
    ),
}  # fmt: skip

# by the process that may not take much
TRIED: dict[str, tuple[Spoil, str]] = {
    "answer that does not agree": (rewritten(poison.swap_answer), "does not reproduce its own sample"),
    "unknown operator": (rewritten(lambda f, c: change(f, poison.custom_operator)), "ONNX Runtime cannot load"),
    "constant of a hundred gigabytes": (
        rewritten(lambda f, c: change(f, poison.large_constant)),
        "ConstantOf|memory",
    ),
    "unknown engine": (rewritten(lambda f, c: edit(f / MANIFEST, engine="os:system")), "no engine 'os:system'"),
    "fewer labels than answers": (
        rewritten(lambda f, c: edit(f / MANIFEST, labels=["one"])),
        "does not fit its labels",
    ),
}


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """Written by nobody, and beside it a secret that nobody reads."""
    (tmp_path / "secret").write_bytes(b"s" * 36)
    yield tmp_path / "canary"
    assert not (tmp_path / "canary").exists()


OPENED: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        OPENED.append(str(arguments[0]))


sys.addaudithook(_watch)


@pytest.mark.parametrize("name", SEEN)
def test_what_can_be_seen_is_refused_before_anything_is_loaded(name: str, bundle_folder: Path, canary: Path) -> None:
    spoil, sentence = SEEN[name]
    spoil(bundle_folder, canary)
    OPENED.clear()
    with pytest.raises(BundleError, match=sentence):
        verify(bundle_folder)
        check_foreign(bundle_folder)
    assert not [path for path in OPENED if "secret" in path or "passwd" in path]


@pytest.mark.parametrize(
    ("change_codec", "sentence"), [(poison.catastrophic, "regular expression"), (poison.large_vocabulary, "64000000")]
)
def test_a_tokenizer_that_keeps_the_server_busy_is_refused(change_codec, sentence: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = make_bundle("text", tmp_path / "text")
    verify(folder)
    check_foreign(folder)
    poison.tokenizer(folder, change_codec)
    poison.write_checksums(folder)
    with pytest.raises(BundleError, match=sentence):
        verify(folder)
        check_foreign(folder)


def test_a_series_of_a_million_million_steps_is_refused(tmp_path: Path) -> None:
    folder = make_bundle("series", tmp_path / "series")
    edit(folder / CODEC, max_steps=poison.MANY, max_steps_read=poison.MANY)
    poison.write_checksums(folder)
    with pytest.raises(BundleError, match="is 1000000000000. Expected at most"):
        check_foreign(folder)


def test_the_longest_text_of_ours_is_allowed() -> None:
    assert foreign.MAX_CHARS == CHARS_PER_TOKEN * MAX_TOKENS


def test_a_good_bundle_passes(bundle_folder: Path) -> None:
    verify(bundle_folder)
    check_foreign(bundle_folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", TRIED)
def test_what_must_be_tried_is_refused_by_a_limited_process(name: str, bundle_folder: Path, canary: Path) -> None:
    spoil, sentence = TRIED[name]
    spoil(bundle_folder, canary)
    said, most_bytes = admitted_apart(bundle_folder)
    assert re.search(sentence, said)
    assert len(said.splitlines()) == 1 and "Traceback" not in said
    assert most_bytes < 2_000_000_000


@pytest.mark.slow
def test_what_takes_too_long_is_refused(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(bundle_folder, poison.endless)
    poison.write_checksums(bundle_folder)
    monkeypatch.setattr("serving.admitting.limited.MAX_SECONDS", 12.0)
    began = time.monotonic()
    with pytest.raises(BundleError, match="checking it took over 12 s"):
        admit(bundle_folder)
    assert time.monotonic() - began < 20


@pytest.mark.slow
def test_a_good_bundle_is_admitted_under_its_checksum(bundle_folder: Path) -> None:
    checksum = admit(bundle_folder)
    assert verify(bundle_folder, checksum).name == "tiny"
    open_bundle(bundle_folder).close()


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["data further up", "constant of a hundred gigabytes", "pickled arrays"])
def test_a_server_of_a_poisoned_bundle_does_not_start(
    name: str, bundle_folder: Path, canary: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil, sentence = (SEEN | TRIED)[name]
    spoil(bundle_folder, canary)
    settings = Settings(folder=bundle_folder, ref="x:1")
    with pytest.raises(BundleError, match=sentence), running(settings):
        raise AssertionError("it started")
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.e2e
def test_bentoml_itself_ends_with_one_sentence_and_an_exit_code(
    bundle_folder: Path, tmp_path: Path, canary: Path
) -> None:
    SEEN["data further up"][0](bundle_folder, canary)
    environment = os.environ | {"KERASMITH_MODEL_FOLDER": str(bundle_folder), "BENTOML_HOME": str(tmp_path / "bentoml")}
    command = [sys.executable, "-P", "-m", "bentoml", "serve", "serving.service:Kerasmith", "-q", "--port", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == BundleError.exit_code
    assert "keeps data in another file" in done.stderr and "Traceback" not in done.stderr
