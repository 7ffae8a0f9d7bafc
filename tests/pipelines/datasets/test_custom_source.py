"""A user's own function, and each way it can go wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.datasets.catalog import open_source
from records.config import RunConfig
from records.data import Example, InputKind, Source, Split
from records.errors import ConfigError, DataError
from tests.pictures import picture, write


def opened(tmp_path: Path, code: str, data: str = "pictures", **asked: Any) -> Source:
    file = tmp_path / "mine.py"
    file.write_text("from pathlib import Path\nimport numpy as np\nimage = np.zeros((5, 6, 3), np.uint8)\n" + code)
    source = open_source(RunConfig(data=data, source=f"{file}:load", **asked))
    assert source.fingerprint is None
    return source


def examples(tmp_path: Path, code: str, data: str = "pictures", **asked: Any) -> list[Example]:
    return list(opened(tmp_path, code, data, **asked).examples())


def test_tuples_and_mappings_of_every_kind(tmp_path: Path) -> None:
    write(tmp_path / "a.png", picture(0))
    code = (
        "from PIL import Image\n"
        "def load(folder):\n"
        "    yield folder / 'a.png', 'cat'\n"
        "    yield str(folder / 'a.png'), np.int64(3), 'val'\n"
        "    yield b'bytes', True, None, 'patient 7'\n"
        "    yield {'image': image, 'label': 'dog', 'split': 'test', 'group': 5, 'id': 'x'}\n"
        "    yield [Image.fromarray(image).convert('P'), 'dog']\n"
    )
    first, second, third, fourth, fifth = examples(tmp_path, code, str(tmp_path))
    assert first.raw == tmp_path / "a.png" == second.raw and first.label == "cat"
    assert (first.id, second.id, third.id) == (str(first.raw), f"{first.raw}#1", "000002")
    assert second.label == "3" and second.split is Split.VALIDATION
    assert third.label == "True" and third.split is None and third.group == "patient 7"
    assert (fourth.id, fourth.split, fourth.group) == ("x", Split.TEST, "5")
    assert isinstance(fifth.raw, np.ndarray) and fifth.raw.shape == (5, 6, 3)


def test_function_may_take_nothing_and_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_mine.py").write_text("LABEL = 'near'\n")
    code = "import neighbour_of_mine\ndef load():\n    return [(image, neighbour_of_mine.LABEL)]\n"
    assert [example.label for example in examples(tmp_path, code)] == ["near"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def load(): return 5", "returned no examples. Expected .*Received: int"),
        ("def load(): return {'a': 1}", "returned no examples"),
        ("def load(): yield image", "no example. Expected .*Received: ndarray"),
        ("def load(): yield (image,)", "Received: tuple of 1"),
        ("def load(): yield {'image': image, 'lable': 'a'}", "Received: image, lable"),
        ("def load(): yield image, 'cat', 'holidays'", "unknown split in example 0.*Received: 'holidays'"),
        ("def load(): yield 7, 'cat'", "no image in example 0.*Received: int"),
        ("def load(): yield image, 1.5", "no label in example 0.*Received: float 1.5"),
        ("def load(): yield image, None", "Received: NoneType None"),
        ("def load(): yield {'text': 5, 'label': 'a'}", "no text in example 0. Expected a string. Received: int"),
        ("def load(): yield {'series': 'a', 'label': 'a'}", "no series in example 0.*Received: str"),
        ("def load(): yield {'text': 'a', 'image': image, 'label': 'a'}", "Received: text, image, label"),
        ("def load():\n    yield image, 'a'\n    raise OSError('gone')", "failed after 1 examples: OSError: gone"),
        ("def load(): raise KeyError('x')", "failed: KeyError: 'x'"),
        ("def load(): return [{'image': image, 'label': 'a', 'id': '1'}] * 2", "two examples with the id '1'"),
    ],
)
def test_bad_examples_are_told_with_file_and_function(tmp_path: Path, code: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        examples(tmp_path, code)
    assert "mine.py:load" in str(caught.value)


def test_mappings_tell_texts_and_series(tmp_path: Path) -> None:
    source = opened(tmp_path, "def load(): yield {'text': 'a b', 'label': 'x'}; yield {'text': None, 'label': 'y'}")
    assert source.kind is InputKind.TEXT
    assert [example.raw for example in source.examples()] == ["a b", None]
    assert [example.raw for example in source.examples()] == ["a b", None]  # a second reading begins anew
    source = opened(tmp_path, "def load(): yield {'series': [1, None, 3], 'label': 2}")
    assert source.kind is InputKind.SERIES
    assert [(example.raw, example.label) for example in source.examples()] == [([1, None, 3], "2")]


def test_the_kind_that_is_asked_for_says_what_tuples_hold(tmp_path: Path) -> None:
    code = "def load(): yield 'a.png', 'x', 'test', 'group'"
    assert opened(tmp_path, code).kind is InputKind.IMAGE
    (text,) = examples(tmp_path, code, kind="text")
    assert (text.raw, text.label, text.split, text.group, text.id) == ("a.png", "x", Split.TEST, "group", "000000")
    (series,) = examples(tmp_path, "def load(): yield np.arange(4.0), 'x'", kind="series")
    assert series.raw.tolist() == [0, 1, 2, 3]
    with pytest.raises(DataError, match=r"Expected \(text, label\), .* Received: image, label"):
        examples(tmp_path, "def load(): yield {'image': image, 'label': 'a'}", kind="text")
    with pytest.raises(ConfigError, match="yields image, text, series. Received: --kind table"):
        opened(tmp_path, code, kind="table")


def test_a_slow_function_is_called_once(tmp_path: Path) -> None:
    code = (
        "calls = Path(__file__).with_name('calls')\n"
        "def load():\n"
        "    calls.open('a').write('x')\n"
        "    return [{'text': str(i), 'label': i % 2} for i in range(3)]\n"
    )
    assert [example.raw for example in examples(tmp_path, code)] == ["0", "1", "2"]
    assert (tmp_path / "calls").read_text() == "x"


def test_numbers_are_predicted_where_that_is_asked_for(tmp_path: Path) -> None:
    code = "def load():\n    for label in (1, 2.5, np.float32(0.5)): yield {'text': 'a', 'label': label}"
    labels = [example.label for example in examples(tmp_path, code, task="regression")]
    assert labels == [1.0, 2.5, 0.5] and all(isinstance(label, float) for label in labels)
    with pytest.raises(DataError, match="numbers to be predicted need --task regression. Received: float 2.5"):
        examples(tmp_path, code)
    with pytest.raises(DataError, match="no number to predict in example 0.*Received: str 'many'"):
        examples(tmp_path, "def load(): yield 'a', 'many'", kind="text", task="regression")


def test_bad_names_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no function 'load'. It has: other, third."):
        examples(tmp_path, "def other(): ...\ndef third(): ...\ndef _own(): ...\n")
    with pytest.raises(ConfigError, match="cannot be imported: SyntaxError"):
        examples(tmp_path, "def load(:")
    with pytest.raises(ConfigError, match="There is no file nowhere.py"):
        open_source(RunConfig(data="x", source="nowhere.py:load"))
    with pytest.raises(ConfigError, match="must be file.py:function. Received: 'mine.py'"):
        open_source(RunConfig(data="x", source="mine.py"))
