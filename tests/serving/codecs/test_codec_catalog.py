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
from serving.codecs.catalog import CODECS, load_codec
from serving.codecs.image import ImageCodec

EXAMPLES: dict[str, tuple[Any, Any]] = {
    "image": (ImageCodec(height=7, width=5, channels=3), np.arange(11 * 13 * 3, dtype=np.uint8).reshape(11, 13, 3)),
}
"""A codec and something that it encodes, for each kind."""


def test_every_input_kind_has_a_codec_and_an_example_here() -> None:
    assert CODECS.keys() == {str(kind) for kind in InputKind} == EXAMPLES.keys()


@pytest.mark.parametrize("kind", CODECS)
def test_codec_contract(kind: str) -> None:
    codec, raw = EXAMPLES[kind]
    array = codec.encode(raw)
    assert array.shape == codec.input_shape
    assert str(array.dtype) == codec.dtype
    loaded = load_codec(json.loads(json.dumps(codec.to_json())))
    assert loaded == codec and loaded.kind == kind
    np.testing.assert_array_equal(loaded.encode(raw), array)
    with pytest.raises(InputError):
        codec.encode(object())
    with pytest.raises(BundleError):
        load_codec({**codec.to_json(), "surprise": 1})


@pytest.mark.parametrize("saved", [{}, {"kind": "smell"}, []])
def test_unknown_kind_is_told(saved: Any) -> None:
    with pytest.raises(BundleError, match="unknown kind. Expected one of image"):
        load_codec(saved)


def test_codecs_need_only_numpy_and_pillow() -> None:
    heavy = ["tensorflow", "keras", "scipy", "sklearn", "pydantic", "sqlalchemy", "bentoml"]
    code = f"import sys, serving.codecs.catalog; print([name for name in {heavy} if name in sys.modules])"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
