"""What every codec must do, also one that is added later."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from records.data import InputKind
from records.errors import BundleError, InputError
from serving.codecs.catalog import CODECS, TOGETHER, codec_class, encode_together, load_codec
from serving.codecs.image import ImageCodec
from tests.serving.kinds import KITS

EXAMPLES: dict[str, tuple[Any, list[Any]]] = {
    "image": (ImageCodec(height=7, width=5, channels=3), [np.arange(429, dtype=np.uint8).reshape(11, 13, 3)] * 2),
    **{kit.codec.kind: (kit.codec, kit.raws) for kit in (make() for make in KITS.values())},
}
"""A codec and some things that it encodes, for each kind."""
ROOT = Path(__file__).resolve().parents[3]


def test_every_input_kind_has_a_codec_and_an_example_here() -> None:
    assert CODECS.keys() == {str(kind) for kind in InputKind} == EXAMPLES.keys()


@pytest.mark.parametrize("kind", CODECS)
def test_codec_contract(kind: str) -> None:
    codec, raws = EXAMPLES[kind]
    assert isinstance(codec, codec_class(kind))
    array = codec.encode(raws[0])
    assert array.shape == codec.input_shape
    assert str(array.dtype) == codec.dtype
    loaded = load_codec(json.loads(json.dumps(codec.to_json())))
    assert loaded == codec and loaded.kind == kind
    np.testing.assert_array_equal(loaded.encode(raws[0]), array)
    with pytest.raises(InputError):
        codec.encode(object())
    with pytest.raises(BundleError):
        load_codec({**codec.to_json(), "surprise": 1})


@pytest.mark.parametrize("kind", CODECS)
def test_a_batch_leaves_off_nothing_but_padding(kind: str) -> None:
    codec, raws = EXAMPLES[kind]
    arrays = [codec.encode(raw) for raw in raws]
    batch = codec.collate(arrays)
    assert (len(batch), batch.dtype.name, batch.ndim) == (len(raws), codec.dtype, 1 + len(codec.input_shape))
    whole = np.zeros((len(raws), *codec.input_shape), codec.dtype)
    whole[tuple(slice(0, size) for size in batch.shape)] = batch
    np.testing.assert_array_equal(whole, np.stack(arrays))


@pytest.mark.parametrize("kind", CODECS)
def test_what_is_encoded_together_is_what_is_encoded_one_by_one(kind: str) -> None:
    codec, raws = EXAMPLES[kind]
    together = encode_together(codec, raws * 3)
    assert (together is not None) == (kind in TOGETHER)
    if together is not None:
        np.testing.assert_array_equal(together, np.stack([codec.encode(raw) for raw in raws * 3]))
        assert encode_together(codec, [*raws, object()]) is None
    assert encode_together(codec, raws[:1]) is None


@pytest.mark.parametrize("kind", CODECS)
def test_a_codec_describes_itself_in_the_words_of_the_description(kind: str) -> None:
    told = EXAMPLES[kind][0].describe()
    assert told.keys() <= {"columns", "channels", "horizon", "limits"}
    assert told["limits"] and all(type(value) is int for value in told["limits"].values())


@pytest.mark.parametrize("saved", [{}, {"kind": "smell"}, {"kind": []}, []])
def test_unknown_kind_is_told(saved: Any) -> None:
    with pytest.raises(BundleError, match="unknown kind. Expected one of image"):
        load_codec(saved)


@pytest.mark.parametrize("kind", CODECS)
def test_a_codec_needs_little(kind: str) -> None:
    heavy = ["tensorflow", "keras", "scipy", "sklearn", "sqlalchemy", "bentoml", "pyarrow", "pandas"]
    heavy += [] if kind == "text" else ["tokenizers"]
    heavy += [] if kind == "image" else ["PIL"]
    code = (
        f"import json, sys; from serving.codecs.catalog import load_codec; load_codec(json.loads(sys.argv[1])); "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    saved = json.dumps(EXAMPLES[kind][0].to_json())
    done = subprocess.run([sys.executable, "-c", code, saved], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
