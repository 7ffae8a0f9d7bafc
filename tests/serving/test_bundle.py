import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from records.bundle import CHECKSUMS, CODEC, MANIFEST, ONNX_MODEL, SAMPLE_ANSWER, SAMPLE_REQUEST
from records.errors import BundleError, InputError
from serving.bundle import ModelBundle, open_bundle, read_manifest, verify, write_checksums
from serving.bundle_files import BENTOML_FILE
from serving.parsing.parameters import Options


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_verify_accepts_what_was_packaged(bundle_folder: Path) -> None:
    checksum = write_checksums(bundle_folder)
    assert verify(bundle_folder, checksum).name == "tiny"
    (bundle_folder / BENTOML_FILE).write_text("BentoML adds this one")
    assert verify(bundle_folder).name == "tiny"


def test_verify_sees_a_changed_byte_in_any_file(bundle_folder: Path) -> None:
    for name in json.loads((bundle_folder / CHECKSUMS).read_text())["files"]:
        path = bundle_folder / name
        good = path.read_bytes()
        path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(BundleError, match=f"{name} is not what was packaged"):
            verify(bundle_folder)
        path.write_bytes(good[:-1])
        with pytest.raises(BundleError, match=f"{name} is not what was packaged"):
            verify(bundle_folder)
        path.unlink()
        with pytest.raises(BundleError, match=f"{name} is missing"):
            verify(bundle_folder)
        path.write_bytes(good)
    verify(bundle_folder)


def test_verify_sees_a_bundle_whose_list_was_rewritten(bundle_folder: Path) -> None:
    checksum = write_checksums(bundle_folder)
    (bundle_folder / SAMPLE_ANSWER).write_text('{"predictions": []}')
    write_checksums(bundle_folder)
    verify(bundle_folder)
    with pytest.raises(BundleError, match="not the one that was registered"):
        verify(bundle_folder, checksum)


@pytest.mark.parametrize("name", ["custom_objects.pkl", "sub/extra.bin", ".hidden"])
def test_verify_refuses_files_that_were_not_packaged(bundle_folder: Path, name: str) -> None:
    (bundle_folder / name).parent.mkdir(exist_ok=True)
    (bundle_folder / name).write_bytes(b"")
    with pytest.raises(BundleError, match=f"were not packaged: {name}"):
        verify(bundle_folder)


def test_verify_refuses_links(bundle_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes((bundle_folder / ONNX_MODEL).read_bytes())
    (bundle_folder / ONNX_MODEL).unlink()
    (bundle_folder / ONNX_MODEL).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=f"holds a link: {ONNX_MODEL}"):
        verify(bundle_folder)


def test_verify_says_that_there_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="There is no bundle at"):
        verify(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=f"{CHECKSUMS} is missing"):
        verify(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"files": 3}', b'{"files": {"a": 1}}', b"\xff"])
def test_verify_refuses_a_broken_list(bundle_folder: Path, content: bytes) -> None:
    (bundle_folder / CHECKSUMS).write_bytes(content)
    with pytest.raises(BundleError, match=CHECKSUMS):
        verify(bundle_folder)


@pytest.mark.parametrize("version", [0, 2, "1", None, True])
def test_a_bundle_of_an_unknown_format_is_refused(bundle_folder: Path, version: object) -> None:
    edit(bundle_folder / MANIFEST, format_version=version)
    with pytest.raises(BundleError, match="unknown format. Expected format_version 1 to 1. Received"):
        read_manifest(bundle_folder)


def test_a_damaged_manifest_names_the_field(bundle_folder: Path) -> None:
    edit(bundle_folder / MANIFEST, labels=7)
    with pytest.raises(BundleError, match="manifest.json is damaged: labels"):
        read_manifest(bundle_folder)


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        (MANIFEST, {"engine": "abacus"}, "no engine 'abacus'. Known: onnxruntime, litert, keras"),
        (MANIFEST, {"task": "divination"}, "unknown task 'divination'"),
        (CODEC, {"kind": "smell"}, "unknown kind"),
        (CODEC, {"height": 6}, r"contradicts itself: its codec gives \[6, 7, 3\], its network takes \[5, 7, 3\]"),
    ],
)
def test_open_bundle_names_what_does_not_fit(
    bundle_folder: Path, file: str, changes: dict[str, Any], message: str
) -> None:
    edit(bundle_folder / file, **changes)
    with pytest.raises(BundleError, match=message):
        open_bundle(bundle_folder)


def test_predict_answers_in_the_order_of_the_inputs(bundle: ModelBundle, picture: Callable[..., bytes]) -> None:
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255)] * 15  # more than go through the network at once
    answers = bundle.predict([picture(color) for color in colors], Options(top_k=1))
    assert [one.label for one in answers] == ["red", "green", "blue"] * 15
    assert all(len(one.classes) == 1 for one in answers)


def test_an_array_and_its_png_get_the_same_answer(bundle: ModelBundle, picture: Callable[..., bytes]) -> None:
    array = np.full((5, 7, 3), (250, 10, 10), np.uint8)
    assert bundle.predict([array]) == bundle.predict([picture()])


def test_predict_names_the_input_that_is_wrong(bundle: ModelBundle, picture: Callable[..., bytes]) -> None:
    with pytest.raises(InputError, match="^Input 2 of 3: Not an image"):
        bundle.predict([picture(), b"words", picture()])
    with pytest.raises(InputError, match="^Not an image"):
        bundle.predict([b"words"])


def test_predict_stops_decoding_after_its_time(bundle: ModelBundle, picture: Callable[..., bytes]) -> None:
    with pytest.raises(InputError, match="Decoding took too long: 1 of 2 inputs") as caught:
        bundle.predict([picture(), picture()], max_decode_seconds=0.0)
    assert caught.value.status == 413


def test_a_good_bundle_reproduces_its_sample(bundle: ModelBundle) -> None:
    assert bundle.reproduces_sample()


def test_a_bundle_whose_network_changed_does_not_reproduce_its_sample(bundle_folder: Path) -> None:
    path = bundle_folder / SAMPLE_ANSWER
    [answer] = json.loads(path.read_text())["predictions"]
    answer["classes"][0]["probability"] -= 0.001
    path.write_text(json.dumps({"predictions": [answer]}))
    assert not open_bundle(bundle_folder).reproduces_sample()
    path.write_text(json.dumps({"predictions": []}))
    assert not open_bundle(bundle_folder).reproduces_sample()


@pytest.mark.parametrize("file", [SAMPLE_REQUEST, SAMPLE_ANSWER])
@pytest.mark.parametrize("content", ["", "{}", "[]", '{"inputs": [{"image": "!"}]}', '{"predictions": [{}]}'])
def test_a_broken_sample_is_an_error_of_the_bundle(bundle_folder: Path, file: str, content: str) -> None:
    (bundle_folder / file).write_text(content)
    with pytest.raises(BundleError, match="cannot be read"):
        open_bundle(bundle_folder).reproduces_sample()
