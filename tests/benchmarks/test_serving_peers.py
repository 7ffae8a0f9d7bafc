"""The peers answer the same question: what they make of an input is what Kerasmith makes of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import serving, serving_faults
from benchmarks.peers.serving_model import FOLDER, ServedModel
from benchmarks.serving_networks import jpeg
from benchmarks.serving_payloads import Question
from records.bundle import CODEC
from serving.bundle import open_bundle
from serving.codecs.image import ImageCodec
from tests.serving.kinds import make_bundle


@pytest.mark.parametrize("size", [(32, 32), (48, 48), (320, 240), (1000, 700)])
def test_pictures_are_decoded_as_our_codec_does(size: tuple[int, int]) -> None:
    codec = ImageCodec(height=32, width=32, channels=3)
    model = ServedModel.__new__(ServedModel)
    model.codec, model.kind = codec.to_json(), "image"
    data = jpeg(size, 5)
    np.testing.assert_array_equal(model.decode_image(data), codec.encode(data))


def test_texts_get_the_answer_of_our_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_bundle("text", tmp_path / "text")
    bundle = open_bundle(folder)
    (folder / "labels.json").write_text(json.dumps(bundle.manifest.labels))
    assert (folder / CODEC).is_file()
    monkeypatch.setenv(FOLDER, str(folder))
    model = ServedModel()
    texts = ["good film", "bad " * 30, "stars 5"]
    answers = model.answers([model.decode_json({"text": text}) for text in texts])
    for answer, ours in zip(answers, bundle.predict(texts), strict=True):
        assert answer["label"] == ours.label
        assert sum(one["probability"] for one in answer["classes"]) == pytest.approx(1)


def test_a_question_holds_the_same_bytes_in_every_wrapping() -> None:
    data = jpeg((20, 20), 1)
    image = Question(network="cnn", form="image", raw=data, label="a")
    assert image.payload("plain").body == image.payload("v2").body == data
    form = image.payload("form at /image")
    assert data in form.body and form.path == "/image" and image.payload("form").path == "/predict"
    text = Question(network="encoder", form="json", raw="some words", label="a")
    assert json.loads(text.payload("plain").body) == {"inputs": [{"text": "some words"}]}
    assert json.loads(text.payload("v2").body)["inputs"][0]["data"] == ["some words"]
    with pytest.raises(AssertionError, match="Expected the label 'a'"):
        text.check('{"predictions": [{"label": "b"}]}')


def test_cells_name_files_that_exist_and_differ_by_name() -> None:
    cells = [*serving.CELLS, *serving_faults.CELLS]
    assert len({(cell.bench, cell.name) for cell in cells}) == len(cells)
    root = Path(serving.__file__).parents[1]
    for cell in cells:
        for pattern in cell.files:
            assert list(root.glob(pattern)), pattern
